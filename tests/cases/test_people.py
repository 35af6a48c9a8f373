"""What people ran into: slips in messages, in files and on command lines."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
import unittest

from cvec_circus.options.watcher import TABLE
from cvec_circus.wire import zmtp
from tests.cases.case import Case, as_root, long
from tests.control.raw import RawClient
from tests.support.daemon import BIN, Daemon, folder, script

ROOT = BIN.parent
SLEEPS = "[watcher:{}]\ncmd = sleep 7772\n"


class TestMessages(Case):
    def test_an_unknown_key_at_the_top(self) -> None:
        """`{"command": "stop", "propertys": {"name": "w"}}` -> refused with a hint; nothing
        stops."""
        daemon = self.daemon(SLEEPS.format("w") + SLEEPS.format("v"))
        daemon.wire.events.wait("start", 2)
        for key, hint in (
            ("propertys", "did you mean properties?"),
            ("Properties", "did you mean properties?"),
            ("name", "'name' belongs in 'properties'"),
        ):
            answer = self.answer(daemon, {"command": "stop", key: {"name": "w"}})
            self.assertEqual(answer["status"], "error")
            self.assertIn(hint, answer["reason"])
        self.assertEqual(daemon.ctl("status").stdout, "v: active\nw: active\n")

    def answer(self, daemon: Daemon, message: dict[str, object]) -> dict[str, str]:
        client = RawClient(daemon.endpoint)
        self.addCleanup(client.close)
        client.send(zmtp.message(json.dumps(message).encode()))
        return dict(json.loads(client.receive()[-1]))

    def test_words_in_a_pipe(self) -> None:
        """`status | grep "^web:"` finds a line; `"$(reloadconfig)" = ok` is true."""
        daemon = self.daemon(SLEEPS.format("web"))
        daemon.wire.events.wait("start", 1)
        self.assertEqual(daemon.ctl("status").stdout, "web: active\n")
        self.assertEqual(daemon.ctl("reloadconfig").stdout, "ok\n")


class TestFiles(Case):
    def test_files_that_are_not_whole(self) -> None:
        """`reloadconfig` of a file that is empty, that has only [circus], whose include folder is
        gone, or that is cut -> refused, and all go on."""
        daemon = self.daemon(
            SLEEPS.format("a") + SLEEPS.format("b"),
            circus="include_dir = {DIR}/more",
            prepare=lambda at: (
                (at / "more").mkdir() or (at / "more/c.ini").write_text(SLEEPS.format("c"))
            ),
        )
        daemon.wire.events.wait("start", 3)
        before = [daemon.wire.pids(name) for name in "abc"]
        whole = daemon.config.read_text()
        (daemon.folder / "more").rename(daemon.folder / "less")
        texts = ("", whole.partition("[watcher")[0], whole, f"{whole}[watcher:d", whole[:-60])
        for text in texts:
            with self.subTest(text):
                daemon.config.write_text(text)
                self.assertEqual(daemon.ctl("reloadconfig").returncode, 3)
        self.assertEqual([daemon.wire.pids(name) for name in "abc"], before)

    @long
    def test_a_file_that_is_being_written(self) -> None:
        """20 times `reloadconfig` while the file is written in two steps -> none applies half of
        it."""
        daemon = self.daemon("".join(SLEEPS.format(name) for name in "abcdef"))
        daemon.wire.events.wait("start", 6)
        whole = daemon.config.read_bytes()
        ended = threading.Event()

        def write() -> None:
            while not ended.wait(0.02):
                with open(daemon.config, "wb", buffering=0) as file:
                    file.write(whole[: len(whole) // 2])
                    ended.wait(0.002)
                    file.write(whole[len(whole) // 2 :])

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(20):
                daemon.wire.client.call("reloadconfig", waiting=True)
        finally:
            ended.set()
            writer.join()
        self.assertEqual(daemon.wire.events.of("stop"), [])
        self.assertEqual(len(daemon.wire.events.of("spawn")), 6)

    def test_values_of_the_environment_in_a_command(self) -> None:
        """`$(circus.env.P)` with a quote, two words, `$(circus.wid)` or a backslash in P -> in
        quotes always one word as it is; never expanded twice."""
        told = f"{sys.executable} -c 'import sys; print(sys.argv[1:], flush=True)'"
        for value in ('a"b', "a b", "$(circus.wid)", "a\\b", "a'b", "$HOME"):
            with self.subTest(value):
                text = f'[watcher:w]\ncmd = {told} "-b=$(circus.env.P)@h"\nrespawn = False\n'
                daemon = self.daemon(text, env={"P": value})
                self.assertEqual(daemon.out.containing("["), str([f"-b={value}@h"]))

    def test_a_secret_in_a_command_that_cannot_be_split(self) -> None:
        """`cmd = prog -b amqp://$(circus.env.P)@h "` -> the password is in no log and status."""
        text = '[watcher:w]\ncmd = sleep $(circus.env.P) "\n' + SLEEPS.format("v")
        daemon = self.daemon(text, env={"P": 'hunter2"x'})
        said = daemon.ctl("status", "--table").stdout
        self.assertIn("quot", said)
        daemon.signal(15)
        self.assertNotIn("hunter2", said + "\n".join(daemon.ended()))

    @as_root
    def test_a_number_that_is_no_account(self) -> None:
        """`uid = 54321` without a passwd entry, with a gid -> taken."""
        daemon = self.daemon(f"{SLEEPS.format('w')}uid = 54321\ngid = 54321\n")
        (pid,) = self.running(daemon, "sleep 7772")
        self.assertEqual(os.stat(f"/proc/{pid}").st_uid, 54321)


class TestCheck(Case):
    def check(self, text: str) -> list[str]:
        path = folder(self) / "c.ini"
        path.write_text(text)
        done = subprocess.run(
            script("cvec_circusd", "--check", path),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=path.parent,
        )
        return (done.stdout + done.stderr).replace(str(path), "c.ini").splitlines()

    def test_a_number_without_a_group(self) -> None:
        """`uid = 54321` without a gid -> one line says what is missing."""
        lines = self.check(f"{SLEEPS.format('w')}uid = 54321\n")
        self.assertEqual(len([line for line in lines if "gid" in line]), 1, lines)

    def test_accounts_and_rotation(self) -> None:
        """Unknown uid and gid beside max_bytes and backup_count -> both are named, and nothing
        else."""
        rotated = "stdout_stream.max_bytes = 5\nstdout_stream.backup_count = 2\n"
        text = f"{SLEEPS.format('w')}uid = nope\ngid = nix\nstdout_stream.filename = x\n{rotated}"
        lines = self.check(text)
        self.assertIn("nope", "\n".join(lines))
        self.assertIn("nix", "\n".join(lines))
        self.assertNotIn("backup_count", "\n".join(lines))

    def test_a_semicolon_in_quotes(self) -> None:
        """`nginx -g "daemon off;"` -> no warning of a shell."""
        lines = self.check('[watcher:w]\ncmd = sleep -g "daemon off;"\n')
        self.assertNotIn("shell", "\n".join(lines))


class TestPages(unittest.TestCase):
    def test_what_the_pages_say(self) -> None:
        """Manual pages without broken addresses and dashes, and sizes as they are written."""
        for page in sorted((ROOT / "docs" / "man").glob("*.1")):
            text = page.read_text()
            with self.subTest(page.name):
                self.assertNotIn("\u2013", text)
                self.assertNotIn("e+09", text)
                self.assertNotRegex(text, r"tcp://127\n")
        shown = subprocess.run(
            ["man", "-l", str(ROOT / "docs" / "man" / "cvec_circusctl.1")],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "MANWIDTH": "72", "LC_ALL": "C.UTF-8"},
        )
        if shown.returncode == 0:
            self.assertNotRegex(shown.stdout, r"127[-\u2010]?\n")

    @long
    @unittest.skipUnless(importlib.util.find_spec("sphinx"), "sphinx is not installed")
    def test_what_is_built_of_them(self) -> None:
        """The built pages have no roles and dashes that nothing was made of, an anchor for each
        option, and numbers as people write them."""
        built = folder(self)
        words = ["-m", "sphinx", "-q", "-E", "-b", "html", "docs", str(built)]
        subprocess.run([sys.executable, *words], cwd=ROOT, check=True, capture_output=True)
        for path in built.glob("*.html"):
            with self.subTest(path.name):
                text = path.read_text()
                self.assertNotRegex(text, r":(ref|doc):|\u2013[a-z-]|e\+0\d|<em>[^<]*`")
        text = (built / "configuration.html").read_text()
        for name in (row.name for row in TABLE if "*" not in row.name and not row.warning):
            self.assertIn(f'id="watcher-option-{name}"', text)

    def test_programs_in_the_quickstart(self) -> None:
        """The quickstart names all programs that are installed."""
        text = (ROOT / "docs" / "quickstart.rst").read_text()
        for program in BIN.iterdir():
            self.assertIn(program.name, text)


if __name__ == "__main__":
    unittest.main()
