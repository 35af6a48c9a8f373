"""Completion of command lines in bash, zsh and fish: they ask the program itself, by argcomplete.

A shell runs the program at each press of the key, with a variable of argcomplete's in its
environment; only then is argcomplete imported, which is the extra `completion`.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

PROGRAMS = (
    "cvec_circusctl",
    "cvec_circusd",
    "cvec_circus-plugin",
    "cvec_circusd-stats",
    "cvec_circus-top",
)
"""All our programs; one script completes them."""

SHELLS = ("bash", "zsh", "fish")

_ASKED = "_ARGCOMPLETE"

_ZSH = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }"
"""The script needs compdef, which a .zshrc without any completion does not have."""


def answer(
    parser: Callable[[], ArgumentParser], words: Mapping[str, Callable[[], Iterable[str]]] = {}
) -> None:
    """Answer a shell that completes a line, and end the process; return at once if none does.

    Where a parser names no choices, files are proposed.

    Args:
        parser: Makes the parser of the command line.
        words: Returns what an argument may be, by the name of the argument.
    """
    if _ASKED not in os.environ:
        return
    try:
        from argcomplete import autocomplete
    except ImportError:
        return
    made = parser()
    for action in made._actions:
        if action.dest in words:
            action.completer = _completer(words[action.dest])  # type: ignore[attr-defined]
    autocomplete(made, always_complete_options="long", exclude=list(_second_spellings(made)))


def _second_spellings(parser: ArgumentParser) -> Iterator[str]:
    """Yield the options that are there with ``-`` in place of their ``_`` as well."""
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for below in action.choices.values():
                yield from _second_spellings(below)
        spellings = action.option_strings
        yield from (one for one in spellings if one.replace("_", "-") in set(spellings) - {one})


def script(shell: str) -> str:
    """Return the script by which a shell completes the command lines of all programs.

    Raises:
        ImportError: argcomplete is not installed.
    """
    from argcomplete.shell_integration import shellcode

    text = str(shellcode(list(PROGRAMS), shell=shell))
    if shell != "zsh":
        return text
    head, line, rest = text.partition("\n")  # the first line makes it a file of fpath as well
    return f"{head}{line}{_ZSH}\n{rest}"


def _completer(words: Callable[[], Iterable[str]]) -> Callable[..., list[str]]:
    def complete(**asked: Any) -> list[str]:
        return list(words())

    return complete
