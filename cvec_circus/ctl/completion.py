"""Completion of command lines: the words that may stand at a place of cvec_circusctl's.

Its own shell shares them with bash, zsh and fish, which ask it: see `system.completion`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from cvec_circus import exc
from cvec_circus.client import Client
from cvec_circus.client.endpoints import endpoint_from
from cvec_circus.commands import table
from cvec_circus.commands.base import Command
from cvec_circus.commands.kinds import SIGNALS
from cvec_circus.commands.naming import NUMBER
from cvec_circus.ctl.arguments import COMMON, PROG, add_switches, main_parser
from cvec_circus.ctl.output import complain, say
from cvec_circus.options import hooks
from cvec_circus.options.rights import LIMIT
from cvec_circus.options.stream_classes import STREAM_CLASSES
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.system import completion
from cvec_circus.system.launch import LIMITS
from cvec_circus.wire import messages

PATIENCE = 0.5
"""Seconds that the daemon has to answer: a key that was pressed must not hang."""

MISSING = "completion needs argcomplete: pip install 'cvec_circus[completion]'"


class Candidates:
    """Finds the words that may stand at a place. Owned by the thread that uses it."""

    def __init__(self, endpoint: str | None) -> None:
        """Prepare; the daemon is only asked for what it alone knows."""
        self._endpoint = endpoint or endpoint_from()

    def words(self, command: Command, before: Sequence[str]) -> list[str]:
        """Return the next arguments that a command may have after those `before`."""
        if command.name == "add":
            return []  # a new name, and a program
        places = _places(command, before)
        return [one for place in places for one in self._for(place, command, before)]

    def names(self) -> list[str]:
        """Return the names of all watchers."""
        return sorted(self._ask("status").get("statuses", ()))

    def switches(self, command: Command) -> list[str]:
        """Return the switches and options that a command may have."""
        return [*(f"--{switch.name}" for switch in command.switches_shown), *sorted(COMMON)]

    def _for(self, word: str, command: Command, before: Sequence[str]) -> list[str]:
        """Return what a word of the usage may stand for."""
        if word in ("NAME", "TOPIC"):
            return [name for name in self.names() if word == "TOPIC" or name not in before]
        if word == "PID":
            return [str(pid) for pid in self._ask("list", name=before[0]).get("pids", ())]
        if word == "SIGNAL":
            return list(SIGNALS)
        if word == "VALUE":
            return _values(before[-1])
        if word != "OPTION":
            return []
        if command.name == "globaloptions":
            return sorted(self._ask("globaloptions").get("options", ()))
        reply = self._ask("options", name=before[0])
        each = reply.get("watchers", {"": reply}).values()
        there = {key for one in each for key in one.get("options", ())}
        if command.name == "get":
            return sorted(there)
        known = {one.name for one in WATCHER_OPTIONS if not (one.is_family or one.is_directive)}
        known |= {f"hooks.{name}" for name in hooks.NAMES} | {f"{LIMIT}{name}" for name in LIMITS}
        return sorted({*known, *(key for key in there if "." in key)})

    def _ask(self, command: str, **properties: Any) -> dict[str, Any]:
        """Ask the daemon; {} if it does not answer: a line being typed is no place for errors."""
        with Client(self._endpoint, name=PROG) as client:
            try:
                return client.exchange(messages.call(command, properties), PATIENCE)
            except exc.CallError:
                return {}


def _places(command: Command, before: Sequence[str]) -> list[str]:
    """Return the words of the usage that the argument behind those `before` may stand for."""
    words, index = re.findall("[A-Z]+", command.usage), len(before)
    if index and "NAME ..." in command.usage:
        has_number = any(map(NUMBER.fullmatch, before[1:]))
        possible = {"NAME": not has_number, "PID": index == 1, "SIGNAL": True}
        return [word for word in reversed(dict.fromkeys(words)) if possible.get(word)]
    if index < len(words):
        return [words[index]]
    repeated = re.findall("[A-Z]+", command.usage.rpartition("[")[2])
    if command.usage.endswith("...]"):
        return [repeated[(index - len(words)) % len(repeated)]]
    return []


def _values(key: str) -> list[str]:
    """Return the values that an option of a watcher may have, if they are known."""
    option = WATCHER_OPTIONS.find(key)
    if option is None:
        return []
    of_kind = {"boolean": ("True", "False"), "signal": SIGNALS, "stream_class": (*STREAM_CLASSES,)}
    return list(option.choices or of_kind.get(option.kind, ()))


def values_of(command: Command) -> dict[str, Sequence[str]]:
    """Return the switches of a command that take the next word, each with the known ones."""
    found = {}
    for switch in command.switches_shown:
        if switch.value is None:
            prop = command.by_name.get(switch.prop)
            found[f"--{switch.name}"] = switch.choices or (prop.choices if prop else ())
    return found


def print_script(shell: str) -> int:
    """Print the script by which a shell completes command lines, and return the exit code."""
    try:
        text = completion.script(shell)
    except ImportError:
        complain(f"{exc.ERROR}{MISSING}")
        return exc.EXIT_PROBLEM
    say(text)
    return exc.EXIT_OK


def completing_parser() -> argparse.ArgumentParser:
    """Make a parser that knows every command with its switches and arguments.

    argcomplete looks at the attribute `completer` of an argument.
    """
    parser = argparse.ArgumentParser(prog=PROG, parents=[main_parser()], add_help=False)
    commands = parser.add_subparsers(metavar="COMMAND")
    for command in table.load_all().values():
        below = commands.add_parser(command.name, help=command.doc)
        add_switches(below, command)
        for name, words in values_of(command).items():
            if words:
                action: Any = below._option_string_actions[name]
                action.completer = partial(_given, words)
        rest: Any = below.add_argument("words", nargs="*")
        rest.completer = partial(_arguments, command)
    commands.add_parser("help").add_argument("command", nargs="?", choices=table.NAMES)
    return parser


def _given(values: Sequence[str], **others: Any) -> Sequence[str]:
    return values


def _arguments(command: Command, parsed_args: argparse.Namespace, **others: Any) -> list[str]:
    before = list(getattr(parsed_args, "words", None) or ())
    return Candidates(parsed_args.endpoint).words(command, before)
