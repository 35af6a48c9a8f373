"""The shell of cvec_circusctl: on a terminal, and in a pipe."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shlex
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

from cvec_circus.base.clock import SYSTEM
from cvec_circus.ctl.shell import PROMPT, history_path
from tests.ctl.ctl_case import CtlCase
from tests.support.daemon import script
from tests.support.eventually import eventually
from tests.support.wire import TIMEOUT

ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>])")


class Terminal:
    """A person at a terminal with the shell in it. Owned by the test."""

    def __init__(self, test: unittest.TestCase, endpoint: str, home: str, *words: str) -> None:
        self.ours, theirs = pty.openpty()
        test.addCleanup(os.close, self.ours)
        line = shlex.join(map(str, script("cvec_circusctl", "--endpoint", endpoint, *words)))
        name = shlex.quote(os.ttyname(theirs))
        kept = {key: value for key, value in os.environ.items() if key != "INPUTRC"}
        env = {**kept, "HOME": home, "XDG_STATE_HOME": "", "TERM": "xterm", "NO_COLOR": "1"}
        # The first terminal that the leader of a session opens is the one that Ctrl-C comes from.
        command = f"exec {line} <{name} >{name} 2>&1"
        self.process = subprocess.Popen(["sh", "-c", command], start_new_session=True, env=env)
        test.addCleanup(self.process.wait)
        test.addCleanup(self.process.kill)
        self.theirs = theirs
        test.addCleanup(os.close, theirs)

    def interrupt(self, text: str = PROMPT) -> str:
        """Press Ctrl-C until a text comes, and return what came: Python may not have waited for a
        key yet."""
        for _ in range(int(TIMEOUT)):
            self.type("\x03")
            with contextlib.suppress(AssertionError):
                return self.until(text, 1.0)
        raise AssertionError("Ctrl-C has no effect")

    def until(self, text: str, timeout: float = TIMEOUT) -> str:
        """Read until a text has come, and return all that came."""
        deadline = SYSTEM.monotonic() + timeout
        seen = ""
        while text not in seen:
            left = deadline - SYSTEM.monotonic()
            if not select.select([self.ours], [], [], max(0.0, left))[0]:
                raise AssertionError(f"no {text!r} in {seen!r}")
            seen += ESCAPES.sub("", os.read(self.ours, 4096).decode())
        return seen

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.ours, text.encode())

    def enter(self, line: str) -> list[str]:
        """Type a line, and return what is printed until the next prompt."""
        self.type(f"{line}\n")
        return self.until(PROMPT).splitlines()[1:-1]

    def ended(self) -> int:
        """Wait for the end; return the exit code."""
        return self.process.wait(TIMEOUT)


class TestOnATerminal(CtlCase):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = folder.name

    def shell(self, *words: str) -> Terminal:
        terminal = Terminal(self, self.address, self.home, *words)
        terminal.until(PROMPT)
        return terminal

    def test_a_session(self) -> None:
        terminal = self.shell()
        self.assertEqual(terminal.enter("status web"), ["up"])
        self.assertEqual(terminal.enter("statsu"), ["error: statsu: did you mean status?"])
        self.assertEqual(terminal.enter("status nope"), ["error: no watcher nope"])
        self.assertEqual(terminal.enter("numwatchers # of them"), ["3"])
        said = terminal.enter("incr")
        self.assertIn("NAME is missing", said[0])
        self.assertEqual(terminal.enter(""), [])
        self.assertIn("No closing quotation", terminal.enter("status 'web")[0])
        self.assertEqual(terminal.enter("numprocesses --json")[0][:16], '{"status": "ok",')
        self.assertIn("commands:", terminal.enter("help"))
        terminal.type("\x04")
        self.assertEqual(terminal.ended(), 0)

    def test_ctrl_c_ends_the_line_and_not_the_shell(self) -> None:
        terminal = self.shell()
        terminal.type("status we")
        terminal.until("status we")
        terminal.interrupt()
        self.assertEqual(terminal.enter("list web"), ["6178,6179"])
        self.loop.ask(setattr, self.target, "outcome", None)
        terminal.type("stop web --waiting\n")
        self.assertTrue(eventually(self.ordered, TIMEOUT))
        terminal.interrupt()
        self.assertEqual(self.left(terminal), 130)

    def test_ctrl_c_ends_logs_and_not_the_shell(self) -> None:
        terminal = self.shell()
        terminal.type("logs web --follow\n")
        asked = ("next_lines", "web", "stdout", 7, 10.0)
        self.assertTrue(eventually(lambda: asked in self.ordered(), TIMEOUT))
        terminal.interrupt()
        self.assertEqual(self.left(terminal), 130)

    def left(self, terminal: Terminal) -> int:
        """Leave the shell; return its exit code."""
        terminal.type("exit\n")
        return terminal.ended()

    def ordered(self) -> list[tuple[str, ...]]:
        """What has been asked of the daemon."""
        return self.loop.ask(lambda: list(self.target.orders))

    def test_completion(self) -> None:
        terminal = self.shell()
        for typed, whole in (
            ("numw\t", "numwatchers "),
            ("status w\t", "status web "),
            ("status on\t", "status 'One Shot' "),
            ("get web flap\t", "get web flapping.max_retry "),
            ("set web numpr\t", "set web numprocesses "),
            ("stop --wai\t", "stop --waiting "),
            ("stop --match gl\t", "stop --match glob "),
            ("signal web US\t1\t", "signal web USR1 "),
            ("help numw\t", "help numwatchers "),
            ("events --fol\t", "events --follow "),
            ("logs w\t", "logs web "),
            ("logs --std\t", "logs --stderr "),
        ):
            with self.subTest(typed=typed):
                terminal.type(typed)
                terminal.until(whole[-3:])
                terminal.type("\x15")  # away with the line
        terminal.type("sta\t\t")
        said = terminal.until("status")
        self.assertIn("start", said)

    def test_history(self) -> None:
        terminal = self.shell()
        terminal.enter("numwatchers")
        self.assertEqual(self.left(terminal), 0)
        path = Path(history_path({"XDG_STATE_HOME": f"{self.home}/.local/state"}))
        self.assertEqual(path.read_text(encoding="utf-8"), "numwatchers\nexit\n")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        terminal = self.shell()
        terminal.type("\x1b[A\x1b[A")
        terminal.until("numwatchers")
        terminal.type("\n")
        self.assertIn("3", terminal.until(PROMPT).splitlines())

    def test_a_history_that_cannot_be_kept(self) -> None:
        Path(self.home, ".local").touch()
        terminal = self.shell()
        terminal.type("\x04")
        terminal.until("the history cannot be written: ")
        self.assertEqual(terminal.ended(), 0)

    def test_quit_is_not_exit(self) -> None:
        terminal = self.shell()
        terminal.type("quit\n")
        terminal.until("[y/N] ")
        self.assertEqual(terminal.enter("n"), [])
        self.assertEqual(self.ordered(), [])
        terminal.type("quit\n")
        terminal.until("[y/N] ")
        self.assertEqual(terminal.enter("y"), ["ok"])
        self.assertEqual(self.ordered(), [("quit",)])

    def test_a_daemon_that_is_not_there(self) -> None:
        terminal = Terminal(self, "ipc:///no/such", self.home, "--timeout", "0.1")
        terminal.until(PROMPT)
        self.assertIn("there is no such socket", terminal.enter("status")[0])
        terminal.type("sta\t")
        terminal.until("\a")
        terminal.type("\x15")
        self.assertEqual(self.left(terminal), 4)


class TestInAPipe(CtlCase):
    def piped(self, text: bytes, *words: str) -> tuple[int, str, str]:
        done = subprocess.run(
            script("cvec_circusctl", "--endpoint", self.address, *words),
            input=text,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_commands(self) -> None:
        self.assertEqual(self.piped(b"numwatchers\nstatus web"), (0, "3\nactive\n", ""))
        self.assertEqual(self.piped(b""), (0, "", ""))

    def test_the_last_command_makes_the_exit_code(self) -> None:
        code, out, err = self.piped(b"status nope\n")
        self.assertEqual((code, out, err), (3, "", "error: no watcher nope\n"))
        code, out, err = self.piped(b"statsu\nnumwatchers\n")
        self.assertEqual((code, out, err), (0, "3\n", "error: statsu: did you mean status?\n"))
        self.assertEqual(self.piped(b"numwatchers\nexit\nstatsu\n"), (0, "3\n", ""))

    def test_options_hold_for_every_line(self) -> None:
        code, out, _ = self.piped(b"list\nnumwatchers\n", "--json")
        self.assertEqual([line[:14] for line in out.splitlines()], ['{"status": "ok'] * 2)
        self.assertEqual(code, 0)

    def test_no_input_at_all(self) -> None:
        line = shlex.join(map(str, script("cvec_circusctl")))
        done = subprocess.run(["sh", "-c", f"{line} <&-"], capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def test_what_is_no_text(self) -> None:
        code, out, err = self.piped(b"status \xff\n")
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertIn(code, (2, 3))  # 3: an encoding that takes any byte
        self.assertEqual(out, "")

    def test_quit_is_not_asked_about(self) -> None:
        self.assertEqual(self.piped(b"quit\n"), (0, "ok\n", ""))


if __name__ == "__main__":
    unittest.main()
