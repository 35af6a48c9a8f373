"""cvec_circus-plugin, by hand and by the daemon: lines, exit codes, signals, the lifeline."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path
from unittest import mock

from cvec_circus.base.clock import SYSTEM
from cvec_circus.runtime.runner import extend_sys_path
from tests.runtime.process import LAUNCHER, MODULE, ROOT, SUBJECTS, PluginProcess, ProcessCase
from tests.support.eventually import eventually
from tests.support.hurry import hurried


class TestByHand(ProcessCase):
    def test_threads(self) -> None:
        process = self.by_hand(f"{SUBJECTS}.Talker")
        process.expect("handle_init on other")
        process.kill()
        process.expect("handle_stop on main")
        self.assertEqual(process.wait(), 0)
        self.assertEqual(process.rest(), "")

    def test_every_signal(self) -> None:
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            process = self.by_hand(f"{SUBJECTS}.Talker")
            process.expect("handle_init on other")
            process.kill(signum)
            process.expect("handle_stop on main")
            self.assertEqual(process.wait(), 0)

    def test_stop_is_overridden(self) -> None:
        process = self.by_hand(f"{SUBJECTS}.OwnStop")
        process.expect("handle_init")
        process.kill()
        process.expect("stop on main")
        process.expect("handle_stop on main")
        self.assertEqual(process.wait(), 0)

    def test_stop_is_overridden_badly(self) -> None:
        process = self.by_hand(f"{SUBJECTS}.ForgetfulStop")
        process.expect("handle_init")
        process.kill()
        process.expect("stop on main")
        process.expect("handle_stop on main")
        self.assertEqual(process.wait(), 0)
        self.assertIn("ForgetfulStop: stop raised", process.rest())

    def test_a_second_signal(self) -> None:
        for name, hangs_in in (("HangingStop", "handle_stop"), ("HangingRecv", "handle_recv")):
            process = self.by_hand(f"{SUBJECTS}.{name}")
            process.expect("handle_init")
            if name == "HangingRecv":
                self._publish_until_heard(process)
            else:
                process.kill()
            process.expect(hangs_in)
            for signum in (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):
                process.kill(signum)
            began = SYSTEM.monotonic()
            self.insist(process)
            self.assertGreater(SYSTEM.monotonic() - began, 1.0)
            self.assertIn("interrupted again: ending without handle_stop", process.rest())

    def insist(self, process: PluginProcess) -> None:
        """Interrupt a plugin until it takes that for an order to end at once."""

        def ended() -> bool:
            process.kill(signal.SIGINT)
            return process.process.poll() is not None

        self.assertTrue(eventually(ended, 20.0))
        self.assertEqual(process.wait(), 1)

    def test_further_signals_leave_handle_stop_alone(self) -> None:
        # Those of a service manager, which reach each process of a unit, and of the daemon.
        process = self.by_hand(f"{SUBJECTS}.SlowStop")
        process.expect("handle_init")
        for _ in range(3):
            process.kill()
        process.expect("handle_stop on main")
        process.kill()
        process.expect("stopped on main")
        self.assertEqual(process.wait(), 0)

    def _publish_until_heard(self, process: PluginProcess) -> None:
        def is_heard() -> bool:
            self.daemon.publish("web", "x")
            return not process.stdout.empty()

        self.assertTrue(eventually(is_heard))

    def test_a_second_signal_ends_a_thread_that_outlives_the_plugin(self) -> None:
        insisting = hurried({"system.signals.INSISTENCE": 0.2})
        launcher = [*insisting, sys.executable, LAUNCHER[-1]]
        process = self.by_hand(f"{SUBJECTS}.Lingering", argv=launcher)
        process.expect("handle_init")
        process.kill()
        process.expect("handle_stop on main")
        self.insist(process)

    def test_a_terminal_that_is_closed_says_so_twice(self) -> None:
        process = self.by_hand(f"{SUBJECTS}.Talker")
        process.expect("handle_init")
        process.kill(signal.SIGHUP)
        process.kill(signal.SIGHUP)
        process.expect("handle_stop on main")
        self.assertEqual(process.wait(), 0)

    def test_what_nohup_ignores_stays_ignored(self) -> None:
        process = self.spawn(
            [
                "/bin/sh",
                "-c",
                'trap "" HUP; exec "$@"',
                "sh",
                *LAUNCHER,
                "--endpoint",
                self.daemon.endpoint,
                f"{SUBJECTS}.Talker",
            ]
        )
        process.expect("handle_init")
        process.kill(signal.SIGHUP)
        process.kill(signal.SIGTERM)
        process.expect("handle_stop on main")
        self.assertEqual(process.wait(), 0)

    def test_a_signal_during_the_constructor(self) -> None:
        places = ["--endpoint", self.daemon.endpoint, "--pubsub", self.daemon.pubsub_endpoint]
        process = self.spawn([*LAUNCHER, *places, f"{SUBJECTS}.HangingConstructor"])
        process.expect("__init__ on main")
        process.kill()
        assert process.process.stdin is not None
        process.process.stdin.close()
        self.assertEqual(process.wait(), 0)
        self.assertEqual(process.rest(), self.four_lines())
        said = "".join(iter(lambda: process.line(process.stdout), ""))
        self.assertIn(said, ("", "handle_init on other\nhandle_stop on main\n"))

    def test_the_module(self) -> None:
        process = self.by_hand(f"{SUBJECTS}.Talker", argv=MODULE)
        process.expect("handle_init")
        process.kill()
        self.assertEqual(process.wait(), 0)
        self.assertEqual(process.rest(), "")

    def test_options_that_it_does_not_have(self) -> None:
        places = ["--endpoint", self.daemon.endpoint, "--pubsub", self.daemon.pubsub_endpoint]
        config = ["--config", "windwo:3:::x_y:1:::priority:2:::attempts:4"]
        process = self.spawn([*LAUNCHER, *places, *config, "flapping"])
        lines = [process.line(process.stderr) for _ in range(6)]
        said = [line for line in lines if "WARNING" in line]
        hint = "windwo: unknown option; did you mean window?"
        self.assertEqual(said, [f"[WARNING] {hint}\n", "[WARNING] x_y: unknown option\n"])
        process.kill()
        self.assertEqual(process.wait(), 0)

    def test_log_output(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "log"
            argv = [*LAUNCHER, "--log-output", str(path), f"{SUBJECTS}.Talker"]
            process = self.spawn(argv)
            process.expect("handle_init")
            process.kill()
            self.assertEqual(process.wait(), 0)
            self.assertEqual(process.rest(), "")
            self.assertTrue(path.read_text().startswith("[INFO] Loading the plugin...\n"))
            argv = [*LAUNCHER, "--log-output", directory, f"{SUBJECTS}.Talker"]
            process = self.spawn(argv)
            self.assertEqual(process.wait(), 2)
            expected = f"error: {directory}: Is a directory\n"
            self.assertEqual(process.rest(), expected)
            argv = [*LAUNCHER, "--log-output", "syslog://h:x", f"{SUBJECTS}.Talker"]
            process = self.spawn(argv)
            self.assertEqual(process.wait(), 2)
            self.assertIn("write syslog://HOST[:PORT]", process.rest())

    def test_failing(self) -> None:
        for name, lines in (
            ("FailingConstructor", ["[ERROR]", "Traceback", "ValueError: no filename"]),
            ("FailingInit", ["handle_init raised", "Traceback", "KeyError: 'init'"]),
        ):
            process = self.spawn([*LAUNCHER, f"{SUBJECTS}.{name}"])
            self.assertEqual(process.wait(), 1)
            said = process.rest()
            for line in lines:
                self.assertIn(line, said)

    def test_failing_in_one_line(self) -> None:
        for switch, code, line in (
            ("active:no", 1, "Talker is not active"),
            ("active:perhaps", 2, "active: 'perhaps' is neither true nor false"),
        ):
            process = self.spawn([*LAUNCHER, "--config", switch, f"{SUBJECTS}.Talker"])
            self.assertEqual(process.wait(), code)
            said = process.rest().splitlines()[3:]
            self.assertEqual(len([text for text in said if "Starting" not in text]), 1, said)
            self.assertIn(line, said[-1])

    def test_busy(self) -> None:
        """Signals in the middle of everything."""
        for number in range(10):
            process = self.by_hand(f"{SUBJECTS}.Busy")
            process.expect("handle_init")
            for _ in range(number):
                self.daemon.flood(50)
            process.kill((signal.SIGTERM, signal.SIGINT)[number % 2])
            process.expect("handle_stop on main")
            self.assertEqual(process.wait(), 0)


class TestByDaemon(ProcessCase):
    def test_what_reaches_it(self) -> None:
        config = {
            "name": "plugin:tést",
            "text": "a:b:::c 'd' \"e\" \\ %s $(x) \n\té 中",
            "number": 3,
            "list": [1, {"a": None}],
            "endpoint_url": "x",
        }
        lifeline, alive = os.pipe()
        read_report, report = os.pipe()
        self.addCleanup(os.close, alive)
        with open(read_report, "rb") as reports:
            process = self.by_daemon(
                f"{SUBJECTS}.Environment",
                config=config,
                lifeline=lifeline,
                report=report,
                env={"PYTHONUNBUFFERED": "1"},
            )
            os.close(lifeline)
            os.close(report)
            self.assertEqual(reports.read(), b"")
        process.expect("printed False in lines")
        process.expect("fds 4 ")
        process.kill()
        process.expect("handle_stop on main")
        self.assertEqual(process.wait(), 0)
        said = process.rest().splitlines()
        self.assertTrue(said[0].endswith(" [INFO] Starting"), said)
        self.assertIn(f" plugin:tést[{process.process.pid}] [INFO] ", said[0])
        self.assertIn(f"config {sorted(config.items())!a}", said[1])

    def test_the_daemon_is_gone(self) -> None:
        lifeline, alive = os.pipe()
        process = self.by_daemon(f"{SUBJECTS}.Talker", lifeline=lifeline)
        os.close(lifeline)
        process.expect("handle_init")
        os.close(alive)
        process.expect("handle_stop on main")
        self.assertEqual(process.wait(), 0)
        self.assertIn("the daemon is gone", process.rest())

    def test_the_path_of_the_daemon(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            module = "from tests.runtime.subjects import Talker\n"
            Path(directory, "only_the_daemon_finds_it.py").write_text(module)
            process = self.by_daemon(
                "only_the_daemon_finds_it.Talker", sys_path=[*sys.path, directory]
            )
            process.expect("handle_init")
            process.kill()
            self.assertEqual(process.wait(), 0)

    def test_the_order_of_the_path(self) -> None:
        for own, daemon, expected in (
            (["/lib", "/site"], ["/first", "/lib", "/site"], ["", "/first", "/lib", "/site"]),
            (["/here", "/mine", "/lib"], ["", "/b", "/lib"], ["", "/here", "/mine", "/b", "/lib"]),
            (["/lib"], [], ["", "/lib"]),
        ):
            with self.subTest(own=own, daemon=daemon), mock.patch.object(sys, "path", own):
                extend_sys_path(daemon)
                self.assertEqual(sys.path, expected)

    def test_a_class_that_cannot_be_loaded(self) -> None:
        read_report, report = os.pipe()
        process = self.by_daemon(f"{SUBJECTS}.Talkre", report=report)
        os.close(report)
        self.assertEqual(process.wait(), 2)
        reason = f"there is no Talkre in {SUBJECTS}; did you mean Talker?\n"
        with open(read_report, encoding="utf-8") as reports:
            self.assertEqual(reports.read(), reason)
        self.assertEqual(process.rest(), "")  # the daemon says it

    def test_a_value_that_does_not_suit_the_schema(self) -> None:
        read_report, report = os.pipe()
        process = self.by_daemon(f"{SUBJECTS}.Strict", config={"tries": "x"}, report=report)
        os.close(report)
        self.assertEqual(process.wait(), 2)
        reason = "tries: 'x' is not a whole number\n"
        with open(read_report, encoding="utf-8") as reports:
            self.assertEqual(reports.read(), reason)
        self.assertEqual(process.rest(), "")  # the daemon says it

    def test_a_value_that_the_constructor_refuses(self) -> None:
        read_report, report = os.pipe()
        process = self.by_daemon(f"{SUBJECTS}.Talker", config={"active": "x"}, report=report)
        os.close(report)
        self.assertEqual(process.wait(), 2)
        with open(read_report, encoding="utf-8") as reports:
            self.assertEqual(reports.read(), "active: 'x' is neither true nor false\n")

    def test_the_constructor_gets_what_the_schema_says(self) -> None:
        process = self.by_daemon(f"{SUBJECTS}.Strict", config={"tries": "7"})
        process.expect("config [('loud', False), ('tries', 7)]")
        process.kill()
        self.assertEqual(process.wait(), 0)

    def test_what_the_daemon_says_makes_no_sense(self) -> None:
        for text in (
            "{",
            "[]",
            "{}",
            '{"use": "x.y", "lifeline": 999}',
            '{"use": 3, "report": []}',
        ):
            environ = {**os.environ, "PYTHONPATH": str(ROOT), "CVEC_CIRCUS_PLUGIN": text}
            process = self.spawn(MODULE, env=environ)
            self.assertEqual(process.wait(), 2)
            said = process.rest()
            self.assertEqual(said.count("\n"), 1, said)
            self.assertIn("CVEC_CIRCUS_PLUGIN cannot be used", said)
