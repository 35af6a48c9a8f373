"""cvec_circus-plugin, by hand and by the daemon: lines, exit codes, signals, the lifeline."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from cvec_circus import __version__, exc
from cvec_circus.plugins.assignment import read_arguments, read_config, read_environment
from cvec_circus.plugins.load import load_class
from tests.plugins.process import LAUNCHER, MODULE, ROOT, ProcessCase
from tests.support.eventually import eventually

SUBJECTS = "tests.plugins.subjects"
SPEC_LOGGER = (ROOT / "tests" / "plugins" / "spec_logger.py").read_text()
LOGGER = SPEC_LOGGER.partition(f"# {'-' * 96}\n")[2]


class LoggerCase(ProcessCase):
    """The Logger of the page, in a directory of its own, as a package of its own."""

    def setUp(self) -> None:
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        package = self.directory / "myproject"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "plugins.py").write_text(LOGGER)
        self.file = self.directory / "cvec_circus-events.log"

    def lines(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []


class TestSpecLogger(LoggerCase):
    """The class as the page prints it, both ways that the page describes."""

    def test_the_text(self) -> None:
        self.assertTrue(LOGGER.startswith("from cvec_circus.plugins import CircusPlugin\n"))

    def test_by_hand(self) -> None:
        for signum in (signal.SIGTERM, signal.SIGINT):
            process = self.by_hand(
                "myproject.plugins.Logger",
                "--config",
                "filename:cvec_circus-events.log",
                cwd=str(self.directory),
            )
            seq = 0

            def written() -> bool:
                nonlocal seq
                seq = self.daemon.publish("web", "spawn", process_pid=7)
                return bool(self.lines())

            self.assertTrue(eventually(written))
            last = self.daemon.publish("One Shot.x", "stop")
            process.kill(signum)
            self.assertEqual(process.wait(), 0)
            self.assertEqual(process.rest(), "")
            lines = self.lines()
            self.assertTrue(lines[0].startswith("spawn web::{'seq': "), lines[0])
            self.assertTrue(lines[-1].startswith(f"stop one_shot.x::{{'seq': {last}, "))
            self.file.unlink()

    def test_by_the_daemon(self) -> None:
        last = self.daemon.flood(700)
        process = self.by_daemon(
            "myproject.plugins.Logger",
            config={"filename": str(self.file), "name": "plugin:logger"},
            cwd=str(self.directory),
        )
        self.assertTrue(eventually(lambda: len(self.lines()) == last))
        stop = self.daemon.publish("web", "stop", sent=False)
        process.kill()
        self.assertEqual(process.wait(), 0)
        lines = self.lines()
        self.assertEqual(len(lines), stop)
        for seq, line in enumerate(lines[:-1], 1):
            self.assertTrue(line.startswith(f"spawn web::{{'seq': {seq}, "), line)
        self.assertTrue(lines[-1].startswith("stop web::"))

    def test_killed_and_respawned(self) -> None:
        """The union of what several lives of the plugin have written has every event."""
        seen: set[int] = set()
        progress = os.memfd_create("progress")
        self.addCleanup(os.close, progress)
        os.ftruncate(progress, 8)
        for life in range(5):
            since = int.from_bytes(os.pread(progress, 8, 0), sys.byteorder)
            process = self.by_daemon(
                "myproject.plugins.Logger",
                config={"filename": str(self.file)},
                cwd=str(self.directory),
                since=since,
                run=self.daemon.run,
                progress=progress,
            )
            for _ in range(20):
                last = self.daemon.flood(20)
            self.assertTrue(eventually(lambda: len(self.lines()) > 300))
            process.kill(signal.SIGTERM if life == 4 else signal.SIGKILL)
            process.wait()
            # A kill may cut the last line short: then it is told again.
            whole = self.file.read_text().rpartition("\n")[0].splitlines()
            seen.update(int(line.split("'seq': ")[1].split(",")[0]) for line in whole)
            self.file.unlink()
        self.assertEqual(seen, set(range(1, last + 1)))
        self.assertEqual(int.from_bytes(os.pread(progress, 8, 0), sys.byteorder), last)


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
                eventually(lambda: self.daemon.publish("web", "x") > 20, timeout=1.0)
            else:
                process.kill()
            process.expect(hangs_in)
            process.kill(signal.SIGINT)
            process.kill(signal.SIGTERM)
            self.assertEqual(process.wait(), 1)
            self.assertIn("a second signal: ending without handle_stop", process.rest())

    def test_a_second_signal_ends_a_thread_that_outlives_the_plugin(self) -> None:
        process = self.by_hand(f"{SUBJECTS}.Lingering")
        process.expect("handle_init")
        process.kill()
        process.expect("handle_stop on main")
        process.kill(signal.SIGINT)
        self.assertEqual(process.wait(), 1)

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
            self.assertIn("Is a directory", process.rest())

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
        for name, switch, line in (
            ("Talker", "active:no", "Talker is not active"),
            ("Talker", "active:perhaps", "'perhaps' is neither true nor false"),
        ):
            process = self.spawn([*LAUNCHER, "--config", switch, f"{SUBJECTS}.{name}"])
            self.assertEqual(process.wait(), 1)
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
                f"{SUBJECTS}.Environment", config=config, lifeline=lifeline, report=report
            )
            os.close(lifeline)
            os.close(report)
            self.assertEqual(reports.read(), b"")
        process.expect("printed False")
        process.expect("fds 4 ")
        process.kill()
        process.expect("handle_stop on main")
        self.assertEqual(process.wait(), 0)
        said = process.rest().splitlines()
        self.assertTrue(said[0].endswith(" [INFO] Loading the plugin..."), said)
        self.assertTrue(said[3].endswith(" [INFO] Starting"), said)
        self.assertIn(f" plugin:tést[{process.process.pid}] [INFO] ", said[0])
        self.assertIn(f"config {sorted(config.items())!a}", said[4])

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
            module = "from tests.plugins.subjects import Talker\n"
            Path(directory, "only_the_daemon_finds_it.py").write_text(module)
            process = self.by_daemon(
                "only_the_daemon_finds_it.Talker", sys_path=[*sys.path, directory]
            )
            process.expect("handle_init")
            process.kill()
            self.assertEqual(process.wait(), 0)

    def test_a_class_that_cannot_be_loaded(self) -> None:
        read_report, report = os.pipe()
        process = self.by_daemon(f"{SUBJECTS}.Talkre", report=report)
        os.close(report)
        self.assertEqual(process.wait(), 2)
        reason = f"there is no Talkre in {SUBJECTS}, did you mean Talker?\n"
        with open(read_report, encoding="utf-8") as reports:
            self.assertEqual(reports.read(), reason)
        self.assertEqual(process.rest(), f"cvec_circus-plugin: {reason}")

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


class TestRefusals(unittest.TestCase):
    """What cannot be run is one line on stderr and exit code 2."""

    def refused(self, *arguments: str) -> str:
        ended = subprocess.run(
            [*LAUNCHER, *arguments],
            capture_output=True,
            cwd=ROOT,
            timeout=30,
            check=False,
        )
        said = ended.stderr.decode()
        self.assertEqual((ended.returncode, ended.stdout), (2, b""), said)
        self.assertEqual(said.count("\n"), 1, said)
        self.assertTrue(said.startswith("cvec_circus-plugin: "))
        return said

    def test_the_class(self) -> None:
        for name, words in (
            ("nonexistent.Logger", "there is no module nonexistent"),
            ("tests.nonexistent.Logger", "there is no module tests.nonexistent"),
            (f"{SUBJECTS}.Loger", f"there is no Loger in {SUBJECTS}"),
            (f"{SUBJECTS}.NOT_A_CLASS", "is no plugin"),
            (f"{SUBJECTS}.say", "is no plugin"),
            ("threading.Thread", "is no plugin"),
            (f"{SUBJECTS}.NoRecv", "does not implement handle_recv"),
            ("cvec_circus.plugins.CircusPlugin", "does not implement handle_recv"),
        ):
            self.assertIn(words, self.refused(name))

    def test_the_command_line(self) -> None:
        for arguments, words in (
            ([], "the following arguments are required: CLASS"),
            (["--config", "filename", "x.y"], "'filename' is not key:value"),
            (["--config", "endpoint:x", "x.y"], "cannot hold 'endpoint'"),
            (["--ssh", "somewhere", "x.y"], "not available in this version"),
            (["--check-delay", "soon", "x.y"], "invalid float value"),
            (["--log-level", "loud", "x.y"], "invalid choice: 'loud'"),
        ):
            self.assertIn(words, self.refused(*arguments))

    def test_version(self) -> None:
        ended = subprocess.run([*LAUNCHER, "--version"], stdout=subprocess.PIPE, check=True)
        self.assertEqual(ended.stdout.decode(), f"{__version__}\n")


class TestLoad(unittest.TestCase):
    def load(self, text: str) -> str:
        """Try to load the class P of a module with a text, and return the reason."""
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, "broken_subject.py").write_text(text)
            sys.path.insert(0, directory)
            try:
                with self.assertRaises(exc.PluginError) as caught:
                    load_class("broken_subject.P")
            finally:
                sys.path.remove(directory)
                sys.modules.pop("broken_subject", None)
            reason = str(caught.exception)
            self.assertNotIn("\n", reason)
            return reason.replace(directory, "DIR")

    def test_broken_modules(self) -> None:
        place = "DIR/broken_subject.py, line"
        for text, words in (
            ("x = 1\n1 / 0", f"ZeroDivisionError: division by zero ({place} 2)"),
            ("def", f"({place} 1)"),
            ("import nonexistent", f"No module named 'nonexistent' ({place} 1)"),
            ("import sys\nsys.exit(3)", f"SystemExit: 3 ({place} 2)"),
            ("raise ValueError('a\\nb')", "a b"),
            ("from os import nonexistent", "cannot import name 'nonexistent'"),
        ):
            reason = self.load(text)
            self.assertIn("cannot import broken_subject.P: ", reason)
            self.assertIn(words, reason)

    def test_names_that_are_none(self) -> None:
        for name in ("", "Logger", ".Logger", "a..b", "a.b.", "a b.c", "../x.Logger"):
            with self.assertRaises(exc.PluginError) as caught:
                load_class(name)
            self.assertIn("is no dotted name", str(caught.exception))


class TestAssignment(unittest.TestCase):
    def test_config(self) -> None:
        for text, config in (
            ("", {}),
            ("a:b", {"a": "b"}),
            ("a:b:::c:d", {"a": "b", "c": "d"}),
            (" a : b c ::: url:http://x:1/ :::", {"a": "b c", "url": "http://x:1/"}),
            ("a:", {"a": ""}),
        ):
            self.assertEqual(read_config(text), config)
        for text in ("a", ":b", "a:b:::c"):
            with self.assertRaises(exc.ArgumentError):
                read_config(text)

    def test_arguments(self) -> None:
        switches = "--endpoint tcp://1:1 --pubsub tcp://1:2 --config a:b --check-delay 2.5"
        given = read_arguments([*switches.split(), "--log-level", "DEBUG", "x.Y"])
        self.assertEqual((given.endpoint, given.pubsub_endpoint), ("tcp://1:1", "tcp://1:2"))
        self.assertEqual((given.use, given.config), ("x.Y", {"a": "b"}))
        self.assertEqual((given.check_delay, given.log_level), (2.5, "debug"))
        self.assertEqual((given.since, given.by_daemon), (None, False))

    def test_defaults(self) -> None:
        given = read_arguments(["x.Y"])
        self.assertEqual(given.endpoint, "tcp://127.0.0.1:5555")
        self.assertEqual(given.pubsub_endpoint, "tcp://127.0.0.1:5556")
        self.assertEqual((given.check_delay, given.config, given.log_level), (5.0, {}, "info"))

    def test_environment(self) -> None:
        given = read_environment('{"use": "x.Y", "since": 3, "run": null, "future": 1}')
        self.assertEqual((given.use, given.since, given.run), ("x.Y", 3, None))
        self.assertEqual((given.log_level, given.by_daemon), ("info", True))
        with self.assertRaises(exc.ArgumentError):
            read_environment('{"use": "x.Y", "config": {"ssh_server": "x"}}')
