"""A call that Circus takes is a call that we take: parameters, their order and their defaults."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

from cvec_circus.options.arbiter import ARBITER_OPTIONS
from cvec_circus.options.watcher import WATCHER_OPTIONS
from tests.compatibility import rows

ROOT = Path(__file__).resolve().parents[2]
SIGNATURES = Path(__file__).with_name("signatures.py")

BY_POSITION = "POSITIONAL_OR_KEYWORD"
REST = {"VAR_POSITIONAL", "VAR_KEYWORD"}
UNKNOWN = "?"
"""The default of a parameter that stands for an option: the table has it."""

DIFFERENT = {
    "commands.base.Command.execute": "it is the daemon's",
    "process.Process.returncode": "an attribute",
    "pidfile.Pidfile.fname": "an attribute",
}
"""What is called differently; the table of names says so."""

OTHER_DEFAULTS = {
    ".get_arbiter.proc_name": "cvec_circusd",
    ".get_arbiter.stream_backend": None,
    "arbiter.Arbiter.proc_name": "cvec_circusd",
    "arbiter.Arbiter.statsd": False,
    "arbiter.Arbiter.stats_endpoint": "tcp://127.0.0.1:5557",
    ".get_arbiter.stats_endpoint": "tcp://127.0.0.1:5557",
    "arbiter.Arbiter.loglevel": "info",
    "arbiter.Arbiter.logoutput": "-",
}
"""Options whose default is another one, mostly that of the `[circus]` section, which is the same
where it counts."""

OTHER_BASES = {
    "arbiter.ThreadedArbiter": "threading.Thread",  # it may be started again
    "util.AsyncPeriodicCallback": "tornado.ioloop.PeriodicCallback",
}
"""Classes above those of Circus that ours have not."""


def signatures(package: str, names: list[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """Return how the names of a package are called."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(SIGNATURES), package],
        input=json.dumps(names),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd="/",
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


@unittest.skipUnless(importlib.util.find_spec("circus"), "Circus is not installed")
class TestSignatures(unittest.TestCase):
    theirs: dict[str, dict[str, Any]]
    ours: dict[str, dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        names = [
            ("" if row.group == "(cvec_circus)" else row.group, row.name) for row in rows.names()
        ]
        cls.theirs = signatures("circus", names)
        cls.ours = signatures("cvec_circus", names)

    def pairs(self) -> list[tuple[str, list[list[str]], list[list[str]]]]:
        """List what can be called in Circus, with both lists of parameters."""
        return [
            (name, one["parameters"], self.ours[name].get("parameters", []))
            for name, one in self.theirs.items()
            if "parameters" in one and name not in DIFFERENT
        ]

    def test_what_can_be_called(self) -> None:
        self.assertEqual([name for name in DIFFERENT if name not in self.theirs], [])
        wrong = [name for name, _, _ in self.pairs() if "parameters" not in self.ours[name]]
        self.assertEqual(wrong, [])
        self.assertGreater(len(self.pairs()), 150)

    def test_names_and_order(self) -> None:
        for name, theirs, ours in self.pairs():
            if any(kind in REST for _, kind, _ in theirs[:1]):
                continue  # it says nothing about itself
            wanted = [one[0] for one in theirs if one[1] == BY_POSITION]
            taken = [one[0] for one in ours if one[1] == BY_POSITION]
            passes_on = any(one[1] == "VAR_POSITIONAL" for one in ours)
            with self.subTest(name):
                self.assertEqual(
                    taken[: len(wanted)], wanted[: len(taken)] if passes_on else wanted
                )

    def test_defaults(self) -> None:
        for name, theirs, ours in self.pairs():
            here = {one[0]: one[2] for one in ours if one[1] not in REST}
            for parameter, kind, default in theirs:
                place = f"{name}.{parameter}"
                if kind in REST or parameter not in here or not default:
                    continue
                if here[parameter] == UNKNOWN:
                    table = WATCHER_OPTIONS if "Watcher" in name else ARBITER_OPTIONS
                    row = table.find(parameter)
                    if row is None:
                        continue
                    value = row.default
                    if place in OTHER_DEFAULTS:
                        self.assertEqual(value, OTHER_DEFAULTS[place])
                        continue
                    text = repr(value) if isinstance(value, str) else str(value)
                    here[parameter] = "None" if value == {} else text
                with self.subTest(place):
                    self.assertEqual(here[parameter], default)

    def test_what_classes_are(self) -> None:
        for name, one in self.theirs.items():
            ours = self.ours[name]
            if one["kind"] == "class" and ours["kind"] == "class":
                missing = set(one["bases"]) - set(ours["bases"])
                with self.subTest(name):
                    self.assertEqual(missing, {OTHER_BASES[name]} if name in OTHER_BASES else set())


if __name__ == "__main__":
    unittest.main()
