"""What processes are given beside their command: a mask, a Python path, a Python environment."""

from __future__ import annotations

import json
import os
import sys
import unittest
from typing import Any

from cvec_circus.exc import OptionError
from cvec_circus.options.watcher import WATCHER_OPTIONS
from tests.support.embedded import EmbeddedCase

OURS = "{}.{}".format(*sys.version_info[:2])


class TestSurroundings(EmbeddedCase):
    """A process says what it got."""

    def told(self, **options: Any) -> dict[str, Any]:
        """Return what a process with these options says."""
        self.arbit({"name": "a", "respawn": False, **self.program("tell"), **options})
        told: dict[str, Any] = json.loads(self.lines.next() or "")
        return told

    def test_umask(self) -> None:
        script = {"cmd": "sh", "args": ["-c", 'umask >"$0"', self.fifo()], "respawn": False}
        self.arbit(
            {"name": "a", "umask": "027", **script},
            {"name": "b", "umask": 0o077, "autostart": False, **script},
            {"name": "c", "autostart": False, **script},
        )
        self.assertEqual(self.lines.next(), "0027")
        self.assertEqual(self.wire.call("get", name="a", keys=["umask"])["options"]["umask"], 0o27)
        self.wire.call("start", name="b")
        self.assertEqual(self.lines.next(), "0077")
        before = os.umask(0o022)
        os.umask(before)
        self.wire.call("start", name="c")
        self.assertEqual(int(self.lines.next() or "", 8), before)
        self.wire.call("set", name="a", options={"umask": "0"})
        self.wire.call("restart", name="a")
        self.assertEqual(self.lines.next(), "0000")

    def test_oom_score_adj(self) -> None:
        script = {"cmd": "sh", "args": ["-c", 'cat /proc/self/oom_score_adj >"$0"', self.fifo()]}
        self.arbit({"name": "a", "oom_score_adj": "987", "respawn": False, **script})
        self.assertEqual(self.lines.next(), "987")
        self.wire.call("set", name="a", options={"oom_score_adj": 988})
        self.wire.call("restart", name="a")
        self.assertEqual(self.lines.next(), "988")

    def test_copy_path(self) -> None:
        told = self.told(copy_path=True)
        self.assertEqual(told["env"]["PYTHONPATH"], os.pathsep.join(sys.path))

    def test_a_path_of_its_own_wins(self) -> None:
        told = self.told(copy_path=True, env={"PYTHONPATH": "/a"})
        self.assertEqual(told["env"]["PYTHONPATH"], "/a")

    def test_virtualenv(self) -> None:
        packages = self.folder / "lib" / f"python{OURS}" / "site-packages"
        packages.mkdir(parents=True)
        programs = self.folder / "bin"
        programs.mkdir()
        os.symlink("/bin/sh", programs / "own-shell")
        told = self.program("tell")
        told["cmd"] = "own-shell"
        env = self.told(virtualenv=str(self.folder), env={"PATH": "/bin"}, **told)["env"]
        self.assertEqual(env["PATH"], f"{programs}:/bin")
        self.assertEqual(env["PYTHONPATH"].split(os.pathsep)[-1], str(packages))

    def test_a_virtualenv_that_is_none(self) -> None:
        self.arbit({"name": "a", "cmd": "true", "virtualenv": "/no/such", "max_retry": 1})
        self.events.next("giveup")
        self.assertIn("virtualenv /no/such: there is no /no/such/lib", self.wire.status("a")[1])


class TestTogether(unittest.TestCase):
    """What Circus refuses as well."""

    def test_without_the_environment(self) -> None:
        for key, value in (("copy_path", True), ("virtualenv", "/x")):
            WATCHER_OPTIONS.complete({key: value, "copy_env": True})
            with self.assertRaisesRegex(OptionError, f"{key}: only with copy_env = True"):
                WATCHER_OPTIONS.complete({key: value})


if __name__ == "__main__":
    unittest.main()
