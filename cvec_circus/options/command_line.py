"""Command lines of our programs: what is wrong with one, in the same words everywhere."""

from __future__ import annotations

import argparse
from typing import NoReturn

from cvec_circus.base.patterns import regex
from cvec_circus.exc import ArgumentError
from cvec_circus.options.nearest import did_you_mean

_OPTION = r"^argument (?:-\w/)?(-[\w-]+)(?:/[\w/-]+)?: "
_TOLD = (
    (regex(rf"{_OPTION}ignored explicit argument .*"), r"\1 takes no value"),
    (regex(rf"{_OPTION}expected one argument"), r"\1 needs a value"),
    (regex(rf"{_OPTION}not allowed with argument (\S+)"), r"\1 and \2 do not go together"),
    (regex(r"^the following arguments are required: (\S+)$"), r"\1 is missing"),
    (regex(_OPTION), r"\1: "),
)
"""What argparse says, and how it is said here."""
_CHOICE = regex(r"invalid choice: (.*) \(choose from (.*)\)$")
_UNKNOWN = "unrecognized arguments: "


class CommandLine(argparse.ArgumentParser):
    """Says what is wrong in one line. Owned by the thread that made it."""

    def error(self, message: str) -> NoReturn:
        """Raise ArgumentError instead of printing the usage and exiting."""
        raise ArgumentError(self.told(message))

    def told(self, message: str) -> str:
        """Return what argparse says in our words."""
        if message.startswith(_UNKNOWN):
            words = message[len(_UNKNOWN) :]
            if not words.startswith("-"):
                return f"too many arguments: {words}"
            option = words.partition(" ")[0].partition("=")[0]
            known = [name for name in self._option_string_actions if name.startswith("--")]
            return f"unknown option {option}{did_you_mean(option, known)}"
        for pattern, told in _TOLD:
            message = pattern.sub(told, message)
        choice = _CHOICE.search(message)
        if choice:  # with quotes or without, by the version of Python
            choices = choice[2].replace("'", "")
            message = f"{message[: choice.start()]}{choice[1]} is not one of {choices}"
        return message
