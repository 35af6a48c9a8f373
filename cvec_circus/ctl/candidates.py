"""What a person may go on with: the words that complete a command line.

Shared by the shell of cvec_circusctl and by those of the system. What only the daemon knows is
asked of it, with little patience: a key that was pressed must not hang.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from cvec_circus.client import Client
from cvec_circus.client.connect import endpoint_from
from cvec_circus.commands.base import Command
from cvec_circus.ctl.arguments import PROG
from cvec_circus.exc import CallError
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.wire import messages

PATIENCE = 0.5
"""Seconds that the daemon has to answer."""

SIGNALS = ("HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "TERM", "CONT", "STOP", "WINCH")
VALUES = {"--match": ("glob", "simple", "regex"), "--signum": SIGNALS}
OPTIONS = ("--endpoint", "--help", "--json", "--prettify", "--timeout")


class Candidates:
    """Finds the words that may stand at a place. Owned by the thread that uses it."""

    def __init__(self, endpoint: str | None) -> None:
        """Prepare; nobody is asked before it is necessary.

        Args:
            endpoint: Where the daemon listens; None for where it usually does.
        """
        self._endpoint = endpoint or endpoint_from()

    def words(self, command: Command, before: Sequence[str]) -> list[str]:
        """Return what may stand behind a command.

        Args:
            command: The command.
            before: Its arguments up to here.
        """
        if command.name == "add":
            return []  # a new name, and a program
        found: list[str] = []
        for word in _places(command, len(before)):
            found += self._for(word, command, before)
        return found

    def names(self) -> list[str]:
        """Return the names of all watchers."""
        return sorted(self._ask("status").get("statuses", ()))

    def switches(self, command: Command) -> list[str]:
        """Return what may stand anywhere behind a command."""
        return [*(f"--{switch.name}" for switch in command.switches_shown), *OPTIONS]

    def _for(self, word: str, command: Command, before: Sequence[str]) -> list[str]:
        """Return what a word of the usage may stand for."""
        if word in ("NAME", "TOPIC"):
            return self.names()
        if word == "PID":
            return [str(pid) for pid in self._ask("list", name=before[0]).get("pids", ())]
        if word == "SIGNAL":
            return list(SIGNALS)
        if word != "OPTION":
            return []
        if command.name == "globaloptions":
            return sorted(self._ask("globaloptions").get("options", ()))
        there = self._ask("options", name=before[0]).get("options", ())
        if command.name == "get":
            return sorted(there)
        known = (option.name for option in WATCHER_OPTIONS if option.available)
        return sorted({*known, *(key for key in there if "." in key)})

    def _ask(self, command: str, **properties: Any) -> dict[str, Any]:
        """Ask the daemon; {} when it does not answer."""
        with Client(self._endpoint, name=PROG) as client:
            try:
                return client.exchange(messages.call(command, properties), PATIENCE)
            except CallError:
                return {}  # nothing to offer, and nobody to tell: the line is not finished


def _places(command: Command, index: int) -> list[str]:
    """Return the words of the usage that an argument may stand for.

    Args:
        command: The command.
        index: How many arguments there are before that one.
    """
    words = re.findall("[A-Z]+", command.usage)
    if command.name == "signal" and index:
        return ["PID", "SIGNAL"] if index == 1 else ["SIGNAL"]
    if index < len(words):
        return [words[index]]
    repeated = re.findall("[A-Z]+", command.usage.rpartition("[")[2])
    if command.usage.endswith("...]"):
        return [repeated[(index - len(words)) % len(repeated)]]
    return []
