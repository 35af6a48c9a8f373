"""How processes end, and what is left of them."""

from __future__ import annotations

import os
import shlex
import signal
import unittest
from pathlib import Path

from cvec_circus.base.clock import SYSTEM
from tests.cases.case import PATIENCE, Case, as_root, long, sh
from tests.faults.container import Container, refusal
from tests.support.children import as_user
from tests.support.daemon import alive, gone, marked
from tests.support.eventually import eventually

STUBBORN = sh('(trap "" TERM; exec sleep 7773) & exec sleep 7774')
ESCAPES = sh("setsid sleep 7771 & exec sleep 7772")


def pipes(pid: int) -> int:
    """Count the pipes that a process has open."""
    count = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            count += os.readlink(f"/proc/{pid}/fd/{fd}").startswith("pipe:")
        except FileNotFoundError:
            pass  # closed meanwhile
    return count


class TestEnding(Case):
    def test_the_configuration_is_a_pipe_that_nobody_writes(self) -> None:
        """`reloadconfig FIFO` while children ignore SIGTERM -> `stop` is over after
        graceful_timeout, by SIGKILL; the daemon ends with 0 and nothing is left."""
        daemon = self.daemon(f"[watcher:w]\ncmd = {STUBBORN}\ngraceful_timeout = 1\n")
        self.running(daemon, "sleep 7773")
        fifo = daemon.folder / "fifo"
        os.mkfifo(fifo)
        self.assertIn("not a regular file", daemon.ctl("reloadconfig", str(fifo)).stderr)
        with self.within(10):
            done = daemon.ctl("stop", "w", "--waiting")
        self.assertEqual((done.returncode, done.stdout), (0, "ok\n"))
        self.assertEqual(marked(daemon.run), [])
        daemon.signal(signal.SIGTERM)
        daemon.ended()

    @long
    def test_a_file_of_1_5_gigabytes_is_packed_meanwhile(self) -> None:
        """A stop while `compress = True` packs a large file -> as soon as without."""
        keep = "stdout_stream.max_bytes = 1000\nstdout_stream.backup_count = 1\n"
        text = f"[watcher:w]\ncmd = {STUBBORN}\ngraceful_timeout = 1\n"
        talk = "[watcher:talk]\ncmd = sh -c 'echo hello; exec sleep 1000'\n"
        log = f"stdout_stream.filename = {{DIR}}/x\n{keep}stdout_stream.compress = True\n"

        def large(folder: Path) -> None:
            with (folder / "x").open("wb") as file:
                file.truncate(1_500_000_000)

        daemon = self.daemon(f"{text}{talk}{log}", prepare=large)
        self.running(daemon, "sleep 7773")
        with self.within(10):
            self.assertEqual(daemon.ctl("stop", "w", "--waiting").returncode, 0)
        self.assertEqual(self.table(daemon, "w")["STATE"], "stopped")

    @long
    def test_500_processes_with_stubborn_children(self) -> None:
        """`quit` of 500 processes whose children ignore SIGTERM -> no survivors."""
        text = f"[watcher:w]\ncmd = {STUBBORN}\ngraceful_timeout = 1\nnumprocesses = 500\n"
        daemon = self.daemon(text)
        self.running(daemon, "sleep 7773", 500)
        daemon.call("quit")
        daemon.ended(timeout=60)

    @as_root
    @unittest.skipIf(refusal(), refusal())
    def test_proc_hides_the_processes_of_others(self) -> None:
        """An ordinary user's daemon where /proc is mounted with hidepid=1 -> as elsewhere, without
        endless retries."""
        daemon = Container(
            self,
            f"[watcher:w]\ncmd = {STUBBORN}\ngraceful_timeout = 0.5\n",
            setup="mount -o remount,hidepid=1 /proc",
            become=shlex.join(as_user(65534)),
            prepare=lambda folder: folder.chmod(0o777),
        )
        self.running(daemon, "sleep 7773")
        with self.within(10):
            done = daemon.ctl("stop", "w", "--waiting")
        self.assertEqual((done.returncode, done.stdout), (0, "ok\n"), done.stderr)
        self.running(daemon, "sleep 7773", 0)
        self.running(daemon, "sleep 7774", 0)
        daemon.signal(signal.SIGTERM)
        daemon.ended()

    def test_sessions_of_their_own_with_stop_children(self) -> None:
        """`stop_children = True` and a child behind setsid -> it ends too; children of the same
        group get `stop_signal`."""
        told = 'for n in USR1 TERM; do trap "echo got $n; exit" $n; done; echo there; '
        told += "while :; do sleep 0.1; done"
        text = f"[watcher:a]\ncmd = {ESCAPES}\nstop_children = True\n[watcher:b]\n"
        text += f"cmd = {sh(f'({told}) & exec sleep 7774')}\nstop_children = True\n"
        daemon = self.daemon(f"{text}stop_signal = USR1\n")
        daemon.out.containing("there")
        for _ in range(20):
            self.running(daemon, "sleep 7771")
            self.assertEqual(daemon.ctl("stop", "a", "--waiting").returncode, 0)
            self.running(daemon, "sleep 7771", 0)
            daemon.order("start", name="a")
        daemon.order("stop", name="b")
        self.assertEqual(daemon.out.containing("got"), "got USR1")

    def test_what_a_killed_leader_leaves_ignores_sigterm(self) -> None:
        """A leader is killed, its background child ignores SIGTERM -> a fresh one after
        `leftover_timeout`; meanwhile REASON says what for it waits."""
        daemon = self.daemon(f"[watcher:w]\ncmd = {STUBBORN}\nleftover_timeout = 2\n")
        (child,) = self.running(daemon, "sleep 7773")
        (leader,) = self.running(daemon, "sleep 7774")
        os.kill(leader, signal.SIGKILL)
        self.assertTrue(eventually(lambda: "waits" in self.table(daemon, "w")["REASON"], 5))
        with self.within(10):
            self.assertTrue(eventually(lambda: daemon.wire.pids("w") not in ([], [leader])))
        self.assertTrue(gone(child))

    def test_orphans_that_keep_the_output_open(self) -> None:
        """11 lives of a leader whose orphan holds its stdout -> as many pipes as with one."""
        text = f"[watcher:w]\ncmd = {sh('sleep 7771 & exec sleep 7772')}\nbackoff = False\n"
        text += "stdout_stream.filename = {DIR}/x\nleftover_timeout = 0.2\n"
        daemon = self.daemon(text)
        before = 0
        for life in range(11):
            (leader,) = self.running(daemon, "sleep 7772")
            self.running(daemon, "sleep 7771")
            before = before or pipes(daemon.pid)
            os.kill(leader, signal.SIGKILL)
            self.assertTrue(gone(leader), life)
        self.running(daemon, "sleep 7772")
        self.assertTrue(eventually(lambda: pipes(daemon.pid) <= before), pipes(daemon.pid))

    def test_sessions_of_their_own_are_named(self) -> None:
        """A leader that has left a child behind setsid is killed three times -> `stop` and the log
        name all four."""
        daemon = self.daemon(f"[watcher:w]\ncmd = {ESCAPES}\nbackoff = False\n")
        for life in range(1, 4):
            self.running(daemon, "sleep 7771", life)
            (leader,) = self.running(daemon, "sleep 7772")
            os.kill(leader, signal.SIGKILL)
            self.assertTrue(gone(leader))
        strays = self.running(daemon, "sleep 7771", 4)
        done = daemon.ctl("stop", "w", "--waiting")
        for pid in strays:
            self.assertIn(str(pid), done.stdout + done.stderr)
            daemon.log.containing(f"w: process {pid} (sleep) is left behind")

    def test_two_sigterms_at_once(self) -> None:
        """SIGTERM twice within 5 ms -> the programs have their graceful_timeout all the same."""
        told = sh('trap "sleep 1; echo orderly; exit" TERM; echo there; while :; do sleep 1; done')
        daemon = self.daemon(f"[watcher:w]\ncmd = {told}\n")
        daemon.out.containing("there")
        daemon.signal(signal.SIGTERM)
        daemon.signal(signal.SIGTERM)
        daemon.out.containing("orderly")
        daemon.ended()

    def test_signals_that_end_a_program_by_default(self) -> None:
        """ALRM, IO, XCPU, PROF, VTALRM and real-time signals to the daemon -> it goes on, or ends
        in order; nothing is orphaned."""
        names = ("ALRM", "IO", "XCPU", "PROF", "VTALRM", "XFSZ", "PWR", "RTMIN", "RTMAX")
        for name in names:
            with self.subTest(name):
                daemon = self.daemon("[watcher:w]\ncmd = sleep 7772\n")
                self.running(daemon, "sleep 7772")
                daemon.signal(getattr(signal, f"SIG{name}"))
                began = SYSTEM.monotonic()
                eventually(lambda d=daemon: not alive(d.pid), 0.5 if name != "PWR" else PATIENCE)
                if alive(daemon.pid):
                    self.assertLess(SYSTEM.monotonic() - began, PATIENCE)
                    daemon.call("ping")
                    daemon.signal(signal.SIGTERM)
                daemon.ended()


if __name__ == "__main__":
    unittest.main()
