"""The package in alias/: programs that import `circus`, which is ours."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import unittest
import venv
from pathlib import Path

from cvec_circus import __version__
from tests.test_packaging import constants

ROOT = Path(__file__).resolve().parent.parent.parent
ALIAS = ROOT / "alias"
NIGHTLY = "CVEC_CIRCUS_NIGHTLY" in os.environ

SAME = """
import logging
logging.getLogger("circus").setLevel(logging.ERROR)
logging.basicConfig()
import circus
import circus.stats.client
import cvec_circus.stats.client
from circus.util import to_bool
from circus.green.client import CircusClient
import cvec_circus.util, cvec_circus.watcher
from circus.watcher import Watcher

assert circus.util is cvec_circus.util
assert Watcher is cvec_circus.watcher.Watcher
assert circus.stats.client is cvec_circus.stats.client
assert circus.util.__spec__.name == circus.util.__name__ == "cvec_circus.util"
assert circus.__version__ == "0.19.0" and circus.version_info == (0, 19, 0)
assert to_bool("yes")
circus.logger.warning("not shown")
circus.logger.error("shown")
try:
    import circus.no_such_module
except ModuleNotFoundError as error:
    assert error.name == "circus.no_such_module", error.name
else:
    raise AssertionError
print(repr(CircusClient)[:30])
"""

LIBRARY = """
from circus import get_arbiter
from circus.client import CircusClient
from circus.exc import CallError

arbiter = get_arbiter(
    [{"cmd": "sleep 1000", "numprocesses": 2}],
    controller="ipc://FOLDER/c", pubsub_endpoint="ipc://FOLDER/p", background=True,
)
arbiter.start()
client = CircusClient(endpoint=arbiter.endpoint)
print(client.send_message("numprocesses")["numprocesses"], arbiter.statuses())
client.stop()
arbiter.stop()
"""

PLUGIN = """
from circus.plugins import CircusPlugin


class Own(CircusPlugin):
    def handle_recv(self, data):
        pass
"""


class AliasCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_python(self, *words: str, python: str = sys.executable, path: str = "") -> str:
        """Run Python, and return what it writes; it must succeed."""
        environ = {**os.environ, "PYTHONPATH": path or f"{ALIAS}:{ROOT}:{self.folder}"}
        done = subprocess.run(
            [python, *words],
            env=environ,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout


class TestAlias(AliasCase):
    """From the folder, as an installed one has it."""

    def test_modules_are_ours(self) -> None:
        lines = self.run_python("-W", "error", "-c", SAME).splitlines()
        self.assertEqual(lines[0], "ERROR:cvec_circus:shown")
        self.assertEqual(lines[1:], ["<gone: green.client.CircusClie"])

    def test_a_program_with_an_arbiter(self) -> None:
        said = self.run_python("-W", "error", "-c", LIBRARY.replace("FOLDER", str(self.folder)))
        self.assertEqual(said, "2 {'sleep': 'active'}\n")

    def test_every_program_by_python_m(self) -> None:
        for module in ("circusd", "circusctl", "plugins", "stats", "stats.client"):
            with self.subTest(module):
                said = self.run_python("-W", "error", "-m", f"circus.{module}", "--version")
                name = "circusctl " if module == "circusctl" else ""  # as Circus' programs do
                self.assertEqual(said, f"{name}0.19.0\n")

    def test_a_plugin_written_for_circus(self) -> None:
        (self.folder / "own_plugin.py").write_text(PLUGIN)
        code = "from circus.util import resolve_name as r; print(r('own_plugin.Own').__mro__[1])"
        said = self.run_python("-W", "error", "-c", code)
        self.assertIn("cvec_circus.runtime.plugin.CircusPlugin", said)
        code = (
            "from cvec_circus.runtime.catalogue import load_class as f; print(f('own_plugin.Own'))"
        )
        self.assertIn("own_plugin.Own", self.run_python("-W", "error", "-c", code))

    def test_its_versions(self) -> None:
        text = (ALIAS / "setup.py").read_text(encoding="utf-8")
        self.assertIn(f'version="0.19.0+cvec.circus.{__version__}"', text)
        self.assertIn(f'["cvec_circus=={__version__}"]', text)
        self.assertEqual(constants(ALIAS / "circus" / "__init__.py")["__version__"], "0.19.0")


@unittest.skipUnless(NIGHTLY, "it needs the network: CVEC_CIRCUS_NIGHTLY=1 runs it")
class TestInstalled(AliasCase):
    def test_pip_install(self) -> None:
        venv.create(self.folder / "venv", with_pip=True)
        python = str(self.folder / "venv" / "bin" / "python")
        none = str(self.folder)
        self.run_python(
            "-m", "pip", "install", "-q", str(ROOT), str(ALIAS), python=python, path=none
        )
        required = "from importlib.metadata import version; print(version('circus'))"
        self.assertIn("0.19.0+cvec", self.run_python("-c", required, python=python, path=none))
        self.run_python("-W", "error", "-c", SAME, python=python, path=none)
        for name in ("circusd", "circusctl", "circus-plugin", "circus-top", "circusd-stats"):
            with self.subTest(name):
                script = str(self.folder / "venv" / "bin" / name)
                said = self.run_python(script, "--version", python=python, path=none)
                self.assertIn("0.19.0", said)
        # What another package wants of Circus is satisfied.
        dry = ("-m", "pip", "install", "--dry-run", "circus~=0.19.0")
        self.assertIn("already satisfied", self.run_python(*dry, python=python, path=none))


if __name__ == "__main__":
    unittest.main()
