"""What a daemon does about processes that leave their group, or may not be signalled."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import unittest
from pathlib import Path

from cvec_circus.base.clock import SYSTEM
from tests.support.children import as_user
from tests.support.daemon import Daemon, DaemonCase, alive, gone, marked
from tests.support.eventually import eventually
from tests.support.hurry import hurried
from tests.support.nightly import times

TIMEOUT = 30.0
IN_A_HURRY = hurried({"core.ending.UNKILLABLE_TIMEOUT": 0.3})


def sh(text: str) -> str:
    """Write the command line that has a shell run a script."""
    return shlex.join(["sh", "-c", text])


class StrayCase(DaemonCase):
    """Daemons whose processes leave something."""

    def of_command(self, daemon: Daemon, *words: str) -> list[int]:
        """List the daemon's processes that run that command line."""
        found = []
        for pid in marked(daemon.run):
            line = Path(f"/proc/{pid}/cmdline")
            if line.exists() and line.read_bytes().split(b"\0")[:-1] == [w.encode() for w in words]:
                found.append(pid)
        return found

    def wait_for(self, daemon: Daemon, *words: str, count: int = 1) -> list[int]:
        """Wait until so many of its processes run that command line."""
        self.assertTrue(
            eventually(lambda: len(self.of_command(daemon, *words)) == count, TIMEOUT),
            f"{words}: {self.of_command(daemon, *words)}",
        )
        return self.of_command(daemon, *words)

    def wait_for_marked(self, daemon: Daemon, count: int) -> set[int]:
        """Wait until so many of its processes are left: one in an exec shows no mark."""
        eventually(lambda: len(marked(daemon.run)) == count, TIMEOUT)
        return set(marked(daemon.run))


class TestStrays(StrayCase):
    """Processes with a session of their own."""

    def crash(self, daemon: Daemon, times: int) -> list[int]:
        for count in range(1, times + 1):
            self.wait_for(daemon, "sleep", "7771", count=count)
            (leader,) = self.wait_for(daemon, "sleep", "7772")
            os.kill(leader, signal.SIGKILL)
            self.assertTrue(eventually(lambda pid=leader: not alive(pid), TIMEOUT))
        return self.wait_for(daemon, "sleep", "7771", count=times + 1)

    def test_each_is_named_by_stop_and_status_and_log(self) -> None:
        daemon = self.daemon(
            f"[watcher:w]\ncmd = {sh('setsid sleep 7771 & exec sleep 7772')}\nbackoff_max = 0.1\n"
        )
        strays = self.crash(daemon, 3)
        answer = daemon.order("stop", name="w")
        self.assertEqual({one["pid"] for one in answer["strays"]}, set(strays))
        named = daemon.call("status", name="w", details=True)["watcher"]["strays"]
        self.assertEqual({one["pid"] for one in named}, set(strays))
        self.assertEqual({one["command"] for one in named}, {"sleep"})
        os.kill(strays[0], signal.SIGKILL)
        for pid in strays:
            daemon.log.containing(f"w: process {pid} (sleep) is left behind")
        for pid in strays[1:]:
            os.kill(pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: not any(map(alive, strays)), TIMEOUT))
        daemon.call("quit")
        log = daemon.ended()
        for pid in strays:
            self.assertEqual(sum(f"process {pid} (sleep)" in line for line in log), 1)

    def test_kill(self) -> None:
        daemon = self.daemon(
            f"[watcher:w]\ncmd = {sh('setsid sleep 7771 & exec sleep 7772')}\nstrays = kill\n"
        )
        self.wait_for(daemon, "sleep", "7771")
        self.assertNotIn("strays", daemon.order("stop", name="w"))
        self.assertEqual(marked(daemon.run), [])
        daemon.call("quit")
        daemon.ended()

    def test_a_stop_right_after_a_crash_knows_what_that_has_left(self) -> None:
        text = sh("setsid sleep 7771 & exec sleep 7772")
        for strays in ("report", "kill"):
            daemon = self.daemon(f"[watcher:w]\ncmd = {text}\nstrays = {strays}\n")
            for order in (*["stop"] * times(1, 6), "rm", "quit"):
                (stray,) = self.wait_for(daemon, "sleep", "7771")
                (leader,) = self.wait_for(daemon, "sleep", "7772")
                os.kill(leader, signal.SIGKILL)
                if order == "quit":
                    daemon.call("quit")
                    daemon.log.containing(f"process {stray} (sleep)")
                    break
                answer = daemon.order(order, name="w")
                pids = [one["pid"] for one in answer.get("strays", ())]
                # A successor may have been there already, and have left one too, which may be on
                # its way to its program.
                left = self.wait_for_marked(daemon, len(pids))
                self.assertEqual(set(pids), left)
                self.assertEqual(stray in pids, strays == "report")
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                self.assertTrue(gone(*pids))
                if order == "rm":
                    daemon.order("add", name="w", cmd=text, options={"strays": strays})
                daemon.order("start", name="w")
            self.assertEqual(daemon.process.wait(TIMEOUT), 0)
            left = marked(daemon.run) if strays == "report" else []
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            self.assertTrue(gone(*left))
            daemon.ended()

    def test_stop_children_ends_a_session_below(self) -> None:
        stubborn = """setsid sh -c 'trap "" TERM; exec sleep 7771'"""
        for child, timeout in (("setsid sleep 7771", 30), (stubborn, 0.2)):
            daemon = self.daemon(
                f"[watcher:w]\ncmd = {sh(f'{child} & exec sleep 7772')}\nstop_children = True\n"
                f"graceful_timeout = {timeout}\n"
            )
            for _ in range(times(2, 5)):
                self.wait_for(daemon, "sleep", "7771")
                daemon.order("stop", name="w")
                self.assertEqual(marked(daemon.run), [])
                daemon.order("start", name="w")
            daemon.call("quit")
            daemon.ended()

    def test_zombies_below_a_living_leader_are_collected(self) -> None:
        text = 'while :; do (setsid sh -c "exit 0" &); sleep 0.05; done'
        daemon = self.daemon(f"[watcher:w]\ncmd = {sh(text)}\ngraceful_timeout = 1\n")
        most = 0
        ends = SYSTEM.monotonic() + 1.0

        def watch() -> bool:
            nonlocal most
            most = max(most, len(zombies(daemon.pid)))
            return SYSTEM.monotonic() > ends

        self.assertTrue(eventually(watch, TIMEOUT))
        self.assertLess(most, 15)  # of twenty
        self.assertTrue(eventually(lambda: not zombies(daemon.pid), TIMEOUT))
        daemon.call("quit")
        daemon.ended()

    def test_many_stubborn_children_at_the_end(self) -> None:
        text = '(trap "" TERM; exec sleep 7773) & exec sleep 7774'
        daemon = self.daemon(
            f"[watcher:w]\ncmd = {sh(text)}\nnumprocesses = 100\ngraceful_timeout = 0.5\n"
        )
        self.wait_for(daemon, "sleep", "7773", count=100)
        daemon.call("quit")
        daemon.ended()


def zombies(pid: int) -> list[int]:
    """List the children of a process that it has not collected."""
    pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [child for child in map(int, pids) if not alive(child)]


@unittest.skipIf(os.geteuid(), "only root makes a program of another user's")
class TestNotAllowed(StrayCase):
    """A daemon of an ordinary user, whose child is root's."""

    def test_a_child_that_may_not_be_signalled_is_named(self) -> None:
        def prepare(folder: Path) -> None:
            program = shutil.which("setpriv")
            assert program is not None
            shutil.copy(program, folder / "become")
            (folder / "become").chmod(0o4755)
            os.chown(folder, 65534, 65534)

        text = "{DIR}/become --reuid=0 --regid=0 --clear-groups sleep 7775 & exec sleep 7772"
        daemon = self.daemon(
            f"[watcher:w]\ncmd = sh -c '{text}'\nleftover_timeout = 0.2\n"
            "[watcher:leader]\ncmd = {DIR}/become --reuid=0 --regid=0 --clear-groups sleep 7776\n"
            "graceful_timeout = 0.2\n",
            wrapper=(*as_user(65534), *IN_A_HURRY),
            prepare=prepare,
        )
        if os.statvfs(daemon.folder).f_flag & os.ST_NOSUID:
            self.skipTest("programs do not become root's in this folder")
        (child,) = self.wait_for(daemon, "sleep", "7775")
        (leader,) = self.wait_for(daemon, "sleep", "7772")
        os.kill(leader, signal.SIGKILL)
        daemon.log.containing(f"w: not allowed to signal process {child} (sleep)")
        daemon.log.containing(f"w: process {child} (sleep) is left behind")
        self.wait_for(daemon, "sleep", "7772")
        (leader,) = self.wait_for(daemon, "sleep", "7776")
        stopped = daemon.ctl("stop", "leader", "--waiting")
        self.assertIn(f"process {leader} does not end", stopped.stdout + stopped.stderr)
        os.kill(leader, signal.SIGKILL)
        daemon.call("quit")
        code = daemon.process.wait(TIMEOUT)
        left = marked(daemon.run)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        self.assertTrue(gone(*left))
        log = daemon.ended(code)
        for pid, said in ((child, "not allowed"), (child, "left behind"), (leader, "not allowed")):
            lines = [line for line in log if said in line and str(pid) in line.split()]
            self.assertEqual(len(lines), 1, lines)
            self.assertIn(f"process {pid} (sleep)", lines[0])


if __name__ == "__main__":
    unittest.main()
