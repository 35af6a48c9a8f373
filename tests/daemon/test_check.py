"""`--check` and `--print-config`, as a person types them."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import unittest
from pathlib import Path

from cvec_circus.daemon.check import check
from tests.support.daemon import folder, script

BROKEN = Path(__file__).resolve().parents[2] / "docs" / "examples" / "broken"

RIGHT = (
    "[watcher:web]\ncmd = sleep $(circus.env.N)\n[socket:s]\nport = 8080\n"
    "[plugin:p]\nuse = flapping\n"
)
LEFT_OUT = f"{RIGHT}[watcher:bad]\ncmd = sleep\nnumprocesses = two\n"


class TestBrokenExamples(unittest.TestCase):
    """Files that are broken on purpose, and what is said of them beside each."""

    maxDiff = None

    def test_ten_of_them(self) -> None:
        names = sorted(path.stem for path in BROKEN.glob("*.ini"))
        self.assertGreaterEqual(len(names), 10)
        self.assertEqual(names, sorted(path.stem for path in BROKEN.glob("*.txt")))

    def test_what_is_said(self) -> None:
        environ = {"HOME": "/root"}
        for path in sorted(BROKEN.glob("*.ini")):
            with self.subTest(path.name), contextlib.redirect_stdout(io.StringIO()) as said:
                code = check([path.name], environ, str(BROKEN), elsewhere=True)
            expected = path.with_suffix(".txt").read_text()
            self.assertEqual(said.getvalue(), expected)
            self.assertEqual(code, int(" problem: " in expected), path.name)


class TestAddresses(unittest.TestCase):
    def said(self, value: str) -> list[str]:
        where = folder(self)
        (where / "c.ini").write_text(f"[watcher:w]\ncmd = sleep 1\nlive.a = {value}\n")
        with contextlib.redirect_stdout(io.StringIO()) as said:
            check(["c.ini"], {}, str(where), elsewhere=True)
        return said.getvalue().splitlines()[:-1]

    def test_what_no_run_could_use(self) -> None:
        for value, trouble in (
            ("tcp://127.0.0.1:99999", "'99999' is not a port: write a number from 1 to 65535"),
            (f"unix:///{'x' * 120}", "is longer than the 107 bytes"),
            ("http://localhost/ä", "the path of http://localhost has characters that no URL has"),
        ):
            with self.subTest(value):
                (line,) = self.said(value)
                self.assertTrue(line.startswith("c.ini:3: warning: [watcher:w] live.a: "), line)
                self.assertIn(trouble, line)

    def test_what_depends_on_the_process(self) -> None:
        for value in ("tcp://127.0.0.1:9$(circus.wid)99", "unix:///run/w.sock", "http://[::1]:80"):
            with self.subTest(value):
                self.assertEqual(self.said(value), [])


class TestCommandLine(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = folder(self)

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return name

    def run_daemon(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            script("cvec_circusd", *words),
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.folder,
            env={**os.environ, "N": "10"},
            check=False,
        )

    def run_with(self, redirections: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", "-c", f'exec "$@" {redirections}', "sh", *script("cvec_circusd", *words)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, cwd=self.folder, check=False
        )

    def test_nowhere_to_say_it(self) -> None:
        right, wrong = self.write("right.ini", RIGHT), self.write("wrong.ini", "x")
        for redirections, words, code, said in (
            (">&-", ("--check", right), 0, ""),
            (">&-", ("--check", wrong), 1, ""),
            (">&-", ("--print-config", right), 0, ""),
            ("2>&-", ("--print-config", wrong), 1, ""),
            ("2>&-", (wrong,), 1, ""),
            (">/dev/full", ("--check", right), 1, "the output cannot be written: No space left"),
            (">/dev/full", ("--print-config", right), 1, "cannot be written: No space left"),
        ):
            with self.subTest(redirections, words=words):
                done = self.run_with(redirections, *words)
                self.assertEqual(done.returncode, code, done)
                self.assertEqual(done.stdout, "")
                self.assertIn(said, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), bool(said), done.stderr)

    def test_check(self) -> None:
        right = self.write("right.ini", RIGHT)
        done = self.run_daemon("--check", right)
        self.assertEqual(done.stdout, "right.ini: ok; 1 watcher, 1 socket, 1 plugin\n")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_check_several(self) -> None:
        files = (
            self.write("a.ini", f"{RIGHT}[watcher:x]\ncmd = sleep\nsignleton = 1\n"),
            self.write("b.ini", LEFT_OUT),
            "missing.ini",
            self.write("c.ini", "[circus]\ncheck_delay = x\n[watcher:w]\nnumproceses = 1\n"),
        )
        done = self.run_daemon("--check", *files)
        self.assertEqual(
            done.stdout.splitlines(),
            [
                "a.ini:9: warning: [watcher:x] signleton: unknown option; did you mean "
                "singleton? (kept for hooks and plugins)",
                "a.ini: ok, 1 warning; 2 watchers, 1 socket, 1 plugin",
                "b.ini:9: problem: [watcher:bad] numprocesses: 'two' is not a whole number",
                "b.ini: 1 problem; the daemon runs without bad",
                "missing.ini: problem: cannot be read: No such file or directory",
                "missing.ini: 1 problem; the daemon does not start",
                "c.ini:2: problem: [circus] check_delay: 'x' is not a time: "
                "write 30, 30s, 5m or 1h",
                "c.ini:3: problem: [watcher:w] cmd: missing; say which program to run",
                "c.ini:4: warning: [watcher:w] numproceses: unknown option; did you mean "
                "numprocesses? (kept for hooks and plugins)",
                "c.ini: 2 problems, 1 warning; the daemon does not start (see w)",
            ],
        )
        self.assertEqual((done.returncode, done.stderr), (1, ""))

    def test_endpoints(self) -> None:
        head = "[watcher:x]\ncmd = sleep\n[circus]\nendpoint = tcp://0.0.0.0:5555\n"
        files = (
            self.write("a.ini", f"{head}pubsub_endpoint = tcp://*:5556\n"),
            self.write("b.ini", f"{head}allow_remote = True\n"),
            self.write("c.ini", "[watcher:x]\ncmd = sleep\n[circus]\nendpoint_owner = nobodyx\n"),
        )
        lines = self.run_daemon("--check", *files).stdout.splitlines()
        self.assertIn("a.ini:4: problem: [circus] endpoint: tcp://0.0.0.0:5555: refused", lines[0])
        self.assertIn("can run programs here; --allow-remote", lines[0])
        taken = self.run_daemon("--allow-remote", "--check", files[0])
        self.assertEqual(taken.stdout.splitlines()[-1], "a.ini: ok, 1 warning; 1 watcher")
        self.assertEqual(taken.returncode, 0)
        self.assertEqual(
            lines[1:3],
            [
                "a.ini:5: warning: [circus] pubsub_endpoint: tcp://*:5556: other machines can "
                "listen to it",
                "a.ini: 1 problem, 1 warning; the daemon does not start",
            ],
        )
        self.assertEqual(
            lines[3:5],
            [
                "b.ini:4: warning: [circus] endpoint: tcp://0.0.0.0:5555: any client that can "
                "connect can run programs here",
                "b.ini: ok, 1 warning; 1 watcher",
            ],
        )
        self.assertEqual(
            lines[5], "c.ini:4: problem: [circus] endpoint_owner: there is no user nobodyx"
        )

    def test_addresses_that_a_start_refuses(self) -> None:
        head = "[watcher:x]\ncmd = sleep\n"
        long_path = "/" + "x" * 107
        for text, key, reason in (
            (
                "[circus]\npubsub_endpoint = tcp://127.0.0.1\n",
                "[circus] pubsub_endpoint",
                "'tcp://127.0.0.1': not an endpoint: it has no port; "
                "write tcp://HOST:PORT or ipc://FILE",
            ),
            (
                f"[socket:s]\npath = {long_path}\n",
                "[socket:s] path",
                "more than the 107 bytes that a unix socket can have",
            ),
            (
                "[socket:s]\nhost = ::1\n",
                "[socket:s] host",
                "an IPv6 address; set family = AF_INET6",
            ),
        ):
            with self.subTest(key):
                path = self.write("a.ini", head + text)
                said = self.run_daemon("--check", path).stdout.splitlines()
                self.assertEqual(said[0], f"a.ini:4: problem: {key}: {reason}")
                started = self.run_daemon(path)
                self.assertEqual(started.returncode, 1)
                self.assertIn(reason, started.stderr)

    def test_a_start_says_the_same(self) -> None:
        bad = self.write("bad.json", '{"handlers": 1')
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for text, said in (
            ("logoutput = syslog:?x", "logoutput: syslog:?x: write syslog://HOST[:PORT] or "),
            (f"loggerconfig = {bad}", f"loggerconfig: {bad}: Expecting ',' delimiter: line 1 "),
            ("[socket:t]\npath = /nope/s", "path: there is no folder /nope; make it first"),
            ("[socket:t]\nhost = 192.0.2.1", "host: 192.0.2.1 is no address of this machine"),
            (f"[socket:t]\nport = {port}", f"port: cannot listen on localhost:{port}: Address "),
            (f"endpoint = tcp://127.0.0.1:{port}", f"endpoint: tcp://127.0.0.1:{port}: cannot "),
        ):
            with self.subTest(text):
                ours = "endpoint = ipc://c\npubsub_endpoint = ipc://p\n"
                ours = "" if text.startswith("endpoint =") else ours
                path = self.write("a.ini", f"[circus]\n{ours}{text}\n{RIGHT}")
                line = f"[circus]\n{ours}{text}".count("\n") + 1
                header = "socket:t" if text.startswith("[") else "circus"
                begins = f"a.ini:{line}: [{header}] {said}"
                started = self.run_daemon(path).stderr.splitlines()
                self.assertEqual(len(started), 1, started)
                self.assertTrue(started[0].startswith(f"error: {begins}"), started)
                if str(port) not in text:
                    checked = self.run_daemon("--check", path).stdout.splitlines()
                    self.assertEqual(checked[0].replace(" problem:", ""), started[0][7:])

    def test_a_facility_that_is_not_there(self) -> None:
        path = self.write("a.ini", f"[circus]\nlogoutput = syslog://localhost?foo\n{RIGHT}")
        said = self.run_daemon("--check", path)
        text = "there is no facility 'foo', so its lines are of the facility user"
        self.assertEqual(
            said.stdout.splitlines()[0], f"a.ini:2: warning: [circus] logoutput: {text}"
        )
        self.assertEqual(said.stderr, "")

    def test_two_endpoints(self) -> None:
        said = [
            f"a.ini:{n + 2}: [circus] {key}: 'tcp://127.0.0.1:9999{n}': not an endpoint: 9999{n} "
            "is more than 65535; write tcp://HOST:PORT or ipc://FILE"
            for n, key in enumerate(("endpoint", "pubsub_endpoint"))
        ]
        keys = "endpoint = tcp://127.0.0.1:99990\npubsub_endpoint = tcp://127.0.0.1:99991\n"
        started = self.run_daemon(self.write("a.ini", f"[circus]\n{keys}{RIGHT}"))
        self.assertEqual(started.stderr.splitlines(), [f"error: {one}" for one in said])

    def test_two_at_one_address(self) -> None:
        path = self.write(
            "a.ini",
            "[circus]\nendpoint = tcp://127.0.0.1:5599\npubsub_endpoint = tcp://localhost:5599\n"
            "[socket:a]\nport = 5598\n[socket:b]\nport = 5598\n[watcher:w]\ncmd = sleep\n"
            "[socket:c]\npath = c.sock\nowner = nobodyx\n",
        )
        expected = [
            "a.ini:7: [socket:b] port: localhost:5598 takes the address of socket a; "
            "change one of them",
            "a.ini:12: [socket:c] owner: there is no user nobodyx",
        ]
        lines = self.run_daemon("--check", path).stdout.splitlines()
        said = "localhost:5599 takes the address of endpoint (127.0.0.1:5599); change one of them"
        self.assertEqual(lines[0], f"a.ini:3: problem: [circus] pubsub_endpoint: {said}")
        self.assertEqual([line.replace(" problem:", "") for line in lines[1:3]], expected)
        self.assertIn("a.ini: 3 problems", lines[-1])
        started = self.run_daemon(path)
        self.assertEqual(started.returncode, 1)
        for line in expected:
            self.assertIn(line, started.stderr)

    def test_everything_wrong_of_a_watcher(self) -> None:
        text = "uid = no-such\ngid = no-such\nnumprocesses = 99999\non_demand = True\n"
        path = self.write("a.ini", f"[watcher:x]\ncmd = sleep\n{text}{RIGHT}[watcher:y]\n")
        said = self.run_daemon("--check", path).stdout
        for key in ("uid", "gid", "numprocesses", "on_demand"):
            self.assertIn(f"problem: [watcher:x] {key}: ", said)
        self.assertIn("a.ini: 5 problems; the daemon runs without x, y\n", said)
        path = self.write("a.ini", f"[watcher:x]\ncmd = sleep\n{text}[watcher:y]\n")
        said = self.run_daemon("--check", path).stdout
        self.assertIn("; the daemon does not start (see x, y)\n", said)

    def test_what_depends_on_what_is_left_out(self) -> None:
        needy = "[watcher:{}]\ncmd = sleep 1\ndepends_on = {}\n"
        circle = needy.format("a", "b") + needy.format("b", "a")
        path = self.write("a.ini", RIGHT + circle)
        said = self.run_daemon("--check", path).stdout
        self.assertIn("; the daemon runs without a, and without b, which depends on that\n", said)
        path = self.write("a.ini", RIGHT + circle + needy.format("c", "b"))
        said = self.run_daemon("--check", path).stdout
        self.assertIn("without a, and without b, c, which depend on that\n", said)
        wrong = "[watcher:w]\ncmd = sleep 1\nuid = no-such\ngid = 1\n"
        said = self.run_daemon("--check", self.write("a.ini", RIGHT + circle + wrong)).stdout
        self.assertIn("without a, w, and without b, which depends on them\n", said)
        said = self.run_daemon("--check", self.write("a.ini", circle)).stdout
        self.assertIn("; the daemon does not start (see a)\n", said)

    def test_an_empty_file(self) -> None:
        reason = "nothing in it says what to run; write a [watcher:NAME] with a cmd"
        for text in ("", "# a\n", "[DEFAULT]\nx = 1\n", "[env]\nA = 1\n[env:a]\nA = 2\n"):
            done = self.run_daemon("--check", self.write("a.ini", text))
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"a.ini: problem: {reason}\n", done.stdout)
            done = self.run_daemon("a.ini")
            self.assertEqual((done.returncode, done.stderr), (1, f"error: a.ini: {reason}\n"))

    def test_warnings_alone_are_no_failure(self) -> None:
        path = self.write("a.ini", "[circus]\n")
        self.assertEqual(self.run_daemon("--check", path).returncode, 0)

    def test_what_a_terminal_must_not_act_upon(self) -> None:
        done = self.run_daemon("--check", self.write("a.ini", "[\x1b[31m\x07é]\n"))
        self.assertIn("[\\x1b[31m\\x07é] unknown section", done.stdout)

    def test_print_config(self) -> None:
        done = self.run_daemon("--print-config", self.write("right.ini", RIGHT))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("# right.ini:2, from sleep $(circus.env.N)\ncmd = sleep 10\n", done.stdout)
        again = self.run_daemon("--print-config", self.write("again.ini", done.stdout))
        keys = [line for line in done.stdout.splitlines() if not line.startswith("# ")]
        self.assertLessEqual(set(keys), set(again.stdout.splitlines()))

    def test_print_config_with_a_problem(self) -> None:
        done = self.run_daemon("--print-config", self.write("a.ini", LEFT_OUT))
        line = "a.ini:9: [watcher:bad] numprocesses: 'two' is not a whole number"
        self.assertEqual((done.returncode, done.stderr), (1, f"error: {line}\n"))
        self.assertIn(f"\n# bad is left out: {line}\n", done.stdout)
        self.assertIn("\n[watcher:web]\n", done.stdout)
        done = self.run_daemon("--print-config", self.write("b.ini", "[circus\n"))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(
            done.stderr, "error: b.ini:1: this is not a section header; write [circus]\n"
        )

    def test_one_thing_at_a_time(self) -> None:
        for words in (
            ("a.ini", "--check", "b.ini"),
            ("--check", "a.ini", "--print-config", "a.ini"),
            ("--check",),
            (),
        ):
            with self.subTest(words):
                done = self.run_daemon(*words)
                self.assertEqual((done.returncode, done.stdout), (2, ""))


if __name__ == "__main__":
    unittest.main()
