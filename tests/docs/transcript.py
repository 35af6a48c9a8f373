"""What a page shows of a terminal, run again: the same commands, output of the same shape.

A page shows a terminal in `.. code-block:: console` blocks. A line that begins with `$ ` is a
command, the lines below it are what it prints. Of what is printed only the shape counts: every
number stands for any number, blanks for any blanks, `...` on a line of its own for any lines. A
block below a comment `.. not run` is left out.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import NamedTuple

from tests.support.daemon import BIN, folder
from tests.support.eventually import eventually
from tests.support.leaks import LeakCheckedTestCase

ROOT = BIN.parent
DEADLINE = 30.0
PORT = "8000"
"""The port of the pages' web servers; a test takes one that is free."""

ASKING = {"status", "list", "get", "options", "numprocesses", "stats", "cat", "grep", "logs"}
"""Words of commands that change nothing, which are repeated until the time has come."""

COUNTING = {"numprocesses", "grep"}
"""Words of commands whose numbers count."""

BLOCK = re.compile(
    r"(?P<skip>^\.\. not run\n\n)?^\.\. code-block:: console\n\n(?P<text>(?:   .*\n|\n)+)",
    re.MULTILINE,
)
STAYING = re.compile(r"cvec_circusd (?!--check)|cvec_circus-plugin ")
"""Commands that stay in the foreground."""

PLACES = {"tcp://127.0.0.1:5555": ".control", "tcp://127.0.0.1:5556": ".events"}
"""The endpoints of the pages, and the sockets that a test has in their place."""

NUMBER = re.compile(r"\d+(?:\\?[.,:]\d+)*")

CURL = """#!{python}
import sys, urllib.request
words = sys.argv[1:]
body = words[words.index("-d") + 1].encode() if "-d" in words else None
print(urllib.request.urlopen(words[-1], body, timeout=10).read().decode(), end="")
"""


class Step(NamedTuple):
    """A command of a page, and the lines that follow it. Immutable."""

    command: str
    output: list[str]


def steps(page: str) -> list[Step]:
    """Read the commands of a page of the documentation, in order."""
    found: list[Step] = []
    text = (ROOT / "docs" / f"{page}.rst").read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        if not block["skip"]:
            for line in textwrap.dedent(block["text"]).strip().splitlines():
                if line.startswith("$ "):
                    found.append(Step(line[2:].partition("  #")[0].rstrip(), []))
                else:
                    found[-1].output.append(line)
    return found


def shape(lines: list[str], counting: bool = False) -> re.Pattern[str]:
    """Make the pattern of everything that looks like these lines, or has these very numbers."""
    text = ""
    for line in lines:
        if line.strip() == "...":
            text += r"(?:.*\n)*"
            continue
        words = [re.escape(word) for word in line.split()]
        if not counting:
            words = [NUMBER.sub(r"[\\d.,:]+", word) for word in words]
        text += r" *" + r"\ +".join(words) + r" *\n"
    return re.compile(text)


class TranscriptCase(LeakCheckedTestCase):
    """Runs what a page shows, in a directory of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.folder: Path = folder(self)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])
        self.daemons: list[Background] = []
        programs = self.folder / ".bin"
        programs.mkdir()
        for script in BIN.iterdir():
            # Into a pipe, too, what a person sees at a terminal.
            table = " --table" if script.name == "cvec_circusctl" else ""
            command = f"{sys.executable} {script}{table}"
            (programs / script.name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (programs / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (programs / "curl").write_text(CURL.format(python=sys.executable))
        for program in programs.iterdir():
            program.chmod(0o755)
        self.environ = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "CVEC_CIRCUSCTL_ENDPOINT": f"ipc://{self.folder}/.control",
            "NO_COLOR": "1",
        }
        self.environ.pop("PYTHONWARNINGS", None)

    def save(self, *examples: str) -> None:
        """Save files of docs/examples as the page tells people to."""
        for example in examples:
            path = ROOT / "docs" / "examples" / example
            text = path.read_text(encoding="utf-8").replace(PORT, self.port)
            if path.suffix == ".ini":
                text += (
                    f"\n[circus]\nendpoint = ipc://{self.folder}/.control\n"
                    f"pubsub_endpoint = ipc://{self.folder}/.events\n"
                )
            (self.folder / path.name).write_text(text, encoding="utf-8")

    def play(self, page: str) -> None:
        """Run a page from its beginning to its end."""
        for number, step in enumerate(steps(page), 1):
            with self.subTest(f"{page}, {number}: {step.command}"):
                if STAYING.match(step.command):
                    self.begin(step)
                else:
                    self.run_step(step)

    def begin(self, step: Step) -> None:
        """Start a daemon or a plugin in a terminal of its own."""
        daemon = Background(self, self.here(step.command))
        self.daemons.append(daemon)
        self.addCleanup(daemon.end)
        wanted = shape(step.output)
        if not eventually(lambda: wanted.match(daemon.output()), DEADLINE):
            self.fail(f"printed:\n{daemon.output()}\nthe page has:\n" + "\n".join(step.output))

    def run_step(self, step: Step) -> None:
        """Run a command, again if it only asks and the answer may still change."""
        words = set(step.command.split())
        wanted = shape(step.output, counting=bool(COUNTING & words))
        printed = [""]

        def run() -> bool:
            printed[0] = self.run_command(step.command)
            return wanted.fullmatch(printed[0]) is not None

        again = ASKING & words
        if not (eventually(run, DEADLINE) if again else run()):
            self.fail(f"printed:\n{printed[0]}\nthe page has:\n" + "\n".join(step.output))

    def run_command(self, command: str) -> str:
        """Run a line as a shell does, and return what it prints."""
        done = subprocess.run(
            ["/bin/sh", "-c", self.here(command)],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout if not done.stdout or done.stdout.endswith("\n") else done.stdout + "\n"

    def here(self, text: str) -> str:
        """Put the places of the test into a text in place of those of the pages."""
        for place, name in PLACES.items():
            text = text.replace(place, f"ipc://{self.folder}/{name}")
        return text.replace(PORT, self.port)

    def assert_all_ended(self) -> None:
        """Every daemon has ended by itself."""
        for daemon in self.daemons:
            self.assertEqual(daemon.process.wait(DEADLINE), 0)


class Background:
    """A daemon in another terminal. Owned by the test."""

    def __init__(self, case: TranscriptCase, command: str) -> None:
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"],
            cwd=case.folder,
            env=case.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._folder = case.folder
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)

    def output(self) -> str:
        """What it has printed so far."""
        text = "".join(self._lines)
        for place, name in PLACES.items():
            text = text.replace(f"ipc://{self._folder}/{name}", place)
        return text

    def end(self) -> None:
        """Stop it if it runs, and let go of it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(DEADLINE)
        assert self.process.stdout is not None
        self.process.stdout.close()
