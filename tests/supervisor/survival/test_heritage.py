"""What an earlier daemon has left: only what is certainly its own is taken over."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from cvec_circus import exc
from cvec_circus.base.clock import since_boot
from cvec_circus.core.revival import NO_COUNTS, written_watcher
from cvec_circus.core.watcher import Watcher
from cvec_circus.daemon import estate
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.supervisor.survival import heritage, ledger
from cvec_circus.supervisor.survival.heritage import Heritage, place_of_birth
from cvec_circus.supervisor.survival.ledger import Head, Ledger
from cvec_circus.system import pidfd
from cvec_circus.system.launch import MARK
from cvec_circus.system.statedir import StateDir
from tests.support.daemon import alive, folder
from tests.support.leaks import LeakCheckedTestCase


class HeritageCase(LeakCheckedTestCase):
    """Leaves a ledger, and processes. Owned by the test's thread."""

    def setUp(self) -> None:
        super().setUp()
        self.run = os.urandom(4).hex()
        self.folder = StateDir(str(folder(self) / "state"))
        self.folder.hold()
        self.addCleanup(self.folder.close)
        boot, namespace = place_of_birth()
        self.head = Head(ledger.VERSION, boot, namespace, [self.run], 1)
        self.watcher = Watcher("web", WATCHER_OPTIONS.complete({"cmd": "sleep 100"}))
        self.watcher.place = 1
        self.entries: dict[str, Any] = {"seq": 1000, "loaded": ["web"], "counts 1": NO_COUNTS}
        self.entries["watcher 1"] = json.loads(json.dumps(written_watcher(self.watcher)))

    def process(
        self, slot: str = "web:1", run: str = "", stdout: int | None = None
    ) -> subprocess.Popen[bytes]:
        """Start one as a daemon would."""
        child = subprocess.Popen(
            ["sleep", "100"],
            stdout=stdout,
            env={**os.environ, MARK: f"{run or self.run}:{slot}"},
            start_new_session=True,
        )
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def slot(self, pid: int, inode: int, start_time: int = 0) -> list[Any]:
        """What is written down of a process."""
        return [pid, inode, start_time, 1, "", 1.0, 2.0, ["config", "", ""], 0, [0, 0]]

    def identity(self, pid: int) -> tuple[int, int]:
        """What tells a process from others."""
        fd = os.pidfd_open(pid)
        try:
            return pidfd.identity(pid, fd)
        finally:
            os.close(fd)

    def write(self, **changes: Any) -> None:
        """Write the ledger as a daemon that was killed leaves it."""
        Ledger(self.folder, self.head._replace(**changes), self.entries, print).end(True)

    def read(self) -> Heritage | None:
        """Read it as the next daemon does."""
        found = heritage.read(self.folder)
        if found is not None:
            self.addCleanup(found.close)
        return found

    def pids(self) -> list[int]:
        """The processes that are confirmed."""
        self.write()
        found = self.read()
        assert found is not None
        return sorted(found.pids)


class TestConfirmed(HeritageCase):
    def test_the_same_process(self) -> None:
        child = self.process()
        self.entries["slot 1 1"] = self.slot(child.pid, *self.identity(child.pid))
        self.assertEqual(self.pids(), [child.pid])

    def test_one_that_nobody_has_collected(self) -> None:
        child = self.process()
        self.entries["slot 1 1"] = self.slot(child.pid, *self.identity(child.pid))
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        self.assertEqual(self.pids(), [child.pid], "its exit code can be had yet")

    def test_a_pid_that_another_program_has_now(self) -> None:
        child = self.process()
        inode, start_time = self.identity(child.pid)
        if inode:
            self.entries["slot 1 1"] = self.slot(child.pid, inode + 1)
        else:
            self.entries["slot 1 1"] = self.slot(child.pid, 0, start_time + 1)
        self.assertEqual(self.pids(), [])
        self.assertTrue(alive(child.pid))

    def test_by_its_start_time_alone(self) -> None:
        child = self.process()
        start_time = self.start_time(child.pid)
        self.entries["slot 1 1"] = self.slot(child.pid, 0, start_time)
        self.entries["slot 1 2"] = self.slot(child.pid, 0, start_time + 1)
        self.entries["slot 1 3"] = self.slot(child.pid, 0, 0)
        self.write()
        found = self.read()
        (left,) = found.watchers
        self.assertEqual(list(left.confirmed), [1])

    def start_time(self, pid: int) -> int:
        """When a process began, in ticks."""
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])

    def test_one_that_is_gone(self) -> None:
        child = self.process()
        self.entries["slot 1 1"] = self.slot(child.pid, *self.identity(child.pid))
        child.kill()
        child.wait()
        self.assertEqual(self.pids(), [])

    def test_a_watcher_of_other_options_then(self) -> None:
        child = self.process()
        about = self.slot(child.pid, *self.identity(child.pid))
        about[4] = "1234"
        self.entries["slot 1 1"] = about
        self.write()
        (left,) = self.read().watchers
        self.assertEqual(left.watcher.places.slots[1].generation, 0, "older than any wanted")


class TestUnwritten(HeritageCase):
    """The daemon died between the fork and the line about it."""

    def test_the_oldest_with_the_mark(self) -> None:
        self.entries["at"] = since_boot()
        child = self.process()
        another = self.process("web:2")
        self.process("db:1")
        self.process(run="another")
        code = "import os, sys; os.setsid(); os.execvp('sleep', ['sleep', '100'])"
        env = {**os.environ, MARK: f"{self.run}:web:1"}
        second = subprocess.Popen([sys.executable, "-c", code], env=env)
        self.addCleanup(second.wait)
        self.addCleanup(second.kill)
        self.assertEqual(self.pids(), sorted([child.pid, another.pid]))

    def test_only_a_pipe_of_ours_is_taken(self) -> None:
        for is_ours in (True, False):
            with self.subTest(is_ours=is_ours):
                self.entries["at"] = since_boot()
                ours, theirs = os.pipe()
                self.addCleanup(os.close, ours)
                if is_ours:
                    os.close(theirs)
                    theirs = os.open(f"/proc/self/fd/{ours}", os.O_RDWR)
                child = self.process(stdout=theirs)
                os.close(theirs)
                self.write()
                (left,) = self.read().watchers
                inode = os.fstat(ours).st_ino if is_ours else 0
                self.assertEqual(left.confirmed[1].pipes, (inode, 0))
                child.kill()
                child.wait()

    def test_a_stray_of_before(self) -> None:
        self.process()
        self.entries["at"] = since_boot() + 1
        self.assertEqual(self.pids(), [])

    def test_when_all_was_written(self) -> None:
        self.process()
        self.assertEqual(self.pids(), [])

    def test_a_slot_that_is_taken(self) -> None:
        first = self.process()
        self.entries["slot 1 1"] = self.slot(first.pid, *self.identity(first.pid))
        self.entries["at"] = since_boot()
        self.process()
        self.assertEqual(self.pids(), [first.pid])


class TestBadInput(HeritageCase):
    """A line says what is wrong, the ledger is kept aside, and nothing is taken over."""

    def assert_put_aside(self, text: str) -> None:
        """The ledger is not used, for that reason."""
        with self.assertLogs("cvec_circus") as log:
            self.assertIsNone(self.read())
        (told,) = log.output
        self.assertIn(text, told)
        path = self.folder.file(ledger.FILE)
        self.assertFalse(os.path.exists(path))
        self.assertTrue(os.path.exists(f"{path}.aside"))

    def test_of_another_boot(self) -> None:
        self.write(boot="another")
        self.assert_put_aside("is from before this boot; none of its processes run")

    def test_of_another_container(self) -> None:
        self.write(namespace=1)
        self.assert_put_aside("it is from another pid namespace, such as another container's")

    def test_of_another_version(self) -> None:
        self.write(version=0)
        self.assert_put_aside("it is of version 0, and this daemon reads 1; no process is adopted")

    def test_entries_that_make_no_sense(self) -> None:
        child = self.process()
        good = self.slot(child.pid, *self.identity(child.pid))
        nonsense: list[tuple[str, Any]] = [
            ("slot 1 1", good[:4]),
            ("slot 1 1", ["pid", *good[1:]]),
            ("slot 1 1", [*good[:-1], None]),
            ("slot 1 1", [2**63, *good[1:]]),
            ("slot 1 1", [*good[:3], {}, *good[4:]]),
            ("slot 1 1", [*good[:5], "soon", *good[6:]]),
            ("slot 1 1", [*good[:7], 7, *good[8:]]),
            ("stopping 1 2", [child.pid, ["a", "b", "c"], "soon"]),
            ("counts 1", ["many", *NO_COUNTS[1:]]),
            ("slot one 1", good),
            ("watcher 1", {}),
            ("watcher 1", {**self.entries["watcher 1"], "life": "happy"}),
            ("counts 1", [1]),
            ("death 1 0", 7),
            ("seq", "many"),
            ("loaded", 7),
            ("socket web", [1, 2]),
            ("watcher 1", 7),
            ("backoff 1 1", [1]),
        ]
        for key, value in nonsense:
            with self.subTest(key=key, value=value):
                before = dict(self.entries)
                self.entries.update({"slot 1 2": good, key: value})
                self.write()
                self.assert_put_aside("an entry cannot be read")
                self.entries = before
        self.assertTrue(alive(child.pid))


class TestShortage(HeritageCase):
    def test_no_file_is_left_for_a_pidfd(self) -> None:
        child = self.process()
        self.entries["slot 1 1"] = self.slot(child.pid, *self.identity(child.pid))
        self.write()
        short = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        with mock.patch("os.pidfd_open", side_effect=short):
            with self.assertRaisesRegex(exc.CircusError, "Too many open files"):
                heritage.read(self.folder)
        with mock.patch.object(ledger, "_content", side_effect=short):
            with self.assertRaisesRegex(exc.CircusError, "Too many open files"):
                heritage.read(self.folder)
        self.assertEqual(self.pids(), [child.pid], "another daemon can do it")


class TestEstate(unittest.TestCase):
    """Where the folder cannot be used, the daemon runs without one."""

    def setUp(self) -> None:
        self.folder = folder(self)
        self.circus = {"state_dir": str(self.folder / "state"), "name": None, "adopt": True}

    def assert_off(self, text: str) -> None:
        """Nothing survives, for that reason."""
        with self.assertLogs("cvec_circus") as log:
            self.assertIsNone(estate.take(self.circus, "x.ini", {}))
        (told,) = log.output
        self.assertIn(f"{text}; adoption is off: a daemon that comes after a crash", told)

    def test_a_good_one(self) -> None:
        taken = estate.take(self.circus, "x.ini", {})
        self.assertIsNone(taken.heritage)
        taken.folder.close()
        self.assertFalse((self.folder / "state").exists())

    def test_a_symbolic_link(self) -> None:
        os.symlink(self.folder, self.folder / "state")
        self.assert_off("it is a symbolic link")

    def test_one_that_others_may_write_to(self) -> None:
        (self.folder / "state").mkdir()
        (self.folder / "state").chmod(0o777)
        self.assert_off("others may write to it (mode 777)")

    def test_one_that_cannot_be_made(self) -> None:
        self.circus["state_dir"] = "/proc/self/state"
        self.assert_off("No such file or directory")

    def test_not_wanted(self) -> None:
        self.circus["adopt"] = False
        self.assertIsNone(estate.take(self.circus, "x.ini", {}))
        self.assertFalse((self.folder / "state").exists())


if __name__ == "__main__":
    unittest.main()
