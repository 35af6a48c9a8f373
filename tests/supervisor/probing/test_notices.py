"""What processes say by NOTIFY_SOCKET, with real processes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from cvec_circus.base.clock import SYSTEM
from cvec_circus.supervisor.probing import notices
from cvec_circus.system import accounts
from tests.support.probing import NOTIFY, ProbeCase, Program, python, shell, sockets_of
from tests.support.silence import silence

WAIT = "\ntime.sleep(1000)"


class NotifyCase(ProbeCase):
    def says(self, script: str, **options: Any) -> Program:
        given = {"ready.a": "notify", **options}
        return Program(**python(f"{NOTIFY}\n{script}{WAIT}"), **given)

    def pause(self, seconds: float) -> None:
        """Turn the loop for a while."""
        deadline = SYSTEM.monotonic() + seconds
        self.until(lambda: SYSTEM.monotonic() >= deadline)


class ReadyTest(NotifyCase):
    def test_ready(self) -> None:
        watcher = self.says("notify('STATUS=warm\\x1b up')\nnotify('READY=1\\nSTATUS=fine')")
        process = self.probe(watcher)
        self.assertEqual(self.probed, [(1, False, "")])
        self.assertEqual(self.row(process, "a")["answer"], "READY=1, STATUS=fine")
        self.assertEqual(self.desk.status(process), "fine")
        self.assertEqual(self.desk.unmet(process), "")

    def test_not_ready(self) -> None:
        process = self.start(self.says("notify('STATUS=warm\\x1b up')"))
        said = "check a: no READY=1 came on NOTIFY_SOCKET"
        self.assertEqual(self.desk.unmet(process), said)
        self.until(lambda: self.desk.status(process))
        self.assertEqual(self.desk.unmet(process), f"{said}; it did send STATUS=warm up")
        self.assertEqual(self.probed, [])

    def test_a_blank_too_many_is_shown(self) -> None:
        process = self.start(self.says("notify('READY=1 ')"))
        said = "check a: no READY=1 came on NOTIFY_SOCKET"
        self.until(lambda: self.desk.unmet(process) == f"{said}; it did send READY='1 '")
        self.assertEqual(self.probed, [])

    def test_only_with_a_check_of_it(self) -> None:
        silence(self)
        script = shell("echo got ${NOTIFY_SOCKET:+n}${WATCHDOG_USEC:+w}. && exec sleep 1000")
        for checks, got in (
            ({"ready.a": "fd:3"}, "got ."),
            ({"ready.a": "notify"}, "got n."),
            ({"live.a": "notify"}, "got nw."),
        ):
            process = self.start(Program(**script, **checks, **{"ready.log": f"log:{got}"}))
            self.until(lambda: self.state(process, "log") == "holds")  # noqa: B023
            self.desk.release(None, process)

    @unittest.skipUnless(shutil.which("systemd-notify"), "systemd is not installed")
    def test_systemd_notify_with_its_barrier(self) -> None:
        script = shell("systemd-notify --ready --status=x && echo >&5 && exec sleep 1000")
        process = self.start(Program(**script, **{"ready.a": "notify", "ready.b": "fd:5"}))
        self.until(lambda: self.probed)  # so systemd-notify has not waited in vain
        self.assertEqual(self.row(process, "a")["answer"], "READY=1, STATUS=x")

    def test_the_package_sdnotify(self) -> None:
        script = "import sdnotify\nsdnotify.SystemdNotifier().notify('READY=1')"
        self.probe(Program(**python(f"{script}{WAIT}"), **{"ready.a": "notify"}))
        self.assertEqual(self.probed, [(1, False, "")])

    def test_files_are_closed(self) -> None:
        before = len(os.listdir("/proc/self/fd"))
        script = (
            "r, w = os.pipe()\nfor _ in range(30): notify('FDSTORE=1', *[w] * 200)\nos.close(w)\n"
            "os.read(r, 1)\nnotify('READY=1')"  # which ends when every copy is closed
        )
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.probe(self.says(script))
        self.assertLess(len(os.listdir("/proc/self/fd")), before + 10)
        (line,) = (one for one in logs.output if "stored" in one)
        self.assertIn("sends files to be stored, which is not supported", line)


class TimeTest(NotifyCase):
    def test_more_time(self) -> None:
        script = "\n".join(
            f"notify('EXTEND_TIMEOUT_USEC={value}')"
            for value in ("1500000", "x", "-1", "0", "99999999999999")
        )
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.probe(self.says(f"{script}\nnotify('READY=1')"))
        self.assertEqual(self.extended, [1.5, 0.0, 3600.0])
        self.assertEqual(len(logs.output), 1)

    def test_more_time_while_it_is_stopped(self) -> None:
        script = (
            "import signal\n"
            "signal.signal(15, lambda *a: notify('STOPPING=1\\nEXTEND_TIMEOUT_USEC=2000000'))\n"
            "notify('READY=1')\nwhile True: time.sleep(1)"
        )
        watcher = self.says(script)
        process = self.probe(watcher)
        self.release(watcher, process)
        self.stop(process)
        self.until(lambda: self.extended)
        self.assertEqual(self.extended, [2.0])
        self.assertEqual([row["answer"] for row in self.desk.details(process)], ["STOPPING=1"])
        self.assertEqual(len(sockets_of(self)), 1)
        self.release(watcher, process, has_ended=True)
        self.assertEqual(sockets_of(self), [])

    def test_the_watchdog(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        hang, go_on = Path(folder.name, "hang"), Path(folder.name, "go_on")
        script = (
            "notify('READY=1')\nassert os.environ['WATCHDOG_USEC'] == '200000'\n"
            f"while not os.path.exists({str(go_on)!r}):\n"
            f"    if not os.path.exists({str(hang)!r}): notify('WATCHDOG=1')\n"
            "    time.sleep(0.01)\nnotify('WATCHDOG=1')"
        )
        watcher = self.says(script, **{"live.d": "notify"}, live_interval=0.2, live_failures=2)
        process = self.probe(watcher)
        self.desk.proved(watcher, process)
        self.until(lambda: self.state(process, "d") == "holds")
        self.pause(0.5)  # more than twice the interval
        self.assertEqual(self.probed, [(1, False, "")])
        hang.touch()
        self.until(lambda: len(self.probed) > 1)
        said = "live check d failed: no WATCHDOG=1 for 0.4 s"
        self.assertEqual(self.probed[1:], [(1, True, said)])
        self.assertEqual(self.row(process, "d")["failures"], 2)
        go_on.touch()
        self.until(lambda: len(self.probed) > 2)
        self.assertEqual(self.probed[2:], [(1, True, "")])

    def test_what_comes_of_the_watchdog_with_ready_counts(self) -> None:
        """The process hangs then: it has been alive for an interval, not for no time at all."""
        for text, is_well in (
            ("READY=1\\nWATCHDOG=1", True),
            ("WATCHDOG=1\\nREADY=1", True),
            ("WATCHDOG=1'); notify('READY=1", True),
            ("READY=1", False),
        ):
            with self.subTest(text):
                options = {"live_interval": 0.2, "live_failures": 2, "live.d": "notify"}
                watcher = self.says(f"notify('{text}')", **options)
                process = self.probe(watcher)
                self.desk.proved(watcher, process)
                self.assertEqual(self.state(process, "d"), "holds" if is_well else "not yet")
                self.until(lambda: self.probed[-1][1])
                well_for = self.well_for[-1]
                self.assertTrue(0.15 < well_for < 0.4 if is_well else well_for == 0.0, well_for)
                self.release(watcher, process)

    def test_a_watchdog_that_is_triggered(self) -> None:
        watcher = self.says(
            "notify('READY=1')\nos.read(0, 1)\nnotify('WATCHDOG=trigger')",
            **{"live.d": "notify"},
            close_child_stdin=True,
        )
        process = self.start(watcher)
        self.desk.proved(watcher, process)
        self.until(lambda: len(self.probed) > 1)
        self.assertIn((1, True, "live check d failed: WATCHDOG=trigger came"), self.probed)

    def test_one_that_is_triggered_again_and_again(self) -> None:
        both = "for _ in range(50):\n    notify('WATCHDOG=trigger')\n    notify('WATCHDOG=1')\n"
        well = "for _ in range(100):\n    time.sleep(0.01)\n    notify('WATCHDOG=1')"
        watcher = self.says(
            f"os.dup2(os.open(os.devnull, 1), 2)\nnotify('READY=1')\n{both}{well}",
            **{"live.d": "notify", "live_interval": 0.3},
        )
        process = self.start(watcher)
        self.desk.proved(watcher, process)
        self.until(lambda: len(self.probed) > 2)
        told = [failure for _, is_live, failure in self.probed if is_live]
        self.assertEqual(told, ["live check d failed: WATCHDOG=trigger came", ""])
        states = [one["state"] for _, one in self.changes if one["family"] == "live"]
        self.assertEqual(states[-2:], ["fails", "holds"])

    def test_a_check_that_comes_too_late_for_a_process(self) -> None:
        for more in ({}, {"ready.n": "notify"}):
            with self.subTest(more):
                watcher = Program(live_interval=0.01, live_failures=1, **more)
                process = self.start(watcher)
                watcher.set(**{"live.d": "notify"})
                self.desk.proved(watcher, process)
                self.pause(0.1)
                self.assertEqual(self.probed, [])
                self.assertEqual(self.row(process, "d")["answer"], "from the next process on")


class BadCompanyTest(NotifyCase):
    def test_a_flood(self) -> None:
        script = (
            "os.dup2(os.open(os.devnull, 1), 2)\nfor _ in range(10000): notify('STATUS=x' * 100)"
        )
        other = self.says("time.sleep(0.2)\nnotify('READY=1')")
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            flood = self.start(self.says(script))
            self.start(other, wid=2)
            self.until(lambda: self.probed)
            began, used = SYSTEM.monotonic(), time.thread_time()
            self.pause(1.2)
            busy = (time.thread_time() - used) / (SYSTEM.monotonic() - began)
        self.assertEqual(self.probed, [(2, False, "")])
        self.assertEqual(len(logs.output), 1)
        self.assertIn("sends more than 256 notifications a second", logs.output[0])
        self.assertLess(busy, 0.5)
        self.assertTrue(self.desk.status(flood))

    def test_one_that_speaks_for_another(self) -> None:
        good = self.start(self.says("pass"))
        address = good_path = self.desk._by_process[good].inbox.path
        script = (
            f"os.environ['NOTIFY_SOCKET'] = {address!r}\nfor _ in range(3): notify('READY=1')\n"
            "os.write(3, b'\\n')"
        )
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            bad = self.start(Program("bad", **python(f"{NOTIFY}\n{script}{WAIT}"), **FD), wid=2)
            self.until(lambda: self.probed)
        self.assertEqual(self.probed, [(2, False, "")])
        said = (
            f"web: slot 1 (pid {good.pid}) gets notifications from process {bad.pid} of bad, slot"
        )
        self.assertEqual(len(logs.output), 1)
        self.assertIn(said, logs.output[0])
        self.assertTrue(os.path.exists(good_path))

    def test_a_child_may_speak(self) -> None:
        script = "if os.fork() == 0:\n    os.setsid()\n    notify('READY=1')"
        self.probe(self.says(script))
        self.assertEqual(self.probed, [(1, False, "")])


FD = {"ready.a": "fd:3"}


class AddressTest(NotifyCase):
    def path(self, process: Any) -> str:
        return str(self.desk._by_process[process].inbox.path)

    def test_the_same_in_each_life(self) -> None:
        watcher = self.says("pass")
        process = self.start(watcher)
        path = self.path(process)
        self.assertTrue(path.endswith("/web.1"), path)
        again = self.start(watcher)  # in the same slot, as when the former one is gone
        self.assertEqual(self.path(again), path)
        self.assertTrue(os.path.exists(path))
        self.desk.forget(watcher)
        self.assertFalse(os.path.exists(path))

    def test_names_that_are_no_names_of_files(self) -> None:
        names = ("a/b", "../x", "a" * 300, "a b", "\u00e4", "a" * 299 + "b")
        paths = set()
        for number, name in enumerate(names):
            process = self.start(Program(name, **{"ready.a": "notify"}), wid=number)
            path = self.path(process).rpartition(".")[0]
            self.assertLessEqual(len(os.fsencode(path)), 100)
            self.assertEqual(Path(path).parent, Path(self.desk.notices._folder))
            paths.add(path)
        self.assertEqual(len(paths), len(names))

    def test_the_end_takes_everything_away(self) -> None:
        self.start(self.says("pass"))
        folder = self.desk.notices._folder
        Path(folder, "old.1").touch()  # of a life that was killed
        self.desk.close()
        self.assertFalse(os.path.exists(folder))

    def test_a_folder_that_is_not_ours(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o777)
            with mock.patch.object(notices, "SYSTEM_FOLDER", folder):
                with mock.patch.dict(os.environ, XDG_RUNTIME_DIR=folder):
                    process = self.start(self.says("pass"))
            self.assertTrue(self.path(process).startswith("/tmp/cvec_circus-"))
            self.assertEqual(os.listdir(folder), [])

    @unittest.skipIf(os.getuid(), "only root changes users")
    @unittest.skipUnless(shutil.which("systemd-notify"), "systemd is not installed")
    def test_a_folder_that_others_could_not_pass(self) -> None:
        """Another daemon has made it with a narrow umask."""
        accounts.look_up(65534, None)
        with tempfile.TemporaryDirectory() as above:
            os.chmod(above, 0o711)
            folder = os.path.join(above, "run")
            os.mkdir(folder, 0o700)
            script = shell("systemd-notify --ready && exec sleep 1000")
            with mock.patch.object(notices, "SYSTEM_FOLDER", folder):
                self.probe(Program(**script, **{"ready.a": "notify"}, uid=65534))
            self.assertEqual(os.stat(folder).st_mode & 0o777, 0o711)
            self.desk.close()

    def test_a_folder_that_was_cleaned_up(self) -> None:
        first = self.start(self.says("pass"))
        shutil.rmtree(os.path.dirname(self.path(first)))
        second = self.start(self.says("notify('READY=1')"), wid=2)
        self.until(lambda: self.probed)
        self.assertEqual(self.probed, [(2, False, "")])
        self.assertTrue(os.path.exists(self.path(second)))

    def test_a_folder_that_a_strict_umask_has_closed(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o700)
            with mock.patch.object(notices, "SYSTEM_FOLDER", folder):
                with mock.patch.dict(os.environ, XDG_RUNTIME_DIR=folder):
                    self.start(self.says("pass"))
            wanted = 0o711 if os.geteuid() == 0 else 0o700
            self.assertEqual(os.stat(folder).st_mode & 0o777, wanted)
            self.desk.close()

    def test_files_that_were_deleted_are_made_again(self) -> None:
        processes = [self.start(self.says("pass"), wid=wid) for wid in (1, 2)]
        paths = [self.path(process) for process in processes]
        one = self.desk.notices
        self.assertEqual(one.file, os.path.dirname(paths[0]))
        self.assertIsNone(one.look_after())
        for taken in (lambda: os.unlink(paths[1]), lambda: shutil.rmtree(one.file)):
            taken()
            self.probed.clear()
            finding = one.look_after()
            self.assertTrue(finding.is_over)
            self.assertIn("was deleted, and was made again", finding.text)
            finding.renew()
            self.assertIsNone(one.look_after())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            for path in paths:
                self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
                sender.sendto(b"READY=1", path)
        self.until(lambda: len(self.probed) == 2)
        self.desk.release(None, processes[1])
        os.unlink(paths[0])
        silence(self)
        shutil.rmtree(one.file)
        with open(one.file, "w"):  # something else is there
            self.assertIn("cannot be looked at: Not a directory", one.look_after().text)
        os.unlink(one.file)

    @unittest.skipIf(os.getuid(), "only root changes users")
    @unittest.skipUnless(shutil.which("systemd-notify"), "systemd is not installed")
    def test_another_user_can_write_and_nobody_else(self) -> None:
        accounts.look_up(65534, None)
        script = shell("systemd-notify --ready && exec sleep 1000")
        process = self.probe(Program(**script, **{"ready.a": "notify"}, uid=65534))
        self.assertEqual(self.probed, [(1, False, "")])
        path = self.path(process)
        self.assertEqual((os.stat(path).st_uid, os.stat(path).st_mode & 0o777), (65534, 0o600))
        stranger = subprocess.run(
            ["systemd-notify", "--status=wrong"],
            env={"NOTIFY_SOCKET": path, "PATH": os.environ["PATH"]},
            user=65533,
            group=65533,
            extra_groups=[],
            capture_output=True,
            cwd="/",
        )
        self.assertIn(b"Permission denied", stranger.stderr)
