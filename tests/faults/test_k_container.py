"""Group K: the daemon as process 1 of a container."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import unittest

from cvec_circus.base.clock import SYSTEM
from tests.faults.container import (
    SLEEP,
    UNSHARE,
    Container,
    ContainerCase,
    children_of,
    zombies_of,
)
from tests.support.daemon import BIN, child, folder, script
from tests.support.eventually import eventually
from tests.support.nightly import NIGHTLY, repetitions

DOCS = BIN.parent / "docs"

ORPHANS = """
[watcher:a]
cmd = sh -c 'i=0; while [ $i -lt {count} ]; do (setsid sh -c : &); i=$((i+1)); done; exec sleep 9'
copy_env = True
strays = ignore
"""


class TestOrphans(ContainerCase):
    """K1 and A9; A16 is what they would see without a reaper."""

    def test_k1_a_thousand_orphans_leave_no_zombie(self) -> None:
        count = 1000
        daemon = self.container(ORPHANS.format(count=count))
        daemon.wire.events.wait("start", 1)
        made = eventually(lambda: "sleep" in map(_command, children_of(daemon.first)), 20)
        self.assertTrue(made, "the orphans have not all been made")
        self.assertTrue(daemon.wait_for_zombies(0, 1.0), f"{zombies_of(daemon.first)} zombies")
        daemon.call("ping")
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        repetitions(self, count)


class TestSignals(ContainerCase):
    """K2: what each signal does to process 1, for which the kernel has no default action."""

    def test_k2_those_that_stop(self) -> None:
        for name in ("TERM", "INT", "QUIT", "PWR") if NIGHTLY else ("QUIT",):
            daemon = self.container()
            daemon.wire.events.wait("start", 1)
            daemon.signal(getattr(signal, f"SIG{name}"))
            self.assertIn(f"stopping (signal:{name})", "\n".join(daemon.ended()))

    def test_k2_those_that_do_not(self) -> None:
        daemon = self.container()
        daemon.wire.events.wait("start", 1)
        before = daemon.wire.pids("a")
        daemon.signal(signal.SIGWINCH)
        daemon.signal(signal.SIGUSR2)
        daemon.log.containing("ignored SIGUSR2")
        daemon.signal(signal.SIGUSR1)
        daemon.log.containing("reopening log files (signal:USR1)")
        self.assertEqual(daemon.wire.pids("a"), before)
        daemon.signal(signal.SIGHUP)
        daemon.log.containing("reloading (signal:HUP)")
        self.assertTrue(eventually(lambda: daemon.wire.pids("a") not in (before, [])))
        daemon.signal(signal.SIGTERM)
        daemon.ended()

    def test_k2_one_that_comes_before_anything_is_started(self) -> None:
        # The file is a fifo: the daemon waits in the middle of its start.
        fifo = folder(self) / "circus.ini"
        os.mkfifo(fifo)
        process = subprocess.Popen([*UNSHARE, *script("cvec_circusd", fifo)])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertTrue(eventually(lambda: any(map(_handles_term, children_of(process.pid)))))
        os.kill(children_of(process.pid)[0], signal.SIGTERM)
        self.assertEqual(process.wait(20), 128 + signal.SIGTERM)


class TestEssential(ContainerCase):
    """K3: the exit code of an essential watcher is that of the container."""

    def test_k3_codes(self) -> None:
        ends = [(f"exit {code}", code) for code in (range(256) if NIGHTLY else (255,))]
        for end, code in [*ends, ("kill -KILL $$", 137)]:
            text = f"[watcher:b]\ncmd = sh -c '{end}'\nrespawn = False\nessential = True\n"
            daemon = self.container(f"{SLEEP}{text}", up=False)
            log = "\n".join(daemon.ended(code))
            self.assertIn("stopping (essential): b is essential and has ended: ", log)
            self.assertIn("a: stopped (essential)", log)
            repetitions(self, 1)

    def test_k3_one_that_cannot_be_started(self) -> None:
        text = "[watcher:b]\ncmd = /no/such/program\nmax_retry = 2\nessential = True\n"
        daemon = self.container(f"{SLEEP}{text}", up=False)
        self.assertIn("has ended: cannot run /no/such/program", "\n".join(daemon.ended(1)))

    def test_k3_one_that_is_wrong_in_the_file(self) -> None:
        text = "[watcher:b]\ncmd = sleep 1\nnumprocesses = many\nessential = True\n"
        daemon = self.container(f"{SLEEP}{text}", up=False)
        self.assertIn("numprocesses", "\n".join(daemon.ended(1)))


class TestStopping(ContainerCase):
    """K4 and K5: a container is killed 10 s after it was asked to stop."""

    def test_k4_fifty_children_that_ignore_the_signal(self) -> None:
        text = f"[watcher:a]\ncmd = {child('wait', 'ignore', 'TERM')}\nnumprocesses = 50\n"
        daemon = self.container(f"{text}copy_env = True\n")
        for _ in range(50):
            daemon.out.containing("ready")
        found = daemon.call("get", name="a", keys=["graceful_timeout"])["options"]
        self.assertEqual(found, {"graceful_timeout": 8.0})
        daemon.order("set", name="a", options={"graceful_timeout": 1})
        began = SYSTEM.monotonic()
        daemon.signal(signal.SIGTERM)
        log = daemon.ended()
        self.assertLess(SYSTEM.monotonic() - began, 1 + 2)
        self.assertEqual(len(re.findall("killing it and its group", "\n".join(log))), 50)

    def test_k5_what_others_depend_on_stops_after_them(self) -> None:
        text = "".join(
            f"[watcher:{name}]\ncmd = sleep 1000\ndepends_on = {needs}\n"
            for name, needs in (("web", "cache, db"), ("cache", "db"), ("db", ""))
        )
        daemon = self.container(text)
        daemon.wire.events.wait("start", 3)
        daemon.signal(signal.SIGTERM)
        stopped = [line.split("] ")[-1] for line in daemon.ended() if ": stopped" in line]
        self.assertEqual([line.partition(":")[0] for line in stopped], ["web", "cache", "db"])


class TestSurroundings(ContainerCase):
    """K6 to K13: what a container may lack."""

    def lives(self, daemon: Container) -> list[str]:
        """Have a process replaced, and stop."""
        daemon.wire.events.wait("start", 1)
        daemon.order("reload", name="a")
        daemon.signal(signal.SIGTERM)
        return daemon.ended()

    def test_k6_a_root_that_is_read_only(self) -> None:
        # Only the folder of the test can be written to: its endpoints are files.
        setup = 'mount --bind "$PWD" "$PWD"; mount -o remount,ro,bind /; cd "$PWD"'
        log = self.lives(self.container(setup=setup))
        self.assertNotIn("ERROR", "\n".join(log))

    def test_k6_a_log_that_cannot_be_written(self) -> None:
        setup = "mount -o remount,ro,bind /"
        daemon = self.container(setup=setup, circus="logoutput = /x.log", up=False)
        self.assertIn("/x.log: Read-only file system", "\n".join(daemon.ended(1)))

    def test_k7_a_user_without_an_entry_in_passwd(self) -> None:
        # The capability only lets it read the interpreter of the tests, wherever that is.
        caps = "--inh-caps +dac_read_search --ambient-caps +dac_read_search"
        become = f"setpriv --reuid 54321 --regid 54321 --clear-groups {caps}"
        log = self.lives(self.container(setup="chown 54321 .", become=become))
        self.assertNotIn("ERROR", "\n".join(log))

    def test_k8_without_dev_shm(self) -> None:
        self.lives(self.container(setup="umount -l /dev/shm"))

    def test_k9_without_proc(self) -> None:
        daemon = self.container(setup="umount -l /proc; umount -l /proc", up=False)
        self.assertIn("there is no /proc, which shows", "\n".join(daemon.ended(1)))

    def test_k9_with_the_proc_of_another_namespace(self) -> None:
        daemon = self.container(setup="umount /proc", up=False)
        self.assertIn("/proc is that of another pid namespace", "\n".join(daemon.ended(1)))

    def test_k11_standard_files_that_are_closed(self) -> None:
        self.lives(self.container(setup="exec <&- >&-"))

    def test_k11_a_program_of_another_user_opens_its_standard_output(self) -> None:
        cmd = "sh -c 'echo err > /dev/stderr; echo out > /dev/stdout; exec sleep 1000'"
        daemon = self.container(f"[watcher:a]\ncmd = {cmd}\nuid = 65534\ngid = 65534\n")
        daemon.out.containing("out")
        daemon.signal(signal.SIGTERM)
        self.assertIn("err", daemon.ended())

    def test_k12_a_huge_environment(self) -> None:
        env = {f"HUGE_{number}": "x" * 100_000 for number in range(10)}
        self.lives(self.container(f"{SLEEP}copy_env = True\n", env=env))

    def test_k13_the_example_of_the_documentation(self) -> None:
        example = DOCS / "examples/container/circus.ini"
        argv = script("cvec_circusd", "--check", example, "--elsewhere")
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.stdout, f"{example}: ok; 2 watchers\n")
        dockerfile = (example.parent / "Dockerfile").read_text()
        self.assertIn(_endpoint(example.read_text()), dockerfile)

    def test_k13_the_first_process_does_not_go_to_the_background(self) -> None:
        daemon = self.container(SLEEP, arguments=["--daemon"], up=False)
        self.assertIn("--daemon would end the container", "\n".join(daemon.ended(1)))


def _endpoint(text: str) -> str:
    """Return the control endpoint of a configuration."""
    return re.search("^endpoint = (.*)$", text, re.MULTILINE)[1]


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _handles_term(pid: int) -> bool:
    with open(f"/proc/{pid}/status") as file:
        caught = int(re.search(r"SigCgt:\s*(\w+)", file.read())[1], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


if __name__ == "__main__":
    unittest.main()
