"""cvec_circus-top as people run it: once, as JSON, over ssh, and in a terminal."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import unittest
from pathlib import Path

from cvec_circus import __version__
from tests.client.test_tunnel import fake_ssh
from tests.support.daemon import Daemon, DaemonCase, folder, script
from tests.support.hurry import hurried
from tests.support.screen import Terminal

SECTIONS = "[watcher:web]\ncmd = sleep 1000\nnumprocesses = 2\n[watcher:off]\ncmd = sleep 1\n"
SECTIONS += "autostart = False\n"
UP = r"(?m)^web +(up|starting) +2/2"
TIMEOUT = 30
STATISTICS = "stats_endpoint = ipc://{DIR}/stats\n"
PUBLISHING = hurried({"supervisor.helper_rows.INTERVAL": 0.1})
TOP = [*hurried({"view.source.SHORTEST": 0.1}), *script("cvec_circus-top", "--interval", "0.1")]
IMPATIENT = hurried({"client.feed.questions.FIRST_PATIENCE": 0.2, "top.main.PATIENCE": 1.0})
"""For what answers nobody."""

NO_TEXT = "import os; os.execv('/bin/sleep', [bytes([255, 254]) + b'sleep', b'1000'])"
"""Becomes a program whose name is not UTF-8."""


class TopCase(DaemonCase):
    def top(self, *words: object) -> subprocess.CompletedProcess[str]:
        argv = [*TOP, *map(str, words)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    def once(self, daemon: Daemon, *words: object) -> list[str]:
        done = self.top("--endpoint", daemon.endpoint, "--once", *words)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.splitlines()


class TestCommandLine(TopCase):
    def test_version_and_help(self) -> None:
        self.assertEqual(self.top("--version").stdout, f"{__version__}\n")
        text = self.top("--help").stdout
        for switch in ("endpoint", "ssh", "process-timeout", "once", "json"):
            self.assertIn(f"--{switch}", text)

    def test_what_is_wrong_is_one_line(self) -> None:
        for words, text, code in (
            (["--sort", "x"], "error: --sort: 'x' is not one of name, state, cpu, ", 2),
            (
                ["--process-timeout", "x", "--once"],
                "error: --process-timeout: 'x' is not a time: write 30, 30s, 5m or 1h",
                2,
            ),
            (
                ["--interval", "nan", "--once"],
                "error: --interval: 'nan' is not a time: write 30, 30s, 5m or 1h",
                2,
            ),
            ([], "standard output is not a terminal: use --once or --json", 2),
            (["--once", "--endpoint", "x"], "cannot reach 'x': not an endpoint; write", 4),
            (["--once", "--ssh", "-x"], "error: --ssh needs a value", 2),
        ):
            with self.subTest(words):
                done = self.top(*words)
                self.assertEqual(done.returncode, code)
                (line,) = done.stderr.splitlines()
                self.assertIn(text, line)
                self.assertTrue(line.startswith("error: "))

    def test_nobody_is_there(self) -> None:
        place = f"ipc://{folder(self)}/none"
        fake_ssh(self)
        for words, shown, why in (
            ((), place, "there is no such socket"),
            (("--ssh", "me@there"), f"{place} on me@there", "nothing listens there"),
        ):
            argv = [*IMPATIENT, *script("cvec_circus-top", "--once", "--endpoint", place, *words)]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 4)
            self.assertEqual(done.stderr, f"error: no daemon at {shown}: {why}\n")


class TestOnce(TopCase):
    def test_without_statistics(self) -> None:
        daemon = self.daemon(SECTIONS)
        lines = self.once(daemon, "--sort", "name")
        self.assertTrue(lines[0].startswith("NAME"))
        self.assertRegex(lines[1], r"^off +stopped +0/1 ")
        self.assertRegex(lines[2], UP)
        pids = daemon.call("list", name="web")["pids"]
        self.assertEqual([int(line.split()[0]) for line in lines[3:5]], pids)

    def test_with_statistics(self) -> None:
        daemon = self.daemon(SECTIONS, circus=STATISTICS, wrapper=PUBLISHING)
        lines = self.once(daemon)
        text = "\n".join(lines)
        self.assertRegex(text, UP)
        self.assertIn(f"{daemon.pid} circusd", text)

    def test_the_endpoint_of_statistics(self) -> None:
        daemon = self.daemon(SECTIONS, circus=STATISTICS, wrapper=PUBLISHING)
        daemon.log.containing("statistics are published")
        done = self.top("--endpoint", f"ipc://{daemon.folder}/stats", "--once")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^web +- +2 ")

    def test_json(self) -> None:
        daemon = self.daemon(SECTIONS)
        (line,) = self.once(daemon, "--json")
        told = json.loads(line)
        web = told["watchers"]["web"]
        self.assertEqual((web["state"], web["restarts"], len(web["processes"])), ("active", 0, 2))
        self.assertEqual(told["watchers"]["off"]["state"], "stopped")
        self.assertEqual((told["endpoint"], told["published"]), (daemon.endpoint, False))

    def test_json_again_and_again_until_nobody_reads(self) -> None:
        daemon = self.daemon(SECTIONS)
        argv = [*TOP, "--endpoint", daemon.endpoint, "--json"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stderr is not None
            first, second = (json.loads(process.stdout.readline()) for _ in range(2))
            process.stdout.close()
            self.assertGreater(second["time"], first["time"])
            self.assertEqual(process.wait(TIMEOUT), 0)
            self.assertEqual(process.stderr.read(), b"")

    def test_what_cannot_be_written(self) -> None:
        daemon = self.daemon(SECTIONS)
        argv = [*TOP, "--endpoint", daemon.endpoint, "--once"]
        with open("/dev/full", "w") as full:
            done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(
            done.stderr, "error: the output cannot be written: No space left on device\n"
        )

    def test_over_ssh(self) -> None:
        log = fake_ssh(self)
        daemon = self.daemon(SECTIONS, circus=STATISTICS, wrapper=PUBLISHING)
        text = "\n".join(self.once(daemon, "--ssh", "me@there"))
        self.assertRegex(text, UP)
        calls = [json.loads(line) for line in log.read_text().splitlines()]
        self.assertEqual(len(calls), 3)  # two endpoints over one connection, and its end
        self.assertTrue(all(call[-1] == "me@there" for call in calls))


class TestInATerminal(TopCase):
    def test_from_the_first_screen_to_the_last(self) -> None:
        daemon = self.daemon(SECTIONS)
        argv = script("cvec_circus-top", "--endpoint", daemon.endpoint, "--sort", "name")
        with Terminal(argv, os.environ, height=20, width=90) as terminal:
            self.assertTrue(terminal.until(lambda lines: re.search(UP, "\n".join(lines))))
            lines = terminal.screen.text()
            self.assertTrue(lines[0].startswith(f"cvec_circus-top {daemon.endpoint}"[:60]))
            self.assertTrue(lines[1].startswith("NAME"))
            self.assertRegex(lines[2], r"^off +stopped +0/1 ")
            terminal.type("p")
            self.assertTrue(terminal.until(lambda lines: lines[4:] == [""] * 16))
            terminal.type("n")
            self.assertTrue(terminal.until(lambda lines: lines[2].startswith("web")))
            terminal.type("/of\r")
            self.assertTrue(terminal.until(lambda lines: lines[2].startswith("off")))
            terminal.resize(12, 50)
            self.assertTrue(
                terminal.until(
                    lambda lines: (
                        len(lines) == 12
                        and lines[0].startswith("cvec")
                        and lines[0].endswith("~")
                        and len(lines[0]) == 50
                        and lines[2].startswith("off")
                    )
                )
            )
            terminal.type("\x1b")
            self.assertTrue(terminal.until(lambda lines: lines[3].startswith("off")))
            daemon.order("restart", name="web")
            terminal.type("h")
            self.assertTrue(terminal.until(lambda lines: "sort by" in lines[1]))
            terminal.type("xq")
            self.assertEqual(terminal.process.wait(TIMEOUT), 0)

    def test_ended_by_a_signal(self) -> None:
        daemon = self.daemon(SECTIONS)
        argv = script("cvec_circus-top", "--endpoint", daemon.endpoint)
        for signum in (signal.SIGTERM, signal.SIGINT):
            with Terminal(argv, os.environ) as terminal:
                self.assertTrue(terminal.until(lambda lines: lines[1].startswith("NAME")))
                terminal.process.send_signal(signum)
                self.assertEqual(terminal.process.wait(TIMEOUT), 0)

    def test_letters_of_every_alphabet(self) -> None:
        """Those of a name, and those that are typed; whatever the locale says."""
        daemon = self.daemon("[watcher:naïve 数]\ncmd = sleep 1000\n[watcher:web]\ncmd = sleep 9\n")
        argv = script("cvec_circus-top", "--endpoint", daemon.endpoint, "--sort", "name")
        with Terminal(argv, {**os.environ, "LC_ALL": "C.UTF-8"}, width=150) as terminal:
            self.assertTrue(terminal.until(lambda lines: "web" in "\n".join(lines)))
            terminal.type("/ïv\r")
            self.assertTrue(terminal.until(lambda lines: lines[0].endswith("filter 'ïv'")))
            self.assertTrue(terminal.screen.text()[2].startswith("naïve"))
        plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
        with Terminal(argv, {**os.environ, **plain}) as terminal:
            self.assertTrue(terminal.until(lambda lines: "web" in "\n".join(lines)))
            self.assertTrue(terminal.screen.text()[2].startswith("naïve 数"))

    def test_a_name_that_is_no_text(self) -> None:
        section = f'[watcher:odd]\ncmd = {sys.executable} -c "{NO_TEXT}"\n'
        daemon = self.daemon(section)
        argv = script("cvec_circus-top", "--endpoint", daemon.endpoint)
        with Terminal(argv, {**os.environ, "LC_ALL": "C.UTF-8"}) as terminal:
            self.assertTrue(terminal.until(lambda lines: "\\udcff" in "\n".join(lines)))

    def test_a_terminal_that_nothing_is_known_of(self) -> None:
        argv = script("cvec_circus-top", "--endpoint", f"ipc://{folder(self)}/none")
        with Terminal(["env", "TERM=nonsense", *argv], os.environ, width=200) as terminal:
            self.assertTrue(terminal.until(lambda lines: "could not find terminal" in lines[0]))
            self.assertTrue(terminal.screen.text()[0].startswith("error: TERM=nonsense:"))
            self.assertEqual(terminal.process.wait(TIMEOUT), 2)

    def test_a_terminal_without_a_cursor(self) -> None:
        argv = script("cvec_circus-top", "--endpoint", f"ipc://{folder(self)}/none")
        with Terminal(["env", "TERM=dumb", *argv], os.environ, width=200) as terminal:
            self.assertTrue(terminal.until(lambda lines: lines[0].startswith("error: ")))
            said = "error: TERM=dumb: its cursor cannot be moved: use --once"
            self.assertEqual(terminal.screen.text()[0], said)
            self.assertEqual(terminal.process.wait(TIMEOUT), 2)

    def test_nobody_to_press_keys(self) -> None:
        """A file that is at its end can be read all the time, which is no reason to."""
        daemon = self.daemon("[watcher:web]\ncmd = sleep 1000\n")
        argv = script("cvec_circus-top", "--endpoint", daemon.endpoint, "--filter", "web")
        silent = ["sh", "-c", 'exec "$@" </dev/null', "sh", *argv]
        with Terminal(silent, os.environ) as terminal:
            ages = set()

            def shows_three(lines: list[str]) -> bool:
                ages.update(re.findall(r"^web .* (\d+) s ", lines[2]))
                return len(ages) == 3

            self.assertTrue(terminal.until(shows_three))
            fields = Path(f"/proc/{terminal.process.pid}/stat").read_text().rpartition(")")[2]
            ticks = sum(map(int, fields.split()[11:13]))
            self.assertLess(ticks / os.sysconf("SC_CLK_TCK"), 1.0)

    def test_a_terminal_that_is_gone(self) -> None:
        daemon = self.daemon(SECTIONS)
        argv = script("cvec_circus-top", "--endpoint", daemon.endpoint)
        with Terminal(argv, os.environ) as terminal:
            self.assertTrue(terminal.until(lambda lines: lines[1].startswith("NAME")))
            terminal.hang_up()
            self.assertEqual(terminal.process.wait(TIMEOUT), 0)

    def test_nobody_is_there(self) -> None:
        argv = script("cvec_circus-top", "--endpoint", f"ipc://{folder(self)}/none")
        with Terminal([*IMPATIENT, *argv], os.environ) as terminal:
            self.assertTrue(terminal.until(lambda lines: "still trying" in lines[1]))
            terminal.type("q")
            self.assertEqual(terminal.process.wait(TIMEOUT), 0)


if __name__ == "__main__":
    unittest.main()
