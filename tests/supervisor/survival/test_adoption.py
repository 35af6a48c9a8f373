"""Orphans that become our children, because we are the child subreaper."""

from __future__ import annotations

import os
import signal
import unittest
from collections import deque
from functools import partial
from unittest import mock

from cvec_circus.base.loop import Loop
from cvec_circus.supervisor.ending import families, finding, reaper
from cvec_circus.system import proctable
from tests.support.clock import FakeClock
from tests.support.daemon import alive
from tests.support.endings import EndingCase, Watcher
from tests.support.hurry import hurry

SETSID = "setsid sh -c 'echo pid $$; exec sleep 1000' &"


def there(pid: int) -> bool:
    """Tell whether a process is there, be it a zombie."""
    return os.path.exists(f"/proc/{pid}")


class Adopted(EndingCase):
    """Orphans that become our children."""

    def test_zombies_of_a_living_leader_are_collected(self):
        orphans = "(setsid sh -c 'echo pid $$' &); " * 5
        _, pids = self.shell(Watcher(), f"{orphans} echo ready; exec sleep 1000")
        self.reaper.child_exited()
        self.until(lambda: not any(map(there, pids)))

    def test_a_leftover_that_proc_hides_is_named_by_its_pid(self):
        text = "sh -c 'trap \"\" TERM; echo pid $$; exec sleep 1000' & echo ready; wait"
        process, (child,) = self.shell(Watcher(), text)
        real = proctable.row
        with mock.patch.object(proctable, "row", lambda pid: None if pid == child else real(pid)):
            os.kill(process.pid, signal.SIGKILL)
            self.until(lambda: self.have("exited", process))
            with self.assertLogs("cvec_circus", "WARNING"):
                self.signals.abandon(process)
                self.until(lambda: self.strays.get("web"))
        self.assertEqual([tuple(one) for one in self.strays["web"]], [(child, 0, "")])

    def test_a_mark_that_cannot_be_read_delays_one_stop_only(self):
        hurry(
            self,
            {"supervisor.ending.finding.OLD": 0.1, "supervisor.ending.leftovers.LOOK_TIMEOUT": 2.0},
        )
        watcher = Watcher()
        first, _ = self.shell(watcher, f"{SETSID} echo ready; wait")
        second, _ = self.shell(watcher, "echo ready; exec sleep 1000", wid=2)
        with mock.patch.object(self.walker, "read"):
            self.stop(first)
            self.until(lambda: self.is_over(first))
            self.stop(second)
            self.until(lambda: self.is_over(second))
        self.assertEqual(self.told[-1][:2], ("exited", second))
        self.assertFalse(self.told[-1][3])

    def test_a_child_of_our_session_is_not_touched(self):
        pid = os.posix_spawn("/bin/true", ["true"], {})
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        process, _ = self.shell(Watcher(), "echo ready; exec sleep 1000")
        self.stop(process)
        self.until(lambda: self.is_over(process))
        self.assertEqual(os.waitpid(pid, 0)[1], 0)

    def test_one_of_unknown_origin_waits_for_user_code(self):
        self.runs_user_code = True
        pid = os.posix_spawn("/bin/true", ["true"], {}, setsid=True)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        process, _ = self.shell(Watcher(), "echo ready; exec sleep 1000")
        self.stop(process)
        self.until(lambda: self.is_over(process))
        self.assertTrue(there(pid))
        self.runs_user_code = False
        self.until(lambda: not there(pid))

    def test_one_of_unknown_origin_is_never_killed(self):
        # It has an empty environment for good, like one in an exec for a moment.
        watcher = Watcher(strays="kill")
        pid = os.posix_spawnp("sleep", ["sleep", "1000"], {}, setsid=True)
        process, _ = self.shell(watcher, "echo ready; exec sleep 1000")
        with self.assertLogs("cvec_circus", "WARNING") as logged:
            self.stop(process)
            self.until(lambda: self.is_over(process))
        self.assertTrue(alive(pid))
        self.assertIn(f"process {pid} (sleep) was left by an unknown program", logged.output[0])
        os.kill(pid, signal.SIGKILL)
        self.until(lambda: not there(pid))

    def test_a_stray_s_child_is_known_by_its_session(self):
        child = "sleep 1000 & echo pid $!; echo pid $$; wait"
        text = f"setsid /bin/sh -c '{child}' & echo ready; wait"
        process, (child, stray) = self.shell(Watcher(), text)
        # The first stray is known by its parent's session no more than by a mark.
        with self.assertLogs("cvec_circus", "WARNING"):
            self.stop(process)
            self.until(lambda: self.is_over(process))
        for pid in (stray, child):
            os.kill(pid, signal.SIGKILL)
        self.until(lambda: not any(there(pid) for pid in (stray, child)))


class FakeFinder:
    """Counts the looks that are not served by the one before."""

    def __init__(self) -> None:
        self.is_fresh = False
        self.lists: list[int] = []
        self.exited: deque[int] = deque()

    def new_batch(self) -> None:
        self.is_fresh = False

    def look(self, done: object) -> None:
        if not self.is_fresh:
            self.lists.append(len(self.exited))
        self.is_fresh = True

    def soon(self) -> None:
        pass


class TestLooks(unittest.TestCase):
    """How often the children are listed while very many of them end."""

    def setUp(self) -> None:
        self.loop = Loop()
        self.addCleanup(self.loop.close)
        self.finder = FakeFinder()
        outsiders = mock.Mock(**{"exited.return_value": None})
        self.exited = self.finder.exited
        self.reaper = reaper.Reaper(
            self.loop,
            self.loop.wakeup.fd,  # type: ignore[arg-type]  # something that can be read
            mock.Mock(),
            families.Families(),
            outsiders,
            self.finder,  # type: ignore[arg-type]
            mock.Mock(),
            self.exited,
            mock.Mock(),
            mock.Mock(),
        )

    def work(self) -> bool:
        """Collect one exit: no turn is long enough for two."""
        return self.reaper.work(lambda: True)

    def test_one_look_serves_all_that_were_dead_before_it(self) -> None:
        self.exited.extend(range(1000, 2000))
        while self.work():
            pass
        self.assertEqual(len(self.finder.lists), 1)

    def test_those_that_die_later_are_looked_for_anew(self) -> None:
        self.exited.extend((1000, 1001, 1002))
        self.work()
        self.exited.extend((1003, 1004))
        while self.work():
            pass
        self.assertEqual(self.finder.lists, [2, 1])
        self.exited.append(1005)
        self.work()
        self.assertEqual(self.finder.lists, [2, 1, 0])


class TestPauses(unittest.TestCase):
    """A look that takes long is not followed by another one at once."""

    def setUp(self) -> None:
        self.clock = FakeClock()
        self.loop = Loop(self.clock)
        self.addCleanup(self.loop.close)
        desks = mock.Mock(), families.Families(), mock.Mock()
        self.finder = finding.Adoption(self.loop, *desks, runs_user_code=lambda: False)
        self.sweeps = 0
        self.done: list[int] = []

    def sweep(self) -> list[int]:
        """List the children, for a hundredth of a second."""
        self.sweeps += 1
        self.clock.advance(0.01)
        return []

    def test_those_that_come_in_the_pause_share_the_next_look(self) -> None:
        with mock.patch.object(finding.proctable, "children", self.sweep):
            for number in range(5):
                self.finder.new_batch()
                self.finder.look(partial(self.done.append, number))
            self.assertEqual((self.sweeps, self.done), (1, [0]))
            self.clock.advance(finding.SHARE * 0.01)
            self.loop.post(self.loop.stop)
            self.loop.run()
            self.assertEqual((self.sweeps, self.done), (2, [0, 1, 2, 3, 4]))


if __name__ == "__main__":
    unittest.main()
