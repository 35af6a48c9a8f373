"""Completion of command lines in bash, zsh and fish, by argcomplete: the extra `completion`.

The shell runs cvec_circusctl at each press of the key, with a variable of argcomplete's in its
environment; only then is any of this imported.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

from cvec_circus import exc
from cvec_circus.commands import table
from cvec_circus.commands.base import Command
from cvec_circus.ctl.arguments import PROG, add_switches, main_parser
from cvec_circus.ctl.candidates import VALUES, Candidates
from cvec_circus.ctl.output import complain, say

try:
    from argcomplete import autocomplete
    from argcomplete.shell_integration import shellcode
except ImportError:  # it is an extra
    autocomplete = None  # type: ignore[assignment]

_COMPLETER = "completer"  # the attribute of an argument that argcomplete looks at
MISSING = "completion needs argcomplete: pip install 'cvec_circus[completion]'"


def print_script(shell: str) -> int:
    """Print what a shell has to read to complete command lines.

    Returns:
        The exit code.
    """
    if autocomplete is None:
        complain(f"{PROG}: {MISSING}")
        return exc.EXIT_PROBLEM
    say(shellcode([PROG], shell=shell))
    return exc.EXIT_OK


def complete() -> None:
    """Answer the shell that wants to complete a line, and end the process."""
    if autocomplete is not None:
        autocomplete(completing_parser(), always_complete_options="long")


def completing_parser() -> argparse.ArgumentParser:
    """Make a parser that knows every command with its switches and arguments."""
    parser = argparse.ArgumentParser(prog=PROG, parents=[main_parser()], add_help=False)
    commands = parser.add_subparsers(metavar="COMMAND")
    for command in table.load_all().values():
        below = commands.add_parser(command.name, help=command.doc)
        add_switches(below, command)
        for action in below._actions:
            for name in VALUES.keys() & action.option_strings:
                setattr(action, _COMPLETER, partial(_given, VALUES[name]))
        words = below.add_argument("words", nargs="*")
        setattr(words, _COMPLETER, Words(command))
    commands.add_parser("help").add_argument("command", nargs="?", choices=table.NAMES)
    return parser


def _given(values: Sequence[str], **others: Any) -> Sequence[str]:
    return values


class Words:
    """Immutable. Completes the arguments of a command; argcomplete calls it."""

    def __init__(self, command: Command) -> None:
        self._command = command

    def __call__(self, prefix: str, parsed_args: argparse.Namespace, **others: Any) -> list[str]:
        """Return the words that may stand at the place."""
        before = list(getattr(parsed_args, "words", None) or ())
        return Candidates(parsed_args.endpoint).words(self._command, before)
