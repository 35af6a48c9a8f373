"""Signals to the daemon, at every moment."""

from __future__ import annotations

import os
import signal
import unittest
from pathlib import Path

from cvec_circus.base.clock import SYSTEM
from tests.support.daemon import Daemon, DaemonCase, alive, child, gone, marked
from tests.support.eventually import eventually
from tests.support.hurry import hurried

SLEEP = "cmd = sleep 1000"
INSISTING = hurried({"system.signals.INSISTENCE": 0.2})


def watchers(count: int, *lines: str) -> str:
    """A configuration of so many watchers."""
    body = "\n".join(lines or (SLEEP,))
    return "\n".join(f"[watcher:w{number:03}]\n{body}\n" for number in range(count))


class TestStopping(DaemonCase):
    """Whatever goes on, a signal ends everything, in order, with exit code 0."""

    def ends(self, daemon: Daemon, *signums: int, timeout: float = 20.0) -> list[str]:
        for signum in signums:
            daemon.signal(signum)
        return daemon.ended(timeout=timeout)

    def test_each_signal(self) -> None:
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            log = self.ends(self.daemon(watchers(2)), signum)
            self.assertIn(f"stopping (signal:{signum.name[3:]})", "\n".join(log))
            self.assertTrue(log[-1].endswith("stopped"), log)

    def test_in_the_middle_of_a_start_with_warm_ups(self) -> None:
        circus = "warmup_delay = 0.05"
        daemon = self.daemon(watchers(100, SLEEP, "warmup_delay = 0.5"), circus=circus)
        daemon.wire.events.wait("spawn", 5)
        self.ends(daemon, signal.SIGTERM)

    def test_in_the_middle_of_a_start_without(self) -> None:
        daemon = self.daemon(watchers(100))
        self.ends(daemon, signal.SIGTERM)

    def test_as_soon_as_it_says_that_it_is_up(self) -> None:
        daemon = self.daemon(watchers(20), up=False)
        daemon.log.containing(" is up: ")
        self.ends(daemon, signal.SIGTERM)

    def test_before_it_is_up(self) -> None:
        # Once there is a pid file, the daemon hears signals.
        for signum in (signal.SIGTERM, signal.SIGINT):
            daemon = self.daemon(watchers(3), "--pidfile", "pid", up=False)
            self.assertTrue(eventually((daemon.folder / "pid").exists))
            self.ends(daemon, signum)
            self.assertFalse((daemon.folder / "pid").exists())

    def test_in_the_middle_of_a_restart(self) -> None:
        stubborn = child("wait", "ignore", "TERM")
        daemon = self.daemon(watchers(5, f"cmd = {stubborn}", "graceful_timeout = 0.3"))
        for _ in range(5):
            daemon.out.until("ready")
        daemon.call("restart")
        daemon.wire.events.next("kill")
        self.ends(daemon, signal.SIGTERM)

    def test_in_a_mass_death(self) -> None:
        daemon = self.daemon(watchers(4, SLEEP, "numprocesses = 25"))
        daemon.wire.events.wait("start", 4)
        for name in range(4):
            for pid in daemon.wire.pids(f"w{name:03}"):
                os.kill(pid, signal.SIGKILL)
        self.ends(daemon, signal.SIGTERM)

    def test_while_nothing_can_be_started(self) -> None:
        daemon = self.daemon(watchers(20, "cmd = /no/such/program", "max_retry = -1"))
        daemon.log.containing("attempt 3")
        self.ends(daemon, signal.SIGTERM)

    def test_with_nothing_to_stop(self) -> None:
        self.ends(self.daemon(), signal.SIGTERM)

    def test_groups_that_ignore_it_are_killed_in_time(self) -> None:
        stubborn = child("levels", "ignore", "ignore")
        daemon = self.daemon(f"[watcher:a]\ncmd = {stubborn}\ngraceful_timeout = 0.3\n")
        daemon.out.until("ready")
        with self.within(10):
            self.ends(daemon, signal.SIGTERM)

    def test_further_ones_only_tell_how_much_time_is_left(self) -> None:
        stubborn = child("levels", "ignore", "ignore")
        daemon = self.daemon(f"[watcher:a]\ncmd = {stubborn}\ngraceful_timeout = 1000\n")
        daemon.out.until("ready")
        for signum in (signal.SIGTERM, signal.SIGTERM, signal.SIGQUIT, signal.SIGTERM):
            daemon.signal(signum)
        line = daemon.log.containing("already stopping (signal:")
        self.assertRegex(line, r"; done within 100[45] s$")
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.call("status")["statuses"], {"a": "stopping"})
        self.assertTrue(all(map(alive, marked(daemon.run))))
        began = SYSTEM.monotonic()
        daemon.interrupt()
        log = "\n".join(daemon.ended())
        self.assertGreater(SYSTEM.monotonic() - began, 1.0)
        self.assertIn("; another SIGINT kills what is left", log)
        self.assertIn("interrupted again (signal:INT): killing what is left", log)

    def test_one_interrupted_by_hand_is_killed_by_hand(self) -> None:
        stubborn = child("levels", "ignore", "ignore")
        daemon = self.daemon(
            f"[watcher:a]\ncmd = {stubborn}\ngraceful_timeout = 1000\n", wrapper=INSISTING
        )
        daemon.out.until("ready")
        daemon.signal(signal.SIGINT)
        daemon.wire.events.next("kill")
        daemon.interrupt()
        log = "\n".join(daemon.ended())
        self.assertIn("stopping (signal:INT)", log)
        self.assertEqual(log.count(": killing what is left"), 1, log)

    def test_one_after_a_quit_is_no_second_one(self) -> None:
        # systemd sends it at once when its ExecStop has returned.
        stubborn = child("wait", "ignore", "TERM")
        daemon = self.daemon(f"[watcher:a]\ncmd = {stubborn}\n", wrapper=INSISTING)
        daemon.out.until("ready")
        daemon.call("quit")
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.out.until("signal"), "TERM")
        (pid,) = marked(daemon.run)
        self.assertTrue(alive(pid))
        daemon.interrupt()
        daemon.ended()

    def test_what_was_promised_more_time_keeps_nobody_waiting(self) -> None:
        stubborn = child("wait", "ignore", "TERM")
        daemon = self.daemon(
            f"[watcher:a]\ncmd = {stubborn}\ngraceful_timeout = 0.2\n",
            wrapper=hurried(
                {"supervisor.shutdown.SHUTDOWN_MARGIN": 1.5, "supervisor.shutdown.MARGIN": 2.0}
            ),
        )
        daemon.out.until("ready")
        daemon.call("kill", name="a", graceful_timeout=1000)
        daemon.wire.events.next("kill")
        with self.within(10):
            self.ends(daemon, signal.SIGTERM)

    def test_a_flood_of_signals_at_the_end(self) -> None:
        daemon = self.daemon(watchers(10))
        daemon.wire.events.wait("start", 10)
        while daemon.process.poll() is None:
            daemon.signal(signal.SIGTERM)
            daemon.signal(signal.SIGHUP)
        log = daemon.ended()
        self.assertNotIn("Traceback", "\n".join(log))
        self.assertNotIn("Exception", "\n".join(log))

    def test_a_reload_does_not_bring_back_what_is_being_stopped(self) -> None:
        stubborn = child("wait", "ignore", "TERM")
        daemon = self.daemon(f"[watcher:a]\ncmd = {stubborn}\ngraceful_timeout = 0.3\n")
        daemon.out.until("ready")
        daemon.signal(signal.SIGTERM)
        daemon.wire.events.next("kill")
        daemon.signal(signal.SIGHUP)
        log = "\n".join(daemon.ended(timeout=10.0))
        self.assertEqual(log.count(" started (config)"), 2, log)  # the process, the watcher
        self.assertNotIn("reloading", log)

    def test_a_client_that_waits_is_answered(self) -> None:
        daemon = self.daemon(f"[watcher:a]\ncmd = {child('wait')}\n")
        daemon.out.until("ready")
        daemon.order("quit")
        daemon.ended()

    def test_orders_are_refused_and_questions_answered_meanwhile(self) -> None:
        stubborn = child("wait", "ignore", "TERM")
        daemon = self.daemon(f"[watcher:a]\ncmd = {stubborn}\n{watchers(1)}", wrapper=INSISTING)
        daemon.out.until("ready")
        daemon.signal(signal.SIGTERM)
        daemon.wire.events.next("kill", watcher="a")
        for command in ("start", "stop", "restart", "reload"):
            self.assertEqual(daemon.wire.refused(command), "arbiter is stopping")
        refused = daemon.wire.refused("add", name="x", cmd="true", start=True)
        self.assertEqual(refused, "arbiter is stopping")
        daemon.wire.events.next("stop", watcher="w000")
        expected = {"a": "stopping", "w000": "stopped"}
        self.assertEqual(daemon.call("status")["statuses"], expected)
        daemon.interrupt()
        daemon.ended()

    def test_a_process_that_stopped_itself(self) -> None:
        daemon = self.daemon(f"[watcher:a]\n{SLEEP}")
        daemon.wire.events.next("start")
        (pid,) = daemon.wire.pids("a")
        os.kill(pid, signal.SIGSTOP)
        with self.within(15):
            self.ends(daemon, signal.SIGTERM)


class TestReload(DaemonCase):
    """SIGHUP: fresh processes, log files reopened."""

    def test_every_process_is_replaced(self) -> None:
        daemon = self.daemon(watchers(3) + "[watcher:off]\ncmd = sleep 999\nautostart = False\n")
        events = daemon.wire.events
        events.wait("start", 3)
        before = [pid for name in range(3) for pid in daemon.wire.pids(f"w{name:03}")]
        daemon.signal(signal.SIGHUP)
        events.wait("reload", 3)
        after = [pid for name in range(3) for pid in daemon.wire.pids(f"w{name:03}")]
        self.assertTrue(gone(*before))
        self.assertEqual(len(after), 3)
        self.assertFalse(set(before) & set(after))
        reaped = events.of("reap")
        self.assertEqual({event["cause"] for event in reaped}, {"signal:HUP"})
        self.assertEqual(daemon.wire.status("off")[0], "stopped")
        self.assertEqual(daemon.call("ping")["run"], daemon.run)

    def test_those_who_want_the_signal_get_it(self) -> None:
        program = child("wait")
        daemon = self.daemon(f"[watcher:a]\ncmd = {program}\nsend_hup = True\n")
        pid = int(daemon.out.until("ready"))
        daemon.signal(signal.SIGHUP)
        self.assertEqual(daemon.out.until("signal"), "HUP")
        self.assertEqual(daemon.wire.pids("a"), [pid])
        for arguments in (("a",), ("a", "--waiting"), ("--waiting",)):
            with self.subTest(arguments):
                done = daemon.ctl("reload", *arguments)
                self.assertEqual(done.stdout, "ok\n")
                self.assertIn("a: got SIGHUP; its processes were not replaced", done.stderr)
        self.assertEqual(daemon.ctl("reload", "a", "--terminate", "--waiting").stdout, "ok\n")

    def test_log_files_are_reopened(self) -> None:
        daemon = self.daemon(
            f"[watcher:a]\ncmd = {child('wait')}\nstdout_stream.filename = {{DIR}}/a.log\n"
            "send_hup = True\n",
            "--log-output",
            "log",
            up=False,
        )
        log, stream = daemon.folder / "log", daemon.folder / "a.log"
        self.assertTrue(eventually(lambda: stream.exists() and "ready" in stream.read_text()))
        daemon.connect()
        log.rename(log.with_suffix(".1"))
        stream.rename(stream.with_suffix(".1"))
        daemon.signal(signal.SIGHUP)
        # What the process says of the signal may still have gone to the file that was moved away.
        self.assertTrue(eventually(lambda: log.exists() and stream.exists()))
        self.assertTrue(eventually(lambda: "reloading (signal:HUP)" in log.read_text()))
        daemon.call("signal", name="a", signum="USR1")
        self.assertTrue(eventually(lambda: "signal USR1" in stream.read_text()))

    def test_log_files_are_reopened_and_nothing_else_is_done(self) -> None:
        daemon = self.daemon(
            f"[watcher:a]\ncmd = {child('wait')}\nstdout_stream.filename = {{DIR}}/a.log\n",
            "--log-output",
            "log",
            up=False,
        )
        log, stream = daemon.folder / "log", daemon.folder / "a.log"
        self.assertTrue(eventually(lambda: stream.exists() and "ready" in stream.read_text()))
        daemon.connect()
        pids = daemon.wire.pids("a")
        for number, reopen in enumerate((self.by_signal, lambda daemon: daemon.call("reopen"))):
            log.rename(log.with_suffix(f".{number}"))
            stream.rename(stream.with_suffix(f".{number}"))
            reopen(daemon)
            self.assertTrue(eventually(lambda: log.exists() and stream.exists()))
        daemon.call("signal", name="a", signum="USR1")
        self.assertTrue(eventually(lambda: "signal USR1" in stream.read_text()))
        self.assertEqual(daemon.wire.pids("a"), pids)

    def by_signal(self, daemon: Daemon) -> None:
        daemon.signal(signal.SIGUSR1)


class TestInherited(DaemonCase):
    """What the daemon was started with does not reach its children."""

    PROGRAM = (
        "import os, signal, sys;"
        "[signal.signal(s, signal.SIG_IGN) for s in signal.valid_signals() - {9, 19}];"
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals());"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )

    def test_ignored_and_blocked_signals(self) -> None:
        daemon = self.daemon(
            "[watcher:a]\ncmd = sleep 1000\n[watcher:b]\ncmd = sh -c 'exit 3'\nrespawn = False\n",
            wrapper=[os.sys.executable, "-I", "-S", "-c", self.PROGRAM],  # type: ignore
        )
        self.assertEqual(daemon.wire.events.next("reap")["exit_code"], 3)
        (pid,) = daemon.wire.pids("a")
        masks: dict[str, int] = {}

        def none_is_left() -> bool:
            # The kernel closes files before it resets handlers, and the parent waits for the first.
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith(("SigBlk", "SigIgn", "SigCgt")):
                    masks[line[:6]] = int(line[7:], 16)
            return set(masks.values()) == {0}

        self.assertTrue(eventually(none_is_left), masks)
        daemon.signal(signal.SIGTERM)
        daemon.ended()

    def test_only_the_standard_files(self) -> None:
        daemon = self.daemon(
            "[watcher:a]\ncmd = sleep 1000\nstdout_stream.filename = {DIR}/log\n"
            "[socket:s]\nhost = 127.0.0.1\nport = 0\n"
        )
        daemon.wire.events.next("start")
        (pid,) = daemon.wire.pids("a")
        self.assertTrue(eventually(lambda: len(os.listdir(f"/proc/{pid}/fd")) == 3))  # loaded
        self.assertEqual(sorted(os.listdir(f"/proc/{pid}/fd")), ["0", "1", "2"])
        self.assertEqual(os.readlink(f"/proc/{pid}/fd/0"), "/dev/null")


if __name__ == "__main__":
    unittest.main()
