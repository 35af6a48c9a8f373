"""The arguments of cvec_circusctl, made from the commands' own schemas."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from cvec_circus import __version__
from cvec_circus.commands import table
from cvec_circus.exc import ArgumentError
from cvec_circus.options.nearest import did_you_mean

if TYPE_CHECKING:
    from cvec_circus.commands.base import Command, Fields, Switch

PROG = "cvec_circusctl"

#: Options that the word after them belongs to.
_WITH_VALUE = frozenset({"--endpoint", "--timeout", "--ssh", "--ssh_keyfile"})
_NEGATIVE = re.compile(r"-[0-9.]+")


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, Command | None, Fields]:
    """Understand a command line.

    Options stand before the command or after it; what follows ``--`` is taken as it is.

    Returns:
        The options, the command (None when there is none) and the properties to send.

    Raises:
        SystemExit: With 2 for a command line that is wrong, with 0 after --help or --version.
    """
    parser = _main_parser()
    at = _command_index(argv)
    options = parser.parse_args(argv[:at])
    if at == len(argv):
        parser.print_help()
        return options, None, {}
    command = table.find(argv[at])
    if command is None:
        parser.error(f"unknown command {argv[at]!r}{table.near(argv[at])}")
    return options, command, _properties(command, argv[at + 1 :], options)


def usage_error(reason: str) -> NoReturn:
    """End with a line about a command line that cannot be carried out.

    Raises:
        SystemExit: With 2.
    """
    _main_parser().error(reason)


def _command_index(argv: Sequence[str]) -> int:
    """Find the command: the first word that is no option and no option's value."""
    at = 0
    while at < len(argv) and argv[at].startswith("-"):
        at += 2 if argv[at] in _WITH_VALUE else 1
    return min(at, len(argv))


class _MainParser(argparse.ArgumentParser):
    """Owned by the thread that made it. Loads the commands only when their help is wanted."""

    def format_help(self) -> str:
        """Show the options, and a line for each command."""
        width = max(map(len, table.NAMES))
        commands = table.load_all().values()
        lines = [f"  {command.name.ljust(width)}  {command.doc}" for command in commands]
        ending = f"`{PROG} COMMAND --help` shows more of a command."
        return "\n".join([super().format_help(), "commands:", *lines, "", ending, ""])


def _main_parser() -> argparse.ArgumentParser:
    parser = _MainParser(
        prog=PROG,
        usage="%(prog)s [OPTION ...] COMMAND [ARGUMENT ...]",
        description="Talk to cvec_circusd.",
        allow_abbrev=False,
    )
    _add_options(parser)
    parser.add_argument("--version", action="version", version=f"{PROG} {__version__}")
    return parser


def _add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that do not depend on the command."""

    def value(name: str, shown: str, text: str, kind: Any = str) -> None:
        parser.add_argument(name, metavar=shown, type=kind, help=text)

    value("--endpoint", "URL", "where the daemon listens")
    patience = "how long to wait for the answer; 5, with --waiting as long as it takes"
    value("--timeout", "SECONDS", patience, _seconds)
    parser.add_argument("--json", action="store_true", help="print the reply as JSON")
    pretty = "print the reply as JSON, a value a line"
    parser.add_argument("--prettify", action="store_true", help=pretty)
    value("--ssh", "SERVER", argparse.SUPPRESS)
    value("--ssh_keyfile", "FILE", argparse.SUPPRESS)


def _properties(command: Command, rest: Sequence[str], options: argparse.Namespace) -> Fields:
    """Understand what follows the command; options found there go into `options`."""
    parser = argparse.ArgumentParser(
        prog=f"{PROG} {command.name}",
        usage=" ".join(filter(None, ("%(prog)s", command.usage, "[SWITCH ...]"))),
        description=command.doc,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    for switch in command.all_switches:
        _add_switch(parser, command, switch)
    _add_options(parser)
    at = rest.index("--") if "--" in rest else len(rest)
    found, args = parser.parse_known_args(rest[:at])
    _refuse_unknown(parser, command, args)
    switches = {}
    for key, value in vars(found).items():
        if key.startswith(" "):
            switches[key[1:]] = value
        else:
            setattr(options, key, value)
    try:
        return command.message([*args, *rest[at + 1 :]], switches)
    except ArgumentError as problem:
        parser.error(str(problem))


def _add_switch(parser: argparse.ArgumentParser, command: Command, switch: Switch) -> None:
    """Declare a switch; what it sets is kept under " PROPERTY", a name that no option has."""
    prop = command.by_name[switch.prop]
    spellings = dict.fromkeys((f"--{switch.name}", f"--{switch.name.replace('_', '-')}"))
    dest, text = f" {prop.name}", switch.doc or prop.doc
    if switch.value is None:
        parser.add_argument(*spellings, dest=dest, metavar=switch.name.upper(), help=text)
    else:
        parser.add_argument(
            *spellings, dest=dest, action="store_const", const=switch.value, help=text
        )


def _refuse_unknown(parser: argparse.ArgumentParser, command: Command, args: Sequence[str]) -> None:
    """End with a line about the first word that looks like a switch and is none."""
    for word in args:
        if word.startswith("-") and word != "-" and not _NEGATIVE.fullmatch(word):
            known = [f"--{switch.name}" for switch in command.all_switches]
            near = did_you_mean(word, [*known, "--endpoint", "--timeout", "--json", "--prettify"])
            parser.error(f"unknown switch {word}{near or '; words of a program stand after --'}")


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 1e9:
        raise ValueError(text)
    return seconds


_seconds.__name__ = "number of seconds"  # argparse says "invalid number of seconds value"
