"""What public calls return and raise, in the installed Circus and here."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

from tests.compatibility import rows
from tests.support.daemon import folder

ROOT = Path(__file__).resolve().parents[2]
RETURNS = Path(__file__).with_name("returns.py")
PACKAGES = ("circus", "cvec_circus")

HAS_PIDS = "the pids, as Circus' commands return them; its method returns nothing"
HAS_CODE = "the exit code; Circus returns nothing"
EMPTY = "what was not given is empty"
TEXT = "text is taken where that type can be written as text"
ENDED = "one that has ended is no error"

DIFFERENT: dict[str, str] = {
    "Arbiter.reload in the end": HAS_PIDS,
    "Arbiter.start_watcher in the end": HAS_PIDS,
    "Arbiter.start_watchers in the end": HAS_PIDS,
    "Process ended.children": ENDED,
    "Process ended.info": "empty, and no text",
    "Process ended.send_signal": ENDED,
    "Process.stop": HAS_CODE,
    "Process.wait": HAS_CODE,
    "Watcher with no hook of Circus": "it is refused, where Circus never calls it",
    "Watcher with no such hook": "it is said when the hook is called, and fails it",
    "Watcher with no such stream": "it is said when there is output, which is lost",
    "Watcher.rlimits": EMPTY,
    "Watcher.set_numprocesses in the end": "nothing; the number may have changed again by then",
    "Watcher.set_opt": "a promise, for processes may be replaced",
    "Watcher.stderr_stream": EMPTY,
    "Watcher.stdout_stream": EMPTY,
    "config.get_config": "there is no multicast_endpoint",
    "its Process.args": EMPTY,
    "of another pid.send_signal": "it is refused, where Circus logs it",
    "running Watcher.options": "env without what copy_env copies",
    "running Watcher.send_signal_child": ENDED,
    **{
        f"validate_option({option})": TEXT
        for option in (
            "graceful_timeout, '3'",
            "max_age, '3'",
            "numprocesses, '3'",
            "respawn, 'no'",
            "rlimit_nofile, '5'",
            "shell, '1'",
            "stop_signal, 'QUIT'",
            "warmup_delay, '1.5'",
        )
    },
}
"""What returns or raises something else, and why."""


def is_alike(theirs: Any, ours: Any) -> bool:
    """Tell whether what we return serves who expects theirs: ours may have more."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if "raises" in theirs and "raises" in ours:
            return theirs["raises"] in ours["is"]
        return all(key in ours and is_alike(theirs[key], ours[key]) for key in theirs)
    return bool(theirs == ours)


@unittest.skipUnless(importlib.util.find_spec("circus"), "Circus is not installed")
class TestReturns(unittest.TestCase):
    maxDiff = None

    def found(self) -> list[dict[str, Any]]:
        """Run the program on both packages at once."""
        programs = [
            subprocess.Popen(
                [sys.executable, "-W", "ignore", str(RETURNS), package, str(folder(self))],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={"PATH": os.environ["PATH"], "HOME": "/", "PYTHONPATH": str(ROOT)},
                cwd="/",
            )
            for package in PACKAGES
        ]
        outputs = [program.communicate(timeout=120) for program in programs]
        for program, (_, errors) in zip(programs, outputs):
            self.assertEqual(program.returncode, 0, errors)
        return [json.loads(out) for out, _ in outputs]

    def test_the_same(self) -> None:
        theirs, ours = self.found()
        promised = {name for name in theirs.keys() ^ ours.keys() if name.endswith(" in the end")}
        self.assertEqual(theirs.keys() - promised, ours.keys() - promised)
        self.assertGreater(len(theirs), 300)
        names = theirs.keys() & ours.keys()
        different = {name for name in names if not is_alike(theirs[name], ours[name])}
        # Theirs refuses what comes while something else is under way, which is a matter of speed.
        unknown = [
            f"{name}: {theirs[name]} / {ours[name]}"
            for name in different - set(DIFFERENT)
            if "ConflictError" not in str(theirs[name])
        ]
        self.assertEqual(sorted(unknown), [])
        self.assertEqual(set(DIFFERENT) - different, set(), "they are the same: leave them out")


class TestTables(unittest.TestCase):
    def test_what_differs_is_not_called_the_same(self) -> None:
        states = {(row.group, row.name): row.state for row in rows.names()}
        places = {"Arbiter": "arbiter", "Watcher": "watcher", "Process": "process"}
        called_the_same = []
        for name in (name for name, why in DIFFERENT.items() if why != EMPTY):
            owner, _, member = name.partition("(")[0].partition(".")
            kind = next((one for one in places if one in owner.split()), "")
            place = f"{places[kind]}.{kind}" if kind else owner
            key = (place, member.split(" ")[0]) if member else ("commands.util", owner)
            if states.get(key) == "same":
                called_the_same.append(key)
        self.assertEqual(called_the_same, [])


if __name__ == "__main__":
    unittest.main()
