"""The shell of cvec_circusctl: a command a line, from a terminal or a pipe.

The end of the input or `exit` ends it; an error does not.
"""

from __future__ import annotations

import contextlib
import os
import readline
import shlex
import sys
from argparse import Namespace
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Callable

from cvec_circus import __version__, exc
from cvec_circus.client.endpoints import chosen
from cvec_circus.commands import table
from cvec_circus.ctl.arguments import COMMON, PROG, WITH_VALUE, Line, parse
from cvec_circus.ctl.completion import Candidates, values_of
from cvec_circus.ctl.output import complain, say

PROMPT = f"{PROG}> "
HISTORY = 1000
"""Lines of history to keep."""

_OWN = ("exit", "help")
_SURE = "Stop all watchers and end the daemon? `exit` only leaves this shell. [y/N] "


class Shell:
    """Reads commands and carries them out. Owned by the main thread."""

    def __init__(self, options: Namespace, carry_out: Callable[[Line], int]) -> None:
        self._options = options  # of every line that does not set its own
        self._carry_out = carry_out  # returns the exit code of a line
        self._code = exc.EXIT_OK

    def run(self) -> int:
        """Read and carry out lines until the input ends; return the exit code of the last one."""
        if sys.stdin is None:  # closed by the parent process
            return self._code
        if not sys.stdin.isatty():
            return self._run(_next_line)
        endpoint, tunnel = chosen(self._options.endpoint), self._options.tunnel
        endpoint = tunnel.named(endpoint) if tunnel else endpoint
        say(f"{PROG} {__version__}, {endpoint}: `help` lists the commands, Ctrl-D leaves")
        with editing(Completer(self._options.endpoint), history_path()):
            return self._run(lambda: input(PROMPT), ask=input)

    def _run(self, read: Callable[[], str], ask: Callable[[str], str] | None = None) -> int:
        while True:
            try:
                words = shlex.split(read(), comments=True)
                if words == ["exit"]:
                    return self._code
                if words and (words != ["quit"] or ask is None or ask(_SURE)[:1] in ("y", "Y")):
                    self._line(words)
            except EOFError:
                if ask is not None:
                    say("")
                return self._code
            except KeyboardInterrupt:
                self._code = exc.EXIT_INTERRUPTED
                if ask is None:
                    return self._code
                say("")
            except ValueError as problem:  # an open quotation, or bytes that are no text
                complain(f"{exc.ERROR}this line cannot be read: {problem}")
                self._code = exc.EXIT_USAGE
                if isinstance(problem, UnicodeError):
                    return self._code

    def _line(self, words: Sequence[str]) -> None:
        """Carry a line out and keep its exit code."""
        try:
            line = parse(words, self._options)
            if line.command is None:
                self._options = line.options
            else:
                self._code = self._carry_out(line)
        except exc.ArgumentError as problem:
            complain(f"{exc.ERROR}{problem}")
            self._code = exc.EXIT_USAGE
        except SystemExit as end:
            self._code = int(end.code or 0)


def _next_line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def history_path(environ: Mapping[str, str] = os.environ) -> str:
    """Return the path of the history."""
    state = environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(state, "cvec_circus", "ctl_history")


@contextlib.contextmanager
def editing(completer: Completer, path: str) -> Iterator[None]:
    """Let readline complete words, and keep a history that only its owner can read."""
    former = readline.get_completer(), readline.get_completer_delims()
    readline.set_completer(completer)
    readline.set_completer_delims(" \t\n")
    readline.parse_and_bind("tab: complete")
    readline.clear_history()
    with contextlib.suppress(OSError):  # there is none yet, or it is unreadable
        readline.read_history_file(path)
    try:
        yield
    finally:
        readline.set_history_length(HISTORY)
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            readline.write_history_file(path)
        except OSError as problem:
            complain(f"{exc.ERROR}the history cannot be written: {path}: {problem.strerror}")
        readline.set_completer(former[0])
        readline.set_completer_delims(former[1])


class Completer:
    """Completes the word before the cursor; readline calls it. Owned by the main thread."""

    def __init__(self, endpoint: str | None) -> None:
        self._candidates = Candidates(endpoint)
        self._matches: list[str] = []

    def __call__(self, text: str, state: int) -> str | None:
        """Return the match number `state`, or None after the last one."""
        if state == 0:
            before = readline.get_line_buffer()[: readline.get_begidx()]
            self._matches = self.matches(before, text)
        return self._matches[state] if state < len(self._matches) else None

    def matches(self, before: str, text: str) -> list[str]:
        """Return the words that may continue `text`, after the line `before`, quoted as needed."""
        try:
            words = shlex.split(before)
        except ValueError:
            return []  # inside a quotation
        start = text.lstrip("'\"").lower()
        found = (word for word in self._all(words, text) if word.lower().startswith(start))
        return [f"{shlex.quote(word)} " for word in dict.fromkeys(found)]

    def _all(self, before: list[str], text: str) -> Sequence[str]:
        words = _without_options(before, WITH_VALUE)
        if not words or words == ["help"]:
            return sorted(COMMON) if text.startswith("-") else sorted((*table.NAMES, *_OWN))
        command = table.find(words[0])
        if command is None:
            return ()
        values = values_of(command)
        if before[-1] in values:
            return values[before[-1]]
        if text.startswith("-"):
            return self._candidates.switches(command)
        words = _without_options(before, {*WITH_VALUE, *values})
        return self._candidates.words(command, words[1:])


def _without_options(words: Sequence[str], with_value: Collection[str]) -> list[str]:
    """Drop the options and switches, and their values."""
    kept: list[str] = []
    former = ""
    for word in words:
        if not word.startswith("-") and former not in with_value:
            kept.append(word)
        former = word
    return kept
