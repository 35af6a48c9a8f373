"""Watchers with cgroups: what a stop proves, what is left behind, and what is missing."""

from __future__ import annotations

import contextlib
import os
import signal
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from cvec_circus.supervisor.ending.finding import Finder
from cvec_circus.system import cgroup
from tests.support import cgroups
from tests.support.children import as_user
from tests.support.daemon import Daemon, DaemonCase, gone
from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually
from tests.support.hurry import hurry
from tests.support.nightly import NIGHTLY

TIMEOUT = 30.0

# To these no group, session, mark or parent leads: each has a session of its own and no
# environment; of one the parent has ended, one has a child, and some come and go all the time.
FAMILY = """
env -i setsid sleep 7781 &
(env -i setsid sh -c 'setsid sleep 7782 & exit' &)
env -i setsid sh -c 'sleep 7783 & exec sleep 7784' &
env -i PATH="$PATH" setsid sh -c 'while :; do (setsid sleep 0.01 &); sleep 0.01; done' &
exec sleep 7785
"""
LASTING = 5
"""So many of them stay, and sleep."""

PAIR = """
env -i setsid sleep 7781 >/dev/null 2>&1 &
exec sleep 7785
"""


NOBODY = 65534

AS_NOBODY = as_user(NOBODY)


def prepare(folder: Path) -> None:
    """Write the programs of the tests."""
    (folder / "family").write_text(FAMILY)
    (folder / "pair").write_text(PAIR)


class CgroupCase(DaemonCase):
    """Daemons that make their cgroups in a folder of the test's."""

    def setUp(self) -> None:
        super().setUp()
        self.above = cgroups.own(self)

    def grouped(self, text: str, **options: Any) -> Daemon:
        """Start a daemon with cgroups."""
        circus = f"cgroup = {self.above}\n"
        return self.daemon(text, circus=circus, prepare=prepare, **options)

    def folder(self, name: str) -> Path:
        """The cgroup of a watcher, as soon as there is one."""
        found: list[Path] = []

        def is_there() -> bool:
            found[:] = self.above.glob(f"cvec_circus-*/{name}-*/")
            return bool(found)

        self.assertTrue(eventually(is_there, TIMEOUT))
        return found[-1]

    def populated(self, folder: Path) -> int:
        return cgroup.counts((folder / "cgroup.events").read_text())["populated"]

    def wait_for(self, folder: Path, count: int) -> list[int]:
        """Wait until so many of its processes sleep for long, and return them."""
        there: list[int] = []

        def is_there() -> bool:
            there[:] = asleep(folder)
            return len(there) >= count

        self.assertTrue(eventually(is_there, TIMEOUT), f"{there} instead of {count}")
        return there


def asleep(folder: Path) -> list[int]:
    """List the processes in a cgroup that have become what they stay."""
    found = []
    for pid in cgroups.members(folder):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_text().startswith("sleep\x00778"):
                found.append(pid)
    return found


class TestStops(CgroupCase):
    """What a stop says is so."""

    def test_each_leaves_an_empty_cgroup(self) -> None:
        daemon = self.grouped(
            "[watcher:w]\ncmd = sh {DIR}/family\nstrays = kill\ncopy_env = True\n"
        )
        folder = self.folder("w")
        count = 100 if NIGHTLY else 4
        for number in range(count):
            pids = self.wait_for(folder, LASTING)
            if number % 2:  # also when the leader has gone before
                leader = daemon.call("list", name="w")["pids"][0]
                os.kill(leader, signal.SIGKILL)
            self.assertNotIn("strays", daemon.order("stop", name="w"))
            self.assertEqual(self.populated(folder), 0)
            self.assertTrue(gone(*pids, timeout=0.0))
            daemon.order("start", name="w")
        daemon.call("quit")
        log = daemon.ended()
        self.assertFalse([line for line in log if "stays" in line])
        self.assertFalse(self.above.exists())

    def test_all_that_is_left_is_named(self) -> None:
        daemon = self.grouped(
            "[watcher:w]\ncmd = sh {DIR}/pair\ncopy_env = True\n"
            "[watcher:quiet]\ncmd = sh {DIR}/pair\ncopy_env = True\nstrays = ignore\n"
        )
        folder = self.folder("w")
        for number in (1, 2):
            pids = self.wait_for(folder, number + 1)
            (leader,) = daemon.call("list", name="w")["pids"]
            strays = daemon.order("stop", name="w")["strays"]
            self.assertEqual({one["pid"] for one in strays}, {*pids} - {leader})
            self.assertEqual({one["command"] for one in strays}, {"sleep"})
            daemon.order("start", name="w")
        quiet = self.folder("quiet")
        self.wait_for(quiet, 2)
        self.assertNotIn("strays", daemon.order("stop", name="quiet"))
        self.wait_for(folder, 4)
        daemon.call("quit")
        log = daemon.ended()
        for name, path, count in (("w", folder, 3), ("quiet", quiet, 1)):
            left = cgroups.members(path)
            self.assertEqual(len(left), count)
            (line,) = [line for line in log if f"{name}: the cgroup {path} stays" in line]
            self.assertIn(f"process {left[0]} (sleep)", line)
        cgroups.end(self.above)
        self.grouped("").call("quit")  # removes what is left
        # Each of its folders has a file of that name. (Before 3.11, glob("*/") has files too.)
        self.assertTrue(eventually(lambda: not list(self.above.glob("*/*.procs")), TIMEOUT))
        self.above.rmdir()

    def test_those_of_a_leader_that_lives_are_left_alone(self) -> None:
        daemon = self.grouped(
            "[watcher:w]\ncmd = sh {DIR}/pair\ncopy_env = True\nnumprocesses = 2\nstrays = kill\n"
        )
        folder = self.folder("w")
        pids = self.wait_for(folder, 4)
        leader, other = daemon.call("list", name="w")["pids"]
        os.kill(leader, signal.SIGKILL)
        self.wait_for(folder, 5)
        self.assertLessEqual({*pids} - {leader}, {*cgroups.members(folder)})
        self.assertIn(other, daemon.call("list", name="w")["pids"])
        daemon.order("stop", name="w")
        self.assertEqual(cgroups.members(folder), [])
        daemon.call("quit")
        daemon.ended()


class TestLife(CgroupCase):
    """Where they come from, and go."""

    def test_the_processes_are_where_they_belong(self) -> None:
        daemon = self.grouped(
            "[watcher:a b/c]\ncmd = sleep 7785\nnumprocesses = 2\ncopy_env = True\n"
        )
        folder = self.folder("a_b_c")
        pids = self.wait_for(folder, 2)
        self.assertEqual(pids, sorted(daemon.call("list", name="a b/c")["pids"]))
        tree = folder.parent
        self.assertEqual(cgroup.pids(str(tree / cgroup.LEAF)), [daemon.pid])
        self.assertEqual(cgroup.pids(str(tree)), [])
        daemon.order("rm", name="a b/c")
        self.assertTrue(eventually(lambda: not folder.exists(), TIMEOUT))
        daemon.order("add", name="late", cmd="sleep 7785", start=True, options={"copy_env": True})
        self.wait_for(self.folder("late"), 1)
        daemon.call("quit")
        daemon.ended()
        self.assertFalse(self.above.exists())

    def test_one_that_another_program_removes_is_made_anew(self) -> None:
        daemon = self.grouped("[watcher:w]\ncmd = sleep 7785\ncopy_env = True\n")
        folder = self.folder("w")
        self.wait_for(folder, 1)
        daemon.order("stop", name="w")
        folder.rmdir()
        daemon.order("start", name="w")
        self.wait_for(folder, 1)
        daemon.call("quit")
        daemon.ended()

    def test_the_next_daemon_removes_those_of_one_that_was_killed(self) -> None:
        text = "[watcher:w]\ncmd = sleep 7785\ncopy_env = True\n"
        daemon = self.grouped(text)
        folder = self.folder("w")
        (pid,) = self.wait_for(folder, 1)
        daemon.process.kill()
        daemon.process.wait()
        after = self.grouped("")
        after.call("quit")
        log = after.ended()
        said = f"the cgroup {folder} stays: it holds process {pid} (sleep)"
        self.assertTrue(any(said in line for line in log), log)
        self.assertEqual(cgroups.members(self.above), [pid])
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(gone(pid))
        last = self.grouped("")
        self.assertFalse(folder.parent.exists())
        last.call("quit")
        last.ended()
        self.above.rmdir()

    def test_what_is_adopted_moves_to_the_cgroups_of_the_next_daemon(self) -> None:
        text = "[watcher:w]\ncmd = sh {DIR}/pair\ncopy_env = True\nstrays = kill\n"
        daemon = self.grouped(text)
        before = self.folder("w")
        there = self.wait_for(before, 2)
        daemon.kill()
        daemon.again()
        self.assertFalse(before.parent.exists())
        after = self.folder("w")
        self.assertNotEqual(after, before)
        self.assertEqual(sorted(cgroups.members(after)), sorted(there))
        self.assertIn(daemon.wire.pids("w")[0], there)
        daemon.order("stop", name="w")  # it ends what no mark and no session leads to
        self.assertEqual(cgroups.members(after), [])
        self.assertFalse([line for line in daemon.log.seen if " stays: " in line])
        daemon.call("quit")
        daemon.ended()
        self.above.rmdir()

    def test_nostop_leaves_it_until_it_is_empty(self) -> None:
        daemon = self.grouped("[watcher:w]\ncmd = sleep 7785\ncopy_env = True\n")
        folder = self.folder("w")
        (pid,) = self.wait_for(folder, 1)
        daemon.order("rm", name="w", nostop=True)
        self.assertEqual(cgroups.members(folder), [pid])
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: not folder.exists(), TIMEOUT))
        daemon.call("quit")
        daemon.ended()


class TestAuto(DaemonCase):
    """A daemon that is started in a cgroup which was given to it, as systemd does."""

    TEXT = "[watcher:w]\ncmd = sh {DIR}/pair\ncopy_env = True\nstrays = kill\npids_limit = 9\n"

    def run_in(self, above: Path, *wrapper: str, **options: Any) -> None:
        """Start one there, let it stop a watcher, and end it."""
        joins = f'echo 0 > {above}/cgroup.procs && exec "$@"'
        daemon = self.daemon(
            self.TEXT,
            circus="cgroup = auto\n",
            wrapper=("sh", "-c", joins, "sh", *wrapper),
            **options,
        )
        own = Path(f"/proc/{daemon.pid}/cgroup").read_text().splitlines()[-1]
        self.assertRegex(own, rf"/{above.name}/cvec_circus-\w+/daemon$")
        self.assertEqual(cgroup.pids(str(above)), [])
        (folder,) = above.glob("cvec_circus-*/w-*/")
        if not cgroup.why_no_controller("pids", str(above)):
            self.assertEqual((folder / "pids.max").read_text(), "9\n")
        self.assertTrue(eventually(lambda: len(asleep(folder)) == 2, TIMEOUT))
        self.assertNotIn("strays", daemon.order("stop", name="w"))
        self.assertEqual(cgroups.members(folder), [])
        daemon.call("quit")
        daemon.ended()
        self.assertFalse([path for path in above.iterdir() if path.is_dir()])
        self.assertEqual((above / "cgroup.subtree_control").read_text().strip(), "")
        above.rmdir()

    def test_root(self) -> None:
        above = cgroups.own(self)
        above.mkdir()
        self.run_in(above, prepare=prepare)

    @unittest.skipIf(os.geteuid(), "only root can give a cgroup to another user")
    def test_another_user(self) -> None:
        def give(folder: Path) -> None:
            prepare(folder)
            os.chown(folder, NOBODY, NOBODY)

        above = cgroups.own(self)
        above.mkdir()
        for path in (above, above / "cgroup.procs", above / "cgroup.subtree_control"):
            os.chown(path, NOBODY, NOBODY)
        self.run_in(above, *AS_NOBODY, prepare=give)

    @unittest.skipIf(os.geteuid(), "only root becomes another user")
    def test_a_user_who_was_given_none(self) -> None:
        above = cgroups.own(self)
        above.mkdir()
        joins = f'echo 0 > {above}/cgroup.procs && exec "$@"'
        daemon = self.daemon(
            circus="cgroup = auto\n",
            wrapper=("sh", "-c", joins, "sh", *AS_NOBODY),
            prepare=lambda folder: os.chown(folder, NOBODY, NOBODY),
        )
        daemon.call("quit")
        said = f"user {NOBODY} cannot make cgroups in {above}; write Delegate=yes into the unit"
        self.assertTrue(any(said in line for line in daemon.ended()))
        above.rmdir()


class TestEmbedded(EmbeddedCase):
    def test_the_program_around_it_stays_where_it_is(self) -> None:
        above = cgroups.own(self)
        before = cgroup.own_folder()
        self.arbit({"name": "w", "cmd": "sleep 7785", "strays": "kill"}, cgroup=str(above))
        self.assertEqual(cgroup.own_folder(), before)
        (folder,) = above.glob("*/w-*/")
        self.assertTrue(eventually(lambda: bool(cgroups.members(folder))))
        self.wire.order("stop", name="w")
        self.assertEqual(cgroups.members(folder), [])
        self.arbiter.stop()
        self.assertFalse(above.exists())

    def test_where_the_kernel_does_not_kill_them_at_once(self) -> None:
        above = cgroups.own(self)
        hurry(self, {"supervisor.ending.leftovers.KILL_TIMEOUT": 0.1})
        (self.folder / "pair").write_text(PAIR)
        self.arbit(
            {"name": "w", "cmd": f"sh {self.folder}/pair", "strays": "kill"}, cgroup=str(above)
        )
        (folder,) = above.glob("*/w-*/")
        for is_done in (False, True):  # no such file, or no effect
            self.assertTrue(eventually(lambda: len(asleep(folder)) == 2, TIMEOUT))
            with mock.patch.object(cgroup, "kill", return_value=is_done) as kill:
                self.assertNotIn("strays", self.wire.order("stop", name="w"))
            kill.assert_called_once_with(str(folder))
            self.assertEqual(cgroups.members(folder), [])
            self.wire.order("start", name="w")

    def test_a_look_that_hangs_leaves_nothing_in_them(self) -> None:
        above = cgroups.own(self)
        hurry(self, {"supervisor.ending.leftovers.LOOK_TIMEOUT": 0.1})
        (self.folder / "pair").write_text(PAIR)
        self.arbit(
            {"name": "w", "cmd": f"sh {self.folder}/pair", "strays": "kill"}, cgroup=str(above)
        )
        (folder,) = above.glob("*/w-*/")
        self.assertTrue(eventually(lambda: len(asleep(folder)) == 2, TIMEOUT))
        with mock.patch.object(Finder, "look"):
            self.assertNotIn("strays", self.wire.order("stop", name="w"))
        self.assertEqual(cgroups.members(folder), [])


class TestMissing(DaemonCase):
    """Without them the same options say what is missing."""

    LIMITS = "memory_limit = 64M\ncpu_limit = 0.5\npids_limit = 20\n"
    TEXT = f"[watcher:w]\ncmd = sleep 7785\ncopy_env = True\n{LIMITS}"

    def said(self, **options: Any) -> list[str]:
        """The log of a daemon that runs the watcher twice all the same."""
        daemon = self.daemon(self.TEXT, **options)
        daemon.order("restart", name="w")
        self.assertEqual(len(daemon.call("list", name="w")["pids"]), 1)
        daemon.call("quit")
        return daemon.ended()

    def test_off(self) -> None:
        log = self.said()
        for name in ("memory_limit", "cpu_limit", "pids_limit"):
            said = f"w: {name} has no effect: there are no cgroups; write cgroup = auto into [ci"
            self.assertEqual(sum(said in line for line in log), 1, log)

    def test_a_folder_that_is_none(self) -> None:
        log = self.said(circus="cgroup = {DIR}\n")
        (line,) = [line for line in log if f"cgroup = {'/'}" in line]
        self.assertIn("there are none", line)
        said = "not cgroup2; name a folder below a cgroup v2 mount"
        self.assertEqual(sum(said in line for line in log), 4, log)

    def test_a_controller(self) -> None:
        lacks = cgroup.why_no_controller("memory", cgroups.above())
        if not lacks:
            self.skipTest("the controllers are there")
        above = cgroups.own(self)
        log = self.said(circus=f"cgroup = {above}\n")
        self.assertEqual(sum(f"w: memory_limit has no effect: {lacks}" in one for one in log), 1)
        self.assertTrue(any("is not told apart: the controller memory" in one for one in log))


if __name__ == "__main__":
    unittest.main()
