"""What a configuration file gives to a process: its words, its environment, its folder."""

from __future__ import annotations

import json
import os
import unittest
from typing import Any

from tests.support.daemon import DaemonCase, child

TEXT = f"""
[env]
EVERY = one
PATH = /usr/bin:/bin
FROM_OURS = $OURS/x
FROM_CIRCUS = $(circus.env.ours)/y

[env:w*,other]
SOME = pattern
EVERY = two

[watcher:plain]
respawn = False
cmd = {child("tell")} $(circus.wid) $(circus.env.SOME) $(circus.numprocesses) ((circus.WID))

[watcher:web]
respawn = False
cmd = {child("tell")}
args = --name $(circus.name) 'one word' $(circus.env.every) $(circus.unknown)
working_dir = {{DIR}}/sub

[watcher:other]
respawn = False
cmd = {child("tell")} copied
copy_env = True
close_child_stdin = False
close_child_stderr = True
"""


class TestProcesses(DaemonCase):
    """One daemon; each of its processes says what it was given."""

    told: dict[str, dict[str, Any]]

    def setUp(self) -> None:
        super().setUp()
        self.daemon_ = self.daemon(
            TEXT,
            env={"OURS": "ours", "SECRET": "5"},
            prepare=lambda folder: (folder / "sub").mkdir(),
        )
        events = self.daemon_.wire.events
        events.wait("reap", 3)
        self.told = {}
        for _ in range(3):
            told = json.loads(self.daemon_.out.next() or "")
            run, name, wid = told["env"].pop("CVEC_CIRCUS_MARK").split(":")
            self.assertEqual((run, wid), (self.daemon_.run, "1"))
            told["env"].pop("LC_CTYPE", None)  # a Python in the C locale adds it to its own
            self.told[name] = told

    def test_all_of_it(self) -> None:
        common = {"PATH": "/usr/bin:/bin", "FROM_OURS": "ours/x", "FROM_CIRCUS": "ours/y"}
        plain, web, other = (self.told[name] for name in ("plain", "web", "other"))
        self.assertEqual(plain["env"], {**common, "EVERY": "one"})
        self.assertEqual(plain["argv"], ["1", "$(circus.env.SOME)", "1", "1"])
        self.assertEqual(plain["cwd"], os.path.realpath(self.daemon_.folder))
        self.assertTrue(plain["session"])
        self.assertEqual(set(plain["fds"]), {"0", "1", "2"})
        self.assertEqual(plain["fds"]["0"], os.devnull)

        self.assertEqual(web["env"], {**common, "EVERY": "two", "SOME": "pattern"})
        expected = ["--name", "web", "one word", "two", "$(circus.unknown)"]
        self.assertEqual(web["argv"], expected)
        self.assertEqual(web["cwd"], os.path.realpath(self.daemon_.folder / "sub"))

        given = {**common, "EVERY": "two", "SOME": "pattern", "SECRET": "5", "OURS": "ours"}
        self.assertEqual({**other["env"], **given}, other["env"])
        self.assertEqual(other["env"]["HOME"], os.environ["HOME"])
        self.assertEqual(other["argv"], ["copied"])
        self.assertEqual(other["fds"]["2"], os.devnull)


class TestOverTheWire(DaemonCase):
    """`args` as a list of words, and wids of several processes."""

    def test_words_are_not_split_again(self) -> None:
        daemon = self.daemon()
        words = ["a b", "$(circus.wid)", "'", "", "*"]
        daemon.call(
            "add",
            name="a",
            cmd=child("tell"),
            args=words,
            options={"numprocesses": 3, "respawn": False},
            start=True,
        )
        daemon.wire.events.wait("reap", 3)
        told = [json.loads(daemon.out.next() or "")["argv"] for _ in range(3)]
        self.assertEqual(sorted(told), [["a b", str(wid), "'", "", "*"] for wid in (1, 2, 3)])


if __name__ == "__main__":
    unittest.main()
