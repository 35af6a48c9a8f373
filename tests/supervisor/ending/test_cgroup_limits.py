"""What the processes of a watcher may use, and how a kill for memory is told apart."""

from __future__ import annotations

import os
import signal
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from cvec_circus.core.watcher import Watcher
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.supervisor.ending import watcher_cgroups as desk
from cvec_circus.system.cgroup import Tree
from tests.supervisor.ending.test_cgroups import TIMEOUT, CgroupCase
from tests.support import cgroups
from tests.support.daemon import folder
from tests.support.eventually import eventually
from tests.support.loops import LoopTestCase
from tests.support.nightly import NIGHTLY

# It looks for the end of a line, and keeps what comes before.
HUNGRY = "tail /dev/zero"

FAKES = {
    "cgroup.controllers": "cpu memory pids\n",
    "cgroup.subtree_control": "",
    "cgroup.events": "populated 0\nfrozen 0\n",
    "memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n",
    **dict.fromkeys(("memory.max", "cpu.max", "pids.max"), ""),
}


class FakeReaders:
    """Keeps what would be called."""

    def __init__(self) -> None:
        self.fns: dict[int, Any] = {}

    def add(self, fd: int, fn: Any, mask: int) -> None:
        self.fns[fd] = fn

    def remove(self, fd: int) -> None:
        self.fns.pop(fd, None)


class TestFiles(LoopTestCase):
    """A folder whose files only look like those of cgroups."""

    def setUp(self) -> None:
        super().setUp()
        self.above = folder(self)
        patch = mock.patch("os.makedirs", self.make)
        patch.start()
        self.addCleanup(patch.stop)
        self.make(str(self.above))
        self.facts: list[Any] = []
        self.readers = FakeReaders()
        tree = Tree(str(self.above), "x", moves=False)
        self.limits = mock.Mock()
        self.desk = desk.WatcherCgroups(
            self.loop,
            self.facts,
            self.readers,
            self.limits,
            tree,  # type: ignore[arg-type]
        )
        self.addCleanup(self.desk.close)
        self.addCleanup(self.loop.close)

    @staticmethod
    def make(path: str, exist_ok: bool = True) -> None:
        os.path.isdir(path) or os.mkdir(path)
        for name, text in FAKES.items():
            Path(path, name).write_text(text)

    def watcher(self, **options: Any) -> Watcher:
        given = WATCHER_OPTIONS.convert({"cmd": "x", **options})
        watcher = Watcher("w", WATCHER_OPTIONS.complete(given))
        watcher.place = 7
        return watcher

    def text(self, name: str) -> str:
        return (self.above / "cvec_circus-x" / "w-7" / name).read_text()

    def test_the_limits_are_written(self) -> None:
        watcher = self.watcher(memory_limit="64M", cpu_limit="150%", pids_limit=20)
        self.assertEqual(self.desk.prepare(watcher), f"{self.above}/cvec_circus-x/w-7")
        written = [self.text(f"{name}.max") for name in ("memory", "cpu", "pids")]
        self.assertEqual(written, ["67108864", "150000 100000", "20"])
        self.desk.limit(watcher)
        self.limits.do_soon.assert_not_called()

    def test_what_is_not_limited_is_not_written(self) -> None:
        watcher = self.watcher(pids_limit=20)
        self.desk.prepare(watcher)
        self.assertEqual(self.text("memory.max"), "")
        enabled = (self.above / "cgroup.subtree_control").read_text()
        self.assertNotIn("cpu", enabled)
        self.assertIn("pids", enabled)

    def kills(self, count: int) -> None:
        text = FAKES["memory.events"].replace("oom_kill 0", f"oom_kill {count}")
        (self.above / "cvec_circus-x" / "w-7" / "memory.events").write_text(text)

    def test_each_kill_for_memory_is_put_down_to_one_death(self) -> None:
        watcher = self.watcher()
        self.desk.prepare(watcher)
        self.assertFalse(self.desk.claim(watcher))
        self.kills(2)
        claimed = [self.desk.claim(watcher) for _ in range(3)]
        self.assertEqual(claimed, [True, True, False])

    def test_one_of_no_leader_is_said(self) -> None:
        watcher = self.watcher()
        self.desk.prepare(watcher)
        self.kills(3)
        with mock.patch.object(desk, "CLAIM_TIMEOUT", 0.0):
            for fn in list(self.readers.fns.values()):
                fn()
        self.assertTrue(self.desk.claim(watcher))
        with self.assertLogs("cvec_circus", "WARNING") as said:
            self.run_loop()
            self.assertTrue(eventually(lambda: bool(said.output), TIMEOUT))
        self.assertIn("the kernel has killed 2 processes that a process had st", said.output[0])
        self.assertFalse(self.desk.claim(watcher), "it is too late for that")

    def test_an_empty_one_is_reported(self) -> None:
        watcher = self.watcher()
        self.desk.prepare(watcher)
        self.assertTrue(self.desk.is_empty(watcher))
        events = self.above / "cvec_circus-x" / "w-7" / "cgroup.events"
        events.write_text("populated 1\nfrozen 0\n")
        self.assertIs(self.desk.is_empty(watcher), False)
        for fn in list(self.readers.fns.values()):
            fn()
        self.assertEqual(self.facts, [])
        events.write_text("populated 0\nfrozen 0\n")
        for fn in list(self.readers.fns.values()):
            fn()
        self.assertEqual([fact.watcher for fact in self.facts], [watcher])


class TestLimits(CgroupCase):
    """The real controllers."""

    def test_they_are_written_and_changed_at_once(self) -> None:
        cgroups.require("memory", "cpu", "pids")
        daemon = self.grouped(
            "[watcher:w]\ncmd = sleep 7785\ncopy_env = True\nmemory_limit = 64M\ncpu_limit = 0.5\n"
        )
        path = self.folder("w")
        (pid,) = self.wait_for(path, 1)

        def written() -> list[str]:
            return [(path / f"{name}.max").read_text().strip() for name in ("memory", "cpu")]

        self.assertEqual(written(), ["67108864", "50000 100000"])
        options = {"memory_limit": "32M", "cpu_limit": None, "pids_limit": 9}
        daemon.order("set", name="w", options=options)
        expected = ["33554432", "max 100000"]
        self.assertTrue(eventually(lambda: written() == expected, TIMEOUT), written())
        self.assertTrue(eventually(lambda: (path / "pids.max").read_text() == "9\n", TIMEOUT))
        self.assertEqual(daemon.call("list", name="w")["pids"], [pid])
        daemon.call("quit")
        daemon.ended()
        self.assertFalse(self.above.exists())

    def test_no_more_processes_than_that(self) -> None:
        cgroups.require("pids")
        daemon = self.grouped(
            "[watcher:w]\ncmd = sh {DIR}/family\ncopy_env = True\npids_limit = 3\n"
            "strays = kill\nmax_retry = -1\n"
        )
        daemon.log.containing("Cannot fork")
        self.assertLessEqual(len(cgroups.members(self.folder("w"))), 3)
        daemon.call("quit")
        daemon.ended()


class TestMemory(CgroupCase):
    """A process that takes more than it may."""

    def setUp(self) -> None:
        super().setUp()
        cgroups.require("memory")

    def test_a_kill_for_memory_is_told_apart(self) -> None:
        count = 100 if NIGHTLY else 3
        daemon = self.grouped(
            f"[watcher:w]\ncmd = {HUNGRY}\nmemory_limit = 32M\nbackoff = False\n"
            "copy_env = True\nautostart = False\n"
            "[watcher:other]\ncmd = sleep 7785\ncopy_env = True\nmemory_limit = 32M\n"
        )
        daemon.order("start", name="w")
        for number in range(count):
            reap = daemon.wire.events.next("watcher.w.reap")
            self.assertEqual((reap["exit_code"], reap.get("oom")), (-signal.SIGKILL, True))
            if number % 10:
                continue
            (pid,) = daemon.call("list", name="other")["pids"]
            os.kill(pid, signal.SIGKILL)
            other = daemon.wire.events.next("watcher.other.reap")
            self.assertNotIn("oom", other)
        daemon.order("stop", name="w")
        text = "was killed by the kernel for lack of memory"
        deaths = daemon.call("why", name="w")["deaths"]
        killed = [death["oom"] for death in deaths if death["cause"] == "exit"]
        self.assertEqual({*killed}, {True})
        said = daemon.ctl("why", "w").stdout
        self.assertIn("by the kernel: its cgroup was out of memory", said)
        daemon.call("quit")
        self.assertTrue(any(text in line for line in daemon.ended()))

    def test_one_that_a_process_has_started(self) -> None:
        daemon = self.grouped(
            f"[watcher:w]\ncmd = sh -c '{HUNGRY} & sleep 7785'\nmemory_limit = 32M\n"
            "copy_env = True\n"
        )
        daemon.log.containing("w: for lack of memory, the kernel has killed 1 process that a proc")
        daemon.call("quit")
        daemon.ended()


if __name__ == "__main__":
    unittest.main()
