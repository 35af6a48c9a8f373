"""What Circus has and this version has not: refused by name, or accepted with a warning.

The names come from the table of switches, so a row cannot say what is not so.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

from cvec_circus.arbiter import Arbiter
from cvec_circus.commands import table
from cvec_circus.config.configuration import Configuration
from cvec_circus.config.readers.document import load
from tests.compatibility.rows import of
from tests.support.daemon import script

RIGHT = "[watcher:right]\ncmd = sleep 1\n"

VALUES = {"replace": "True", "so_reuseport": "True", "copy_path": "True"}
"""What to give to a key that has the default "off"; others get PLAIN."""

PLAIN = "5"
WORDS = {"httpd", "statsd", "httpd_close_outputs", "statsd_close_outputs"}


def value(key: str) -> str:
    """Return a value of that key which is not its default."""
    if key in WORDS:
        return "True"
    if key == "stats_endpoint":
        return "tcp://127.0.0.1:7777"
    return VALUES.get(key, PLAIN)


class RefusalCase(unittest.TestCase):
    """Reads configurations."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "circus.ini"

    def load(self, text: str) -> Configuration:
        """Read a configuration."""
        self.file.write_text(text)
        return load(str(self.file), {})


class TestLater(RefusalCase):
    """Rows of the state "later"."""

    def test_sections(self) -> None:
        for section in ("[circus]", "[watcher:NAME]", "[socket:NAME]"):
            self.assertEqual(of(section, "later"), [])

    def test_arbiter(self) -> None:
        self.assertEqual(of("Arbiter", "later"), ["ssh_server"])
        with self.assertRaisesRegex(TypeError, "ssh_server: an arbiter opens no tunnels"):
            Arbiter([], ssh_server="a")  # type: ignore[arg-type]


class TestGone(unittest.TestCase):
    """Rows of the state "gone"."""

    def test_ipython(self) -> None:
        self.assertEqual(of("commands", "gone"), ["ipython"])
        self.assertNotIn("ipython", table.NAMES)


class TestAccepted(RefusalCase):
    """Rows of the states "warns" and "ignored"."""

    def test_with_a_warning(self) -> None:
        keys = of("[circus]", "warns")
        self.assertGreater(len(keys), 2)
        for key in set(keys) - {"check_delay"}:  # which --check warns about
            with self.subTest(key):
                warnings = self.load(f"[circus]\n{key} = {value(key)}\n{RIGHT}").warnings
                self.assertTrue(any(f"[circus] {key}: " in text for text in warnings), warnings)

    def test_without_one(self) -> None:
        for key in of("[circus]", "ignored"):
            with self.subTest(key):
                loaded = self.load(f"[circus]\n{key} = {value(key)}\n{RIGHT}")
                self.assertEqual(loaded.warnings, [])

    def test_by_an_arbiter(self) -> None:
        for key in of("Arbiter", "warns", "ignored"):
            given: Any = "tcp://127.0.0.1:7777" if key == "stats_endpoint" else value(key)
            with self.subTest(key):
                arbiter = Arbiter([{"name": "a", "cmd": "sleep 1"}], **{key: given})
                self.assertFalse(arbiter.running)


class TestOthers(RefusalCase):
    """Rows that work, and are too small for a place of their own."""

    def test_papa(self) -> None:
        loaded = self.load(
            f"[circus]\npapa_endpoint = x\n[socket:s]\nuse_papa = 1\n{RIGHT}use_papa = 1\n"
        )
        self.assertEqual(len(loaded.warnings), 2)
        for text in loaded.warnings:
            self.assertRegex(text, "(papa_endpoint|use_papa): unknown option, ignored")
        self.assertEqual(loaded.watchers[0].options["use_papa"], "1")

    def test_fqdn_prefix(self) -> None:
        here = socket.getfqdn()
        self.assertEqual(Arbiter([]).fqdn, here)
        self.assertEqual(Arbiter([], fqdn_prefix="blue").fqdn, f"blue@{here}")
        loaded = self.load(f"[circus]\nfqdn_prefix = blue\n{RIGHT}")
        self.assertEqual((loaded.circus["fqdn_prefix"], loaded.warnings), ("blue", []))

    def test_help_of_a_plugin(self) -> None:
        done = subprocess.run(
            script("cvec_circus-plugin", "--help"),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        for switch in of("circus-plugin", "same"):
            if switch.startswith("--"):
                self.assertIn(switch, done.stdout)


if __name__ == "__main__":
    unittest.main()
