"""Groups, trees and strays, with real children: as a child subreaper, and without."""

from __future__ import annotations

import os
import signal
import unittest
from unittest import mock

from cvec_circus.supervisor.ending import endings, outsiders
from cvec_circus.system import pidfd, proctable
from tests.support.daemon import alive, gone
from tests.support.endings import EndingCase, Watcher
from tests.support.hurry import hurry
from tests.support.logs import silent
from tests.support.nightly import times

SETSID = "setsid sh -c 'echo pid $$; exec sleep 1000' &"
STUBBORN_SETSID = """setsid sh -c 'trap "" TERM QUIT; echo pid $$; exec sleep 1000' &"""


class Groups(EndingCase):
    """The process group of a dead leader."""

    def leave(self, child: str, watcher: Watcher | None = None):
        """Start a leader with one child in its group, and kill the leader."""
        text = f"sh -c 'echo pid $$; {child}' & echo ready; wait"
        return self.shell(watcher or Watcher(), text)

    def test_a_leader_that_leaves_nothing(self):
        process, _ = self.shell(Watcher(), "echo ready; exit 3")
        self.until(lambda: self.is_over(process))
        self.assertEqual((self.told[0][0], self.told[0][2].exit_code), ("exited", 3))
        self.assertNotEqual(self.told[0][3], pidfd.reaches_groups())

    def test_leftovers_get_term_and_are_waited_for(self):
        process, (child,) = self.leave("exec sleep 1000")
        os.kill(process.pid, signal.SIGKILL)
        self.until(lambda: self.have("emptied", process))
        self.assertFalse(alive(child))
        self.assertEqual([one[0] for one in self.told], ["exited", "emptied"])
        self.assertEqual(self.told[0][2].exit_code, -9)

    def test_a_stubborn_leftover_is_killed_by_group(self):
        process, (child,) = self.leave('trap "" TERM; exec sleep 1000')
        os.kill(process.pid, signal.SIGKILL)
        self.until(lambda: self.have("exited", process))
        self.assertTrue(alive(child))
        self.signals.kill(process)
        self.until(lambda: self.have("emptied", process))
        self.assertFalse(alive(child))

    def test_sigkill_needs_no_thread(self):
        process, (child,) = self.leave('trap "" TERM; exec sleep 1000')
        with mock.patch.object(self.walker, "walk"), mock.patch.object(self.walker, "read"):
            os.kill(process.pid, signal.SIGKILL)
            self.until(lambda: self.have("exited", process))
            self.signals.kill(process)
            self.assertTrue(gone(child))

    def test_a_stopped_leftover_ends(self):
        process, (child,) = self.leave("exec sleep 1000")
        os.kill(child, signal.SIGSTOP)
        os.kill(process.pid, signal.SIGKILL)
        self.until(lambda: self.have("emptied", process))
        self.assertFalse(alive(child))

    def test_an_abandoned_group_becomes_strays(self):
        watcher = Watcher()
        process, (child,) = self.leave('trap "" TERM; exec sleep 1000', watcher)
        os.kill(process.pid, signal.SIGKILL)
        self.until(lambda: self.have("exited", process))
        with self.assertLogs("cvec_circus", "WARNING") as logged:
            self.signals.abandon(process)
            self.until(lambda: self.strays.get("web"))
        (stray,) = self.strays["web"]
        self.assertEqual((stray.pid, stray.command), (child, "sleep"))
        self.assertEqual(len(logged.output), 1)
        self.assertIn(f"web: process {child} (sleep) is left behind", logged.output[0])
        self.assertFalse(self.have("emptied", process))
        os.kill(child, signal.SIGKILL)
        self.until(lambda: not self.strays["web"])

    def test_a_group_of_zombies_is_empty(self):
        # The child of a process with a session of its own, moved into the leader's group, stays a
        # zombie while its parent does not collect it.
        text = """
import os, signal
if not os.fork():
    os.setpgid(0, os.getpgid(os.getppid()))
    middle = os.fork()
    if not middle:
        print("pid", os.getpid(), flush=True)
        signal.pause()
    os.setpgid(0, 0)
    print("pid", os.getpid(), flush=True)
    signal.pause()
signal.pause()
"""
        process, lines = self.spawn(Watcher(), "python3", "-I", "-c", text)
        pids = {int(lines.until("pid")) for _ in range(2)}
        (child,) = [pid for pid in pids if os.getpgid(pid) == process.pid]
        (parent,) = pids - {child}
        os.kill(process.pid, signal.SIGKILL)
        self.until(lambda: self.have("emptied", process))
        self.assertFalse(alive(child))
        self.assertTrue(alive(parent))

    def test_many(self):
        watcher = Watcher()
        text = "sh -c 'trap \"\" TERM; echo pid $$; exec sleep 1000' & echo ready; wait"
        started = [self.shell(watcher, text, wid) for wid in range(1, 31)]
        for process, _ in started:
            self.stop(process)
        self.until(lambda: all(self.have("exited", process) for process, _ in started))
        for process, _ in started:
            self.signals.kill(process)
        self.until(lambda: all(self.is_over(process) for process, _ in started))
        self.assertEqual(self.marked(), [])


class Strays(EndingCase):
    """Processes that have left the group."""

    def crash(self, watcher: Watcher, wid: int = 1) -> int:
        process, (stray,) = self.shell(watcher, f"{SETSID} echo ready; wait", wid)
        os.kill(process.pid, signal.SIGKILL)
        self.until(lambda: self.is_over(process))
        return stray

    def test_three_crashes_three_strays(self):
        watcher = Watcher()
        with self.assertLogs("cvec_circus", "WARNING") as logged:
            pids = [self.crash(watcher) for _ in range(3)]
            self.until(lambda: len(self.strays.get("web", ())) == 3)
        self.assertEqual({stray.pid for stray in self.strays["web"]}, set(pids))
        for pid in pids:
            self.assertEqual(sum(f"process {pid} (sleep)" in line for line in logged.output), 1)
        os.kill(pids[1], signal.SIGKILL)
        self.until(lambda: len(self.strays["web"]) == 2)
        self.assertNotIn(pids[1], [stray.pid for stray in self.strays["web"]])

    def test_known_before_a_stop_is_over(self):
        process, (stray,) = self.shell(Watcher(), f"{SETSID} echo ready; wait")
        with self.assertLogs("cvec_circus", "WARNING"):
            self.stop(process)
            self.until(lambda: self.is_over(process))
        self.assertEqual([one.pid for one in self.strays["web"]], [stray])

    def test_a_double_fork(self):
        process, (stray,) = self.shell(
            Watcher(),
            "(setsid sh -c 'echo pid $$; exec sleep 1000' &); echo ready; exec sleep 1000",
        )
        self.reaper.child_exited()
        self.assertEqual(self.strays, {})  # its leader lives: nothing has strayed
        with self.assertLogs("cvec_circus", "WARNING"):
            self.stop(process)
            self.until(lambda: self.is_over(process))
        self.assertEqual([one.pid for one in self.strays["web"]], [stray])

    def test_a_group_of_its_own(self):
        text = """
import os, signal
if not os.fork():
    os.setpgid(0, 0)
    print("pid", os.getpid(), flush=True)
signal.pause()
"""
        process, lines = self.spawn(Watcher(), "python3", "-I", "-c", text)
        stray = int(lines.until("pid"))
        with self.assertLogs("cvec_circus", "WARNING"):
            self.stop(process)
            self.until(lambda: self.is_over(process))
        self.assertEqual([one.pid for one in self.strays["web"]], [stray])

    def test_kill(self):
        watcher = Watcher(strays="kill")
        process, (stray,) = self.shell(watcher, f"{STUBBORN_SETSID} echo ready; wait")
        with self.assertLogs("cvec_circus", "WARNING") as logged:
            self.stop(process)
            self.until(lambda: self.is_over(process))
        self.assertFalse(alive(stray))
        self.assertFalse(self.strays.get("web"))
        self.assertIn(f"web: killing process {stray} (sleep)", logged.output[0])

    def test_one_in_the_middle_of_an_exec(self):
        watcher = Watcher(strays="kill")
        process, (stray,) = self.shell(watcher, f"{STUBBORN_SETSID} sleep 0.1; echo ready; wait")
        read, reads = proctable.environment, []

        def environment(pid: int) -> bytes | None:
            reads.append(pid)
            return b"" if reads.count(stray) <= 3 and pid == stray else read(pid)

        with mock.patch.object(proctable, "environment", environment):
            with self.assertLogs("cvec_circus", "WARNING") as logged:
                self.stop(process)
                self.until(lambda: self.is_over(process))
        self.assertFalse(alive(stray))
        self.assertIn(f"web: killing process {stray} (sleep)", logged.output[0])

    def test_one_without_an_environment(self):
        text = "env -i setsid sh -c 'echo pid $$; exec sleep 1000' & sleep 0.1; echo ready; wait"
        process, (stray,) = self.shell(Watcher(strays="kill"), text)
        self.addCleanup(os.kill, stray, signal.SIGKILL)
        self.stop(process)
        self.until(lambda: self.is_over(process))
        self.assertTrue(alive(stray))

    def test_kill_after_a_crash(self):
        with self.assertLogs("cvec_circus", "WARNING"):
            stray = self.crash(Watcher(strays="kill"))
            self.until(lambda: not alive(stray))

    def test_ignore(self):
        with silent(self):
            process, (stray,) = self.shell(Watcher(strays="ignore"), f"{SETSID} echo ready; wait")
            self.stop(process)
            self.until(lambda: self.is_over(process))
        self.assertTrue(alive(stray))
        self.assertEqual(self.strays, {})

    def test_a_look_that_hangs_delays_a_stop_a_second(self):
        hurry(self, {"supervisor.ending.leftovers.LOOK_TIMEOUT": 0.1})
        process, (stray,) = self.shell(Watcher(), f"{SETSID} echo ready; wait")
        with mock.patch.object(self.walker, "walk"), mock.patch.object(self.walker, "read"):
            self.stop(process)
            self.until(lambda: self.is_over(process))
        self.assertTrue(alive(stray))

    def test_a_removed_watcher_is_not_followed(self):
        watcher = Watcher()
        process, (child,) = self.shell(
            watcher, "sh -c 'echo pid $$; exec sleep 1000' & echo ready; wait"
        )
        watcher.is_abandoned = True
        os.kill(process.pid, signal.SIGKILL)
        self.until(lambda: self.is_over(process))
        self.assertTrue(alive(child))
        self.assertEqual(self.strays, {})


class Trees(EndingCase):
    """Stopping a process with all its descendants."""

    def test_a_leader_that_ends_at_once_and_a_session_below(self):
        for number in range(times(6, 50)):
            self.end_tree(number, SETSID, kills=False)
            self.end_tree(number, STUBBORN_SETSID, kills=True)
        self.assertFalse(any(self.strays.values()), self.strays)

    def end_tree(self, number: int, child: str, kills: bool) -> None:
        """Stop a leader that ends at once, and what it has in another session."""
        text = f"{child} echo ready; exec sleep 1000"
        process, (below,) = self.shell(Watcher(), text, number + 1)
        self.stop(process, tree=True)
        if kills:
            self.until(lambda: self.have("exited", process))
            self.assertFalse(self.is_over(process))
            self.signals.kill(process)
        self.until(lambda: self.is_over(process))
        self.assertFalse(alive(below))

    def test_each_gets_the_stop_signal(self):
        text = """
import os, signal, sys
top = os.getpid()
kind = sys.argv[1:]
for word in ("same", "session", "group"):
    if not os.fork():
        if word == "session":
            os.setsid()
        if word == "group":
            os.setpgid(0, 0)
        break
else:
    word = "leader"
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGQUIT, signal.SIGTERM])
print("ready", flush=True)
got = signal.sigwait([signal.SIGQUIT, signal.SIGTERM])
print("got", word, signal.Signals(got).name, flush=True)
"""
        process, lines = self.spawn(Watcher(), "python3", "-I", "-c", text)
        for _ in range(4):
            lines.until("ready")
        self.stop(process, signal.SIGQUIT, tree=True)
        self.until(lambda: self.is_over(process))
        got = dict(lines.until("got").split() for _ in range(4))
        self.assertEqual(got, dict.fromkeys(("same", "session", "group", "leader"), "SIGQUIT"))

    def test_without_a_list_the_group_is_signalled_in_a_second(self):
        text = "sh -c 'echo pid $$; exec sleep 1000' & echo ready; wait"
        process, (child,) = self.shell(Watcher(), text)
        with (
            mock.patch.object(endings, "LIST_TIMEOUT", 0.2),
            mock.patch.object(self.walker, "walk"),
        ):
            self.stop(process, tree=True)
            self.until(lambda: self.have("exited", process))
            self.assertTrue(gone(child))

    def test_signal_children(self):
        text = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
depth = 0
while depth < 2 and not os.fork():
    depth += 1
print("ready", depth, os.getpid(), flush=True)
while True:
    signal.sigwait([signal.SIGUSR1])
    print("got", depth, flush=True)
"""
        process, lines = self.spawn(Watcher(), "python3", "-I", "-c", text)
        pids = dict(map(int, lines.until("ready").split()) for _ in range(3))
        said = bytearray()
        self.loop.add_reader(lines.fd, lambda: said.extend(os.read(lines.fd, 4096)))

        def heard(count: int) -> list[str]:
            self.until(lambda: said.count(b"\n") >= count)
            got = sorted(bytes(said).decode().split("\n")[:-1])
            said.clear()
            return got

        self.signals.signal_children(process, signal.SIGUSR1, recursive=False)
        self.assertEqual(heard(1), ["got 1"])
        self.signals.signal_children(process, signal.SIGUSR1)
        self.assertEqual(heard(2), ["got 1", "got 2"])
        self.signals.signal_child(process, pids[2], signal.SIGUSR1)
        self.assertEqual(heard(1), ["got 2"])
        self.loop.remove_reader(lines.fd)


class Searching:
    is_subreaper = False


class OlderKernel:
    def setUp(self):
        patch = mock.patch.object(pidfd, "reaches_groups", lambda: False)
        patch.start()
        self.addCleanup(patch.stop)
        super().setUp()


class SearchedGroups(Searching, Groups):
    pass


class TestWithoutMemory(EndingCase):
    def test_an_exit_that_is_collected_is_reported(self) -> None:
        process, _ = self.shell(Watcher(), "echo ready; exec sleep 1000")
        with (
            mock.patch.object(outsiders.Outsiders, "leader_ended", side_effect=MemoryError),
            self.assertLogs("cvec_circus", "ERROR"),
        ):
            self.stop(process)
            self.until(lambda: self.have("exited", process))
        self.assertTrue(self.is_over(process))


class SearchedStrays(Searching, Strays):
    pass


class SearchedTrees(Searching, Trees):
    pass


class OlderGroups(OlderKernel, Groups):
    pass


class OlderTrees(OlderKernel, Searching, Trees):
    pass


if __name__ == "__main__":
    unittest.main()
