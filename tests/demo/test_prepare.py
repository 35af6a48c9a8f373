"""What the demonstration sets up, and what it tells people to try."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from cvec_circus import demo
from cvec_circus.config.readers.document import load


class InEmptyDirectory(unittest.TestCase):
    """A test whose current directory is new and empty."""

    def setUp(self) -> None:
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.here = Path(folder.name).resolve()
        os.chdir(self.here)


class TestPrepare(InEmptyDirectory):
    """Everything demo.ini refers to is there afterwards."""

    def test_directory_in_the_current_one(self) -> None:
        environ: dict[str, str] = {}
        ini = demo.prepare(environ)
        self.assertTrue(ini.is_file())
        self.assertEqual(environ["CVEC_CIRCUS_DEMO_DIR"], str(self.here / "cvec_circus-demo"))
        self.assertTrue((self.here / "cvec_circus-demo").is_dir())
        self.assertEqual(environ["CVEC_CIRCUS_DEMO_PYTHON"], sys.executable)

    def test_twice(self) -> None:
        demo.prepare({})
        demo.prepare({})

    def test_directory_as_asked(self) -> None:
        environ = {"CVEC_CIRCUS_DEMO_DIR": "a/b c"}
        demo.prepare(environ)
        self.assertEqual(environ["CVEC_CIRCUS_DEMO_DIR"], str(self.here / "a" / "b c"))
        self.assertTrue((self.here / "a" / "b c").is_dir())

    def test_current_directory_cannot_be_written(self) -> None:
        environ: dict[str, str] = {}
        with contextlib.ExitStack() as stack:
            refusal = PermissionError(13, "Permission denied")
            stack.enter_context(mock.patch("os.makedirs", side_effect=refusal))
            demo.prepare(environ)
        elsewhere = Path(environ["CVEC_CIRCUS_DEMO_DIR"])
        self.addCleanup(elsewhere.rmdir)
        self.assertTrue(elsewhere.is_dir())
        self.assertNotIn(self.here, elsewhere.parents)

    def test_directory_as_asked_cannot_be_made(self) -> None:
        Path("file").touch()
        with self.assertRaises(OSError):
            demo.prepare({"CVEC_CIRCUS_DEMO_DIR": "file/below"})

    def test_settings_stay(self) -> None:
        environ = {"CVEC_CIRCUS_DEMO_PORT": "9"}
        demo.prepare(environ)
        self.assertEqual(environ["CVEC_CIRCUS_DEMO_PORT"], "9")
        self.assertEqual(environ["CVEC_CIRCUS_DEMO_ENDPOINT"], "tcp://127.0.0.1:5555")

    def test_every_variable_of_the_file_is_set(self) -> None:
        environ: dict[str, str] = {}
        text = demo.prepare(environ).read_text(encoding="utf-8")
        used = set(re.findall(r"\$\(circus\.env\.(\w+)\)", text))
        self.assertEqual(used, set(environ))

    def test_every_program_of_the_file_is_there(self) -> None:
        text = demo.prepare({}).read_text(encoding="utf-8")
        programs = re.findall(r"DEMO_FILES\)/([\w.]+)", text)
        self.assertEqual(sorted(programs), ["tick.py", "web.py"])
        for name in programs:
            self.assertTrue((demo.FILES / name).is_file(), name)


class TestConfiguration(InEmptyDirectory):
    """demo.ini is a configuration."""

    def test_it_loads(self) -> None:
        environ = {"CVEC_CIRCUS_DEMO_PORT": "0", "CVEC_CIRCUS_DEMO_DIR": "some where"}
        configuration = load(str(demo.prepare(environ)), environ)
        self.assertEqual(configuration.warnings, [])
        self.assertEqual([each.name for each in configuration.watchers], ["web", "tick"])
        self.assertEqual([each.name for each in configuration.plugins], ["plugin:logger"])
        self.assertEqual(configuration.sockets[0].options["port"], 0)
        self.assertEqual(configuration.circus["endpoint"], "tcp://127.0.0.1:5555")

    def test_logs_are_in_the_directory(self) -> None:
        environ: dict[str, str] = {}
        configuration = load(str(demo.prepare(environ)), environ)
        web, tick = configuration.watchers
        folder = environ["CVEC_CIRCUS_DEMO_DIR"]
        self.assertEqual(web.options["stderr_stream"]["filename"], f"{folder}/web.log")
        self.assertEqual(tick.options["stdout_stream"]["filename"], f"{folder}/tick.log")
        self.assertEqual(configuration.plugins[0].config["filename"], f"{folder}/events.log")


class TestWhatToTry(InEmptyDirectory):
    """The commands can be pasted as they stand."""

    endpoint = "tcp://127.0.0.1:5555"

    def test_installed_on_the_path(self) -> None:
        text = demo.what_to_try(self.endpoint, "/var/x", "cvec_circusd", {})
        self.assertIn("\n    cvec_circusctl status\n", text)
        self.assertIn("\n    tail -f /var/x/events.log\n", text)
        self.assertIn("\n    curl http://127.0.0.1:8099/\n", text)
        self.assertNotIn("same directory", text)

    def test_in_a_virtual_environment(self) -> None:
        Path(".venv/bin").mkdir(parents=True)
        Path(".venv/bin/cvec_circusctl").touch()
        inside = self.here / "cvec_circus-demo"
        text = demo.what_to_try(self.endpoint, inside, ".venv/bin/cvec_circusd", {})
        self.assertIn("\n    .venv/bin/cvec_circusctl status\n", text)
        self.assertIn("\n    tail -f cvec_circus-demo/events.log\n", text)
        self.assertIn("in the same directory", text)

    def test_other_endpoint_and_port(self) -> None:
        environ = {"CVEC_CIRCUS_DEMO_PORT": "7"}
        text = demo.what_to_try("ipc:///a b", "/var/x", "cvec_circusd", environ)
        self.assertIn("cvec_circusctl --endpoint 'ipc:///a b' quit", text)
        self.assertIn("curl http://127.0.0.1:7/", text)

    def test_blanks_in_paths(self) -> None:
        text = demo.what_to_try(self.endpoint, "/var/x y", "cvec_circusd", {})
        self.assertIn("tail -f '/var/x y'/events.log", text)

    def test_lines_fit(self) -> None:
        text = demo.what_to_try(self.endpoint, "/var/x", "cvec_circusd", {})
        self.assertLessEqual(max(map(len, text.splitlines())), 100)


if __name__ == "__main__":
    unittest.main()
