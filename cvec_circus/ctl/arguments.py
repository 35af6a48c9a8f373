"""The arguments of cvec_circusctl, made from the commands' own schemas."""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from cvec_circus import version_text
from cvec_circus.base.named import NamedTuple
from cvec_circus.base.patterns import regex
from cvec_circus.commands import table
from cvec_circus.commands.base import CONCEAL
from cvec_circus.ctl.output import conceals, page_of
from cvec_circus.exc import ArgumentError
from cvec_circus.options.command_line import CommandLine
from cvec_circus.options.kinds import to_seconds
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.system.completion import SHELLS

if TYPE_CHECKING:
    from cvec_circus.commands.base import Command, Fields

PROG = "cvec_circusctl"

KEYFILE = ("--ssh-keyfile", "--ssh_keyfile")
WITH_VALUE = frozenset({"--endpoint", "--timeout", "--ssh", *KEYFILE, "--completion"})
"""Options that take the next word."""

COMMON = ("--endpoint", "--timeout", "--json", "--prettify", "--table", "--show-secrets", "--help")
"""Options that may stand before the command or after it."""

ELSEWHERE = {
    "top": "the program cvec_circus-top",
    "version": "--version, or `ping` for that of the daemon",
    "shutdown": "quit",
    "tail": "logs --follow",
    "ps": "stats",
    "scale": "set NAME numprocesses NUMBER",
    "show": "options NAME",
    "config": "options NAME, or globaloptions for the daemon's",
    "remove": "rm",
    "delete": "rm",
    "reread": "reloadconfig --dry-run",
    "update": "reloadconfig",
}
"""What people type who know another supervisor, and what does that here."""

_NEGATIVE = regex(r"-[0-9.]+")
_HELP = "help"
_AFTER = {
    "add": "; words of a program stand after --",
    "set": "; values that begin with a dash stand after --",
}
"""Where a word belongs that is no switch of the command."""


class Line(NamedTuple):
    """A command line that has been parsed. Immutable.

    Attributes:
        options: What is independent of the command: endpoint, timeout, json, prettify ...; in
            `local` the switches that the daemon does not get, with their values.
    """

    options: argparse.Namespace
    command: Command | None
    properties: Fields


def parse(argv: Sequence[str], defaults: argparse.Namespace | None = None) -> Line:
    """Parse a command line.

    Options stand before the command or after it; words after ``--`` are arguments. Options that the
    line does not set have the values of `defaults`.

    Raises:
        SystemExit: With 0 after --help or --version.
        ArgumentError: The command line is wrong.
    """
    parser = main_parser()
    at = 0
    while at < len(argv) and argv[at].startswith("-"):
        at += 2 if argv[at] in WITH_VALUE else 1
    options, unknown = parser.parse_known_args(argv[:at], copy.copy(defaults))
    if unknown:
        near = did_you_mean(unknown[0], (*COMMON, "--completion", "--version"))
        parser.error(f"unknown option {unknown[0]}{near}")
    if at >= len(argv):
        return Line(options, None, {})
    if argv[at] == _HELP:
        _help(parser, argv[at + 1 :])
    command = find(argv[at])
    return Line(options, command, _properties(command, argv[at + 1 :], options))


def find(name: str) -> Command:
    """Find a command by its name.

    Raises:
        ArgumentError: There is none; the text says which one was probably meant.
    """
    command = table.find(name)
    if command is None:
        hint = did_you_mean(name, (*table.NAMES, _HELP)) or "; no such command; `help` lists them"
        if name in ELSEWHERE:
            hint = f"; no such command; use {ELSEWHERE[name]}"
        raise ArgumentError(f"{name}: {hint[2:]}")
    return command


def _help(parser: argparse.ArgumentParser, words: Sequence[str]) -> NoReturn:
    """Show the help of a command, or of them all, and exit.

    Raises:
        SystemExit: With 0.
    """
    names = [word for word in words if not word.startswith("-") and word != _HELP]
    shown = command_parser(find(names[0])) if names else parser
    shown.print_help()
    raise SystemExit(0)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Makes a help as wide as the terminal, less a margin. Owned by the thread that made it.

    argparse makes one for each argument that is declared, and without a width it would import
    shutil to find that out: 2 ms.
    """

    def __init__(self, prog: str, **others: Any) -> None:
        super().__init__(prog, width=max(40, page_of(sys.stdout).width or 80) - 2, **others)


def _wrapped(text: str, indent: int = 0) -> list[str]:
    formatter = _Formatter(PROG)
    return formatter._split_lines(text, max(20, formatter._width - indent))


def _explained(words: Mapping[str, str]) -> list[str]:
    """Return the lines of words and what they are for, as wide as the rest of the help."""
    indent = max(map(len, words), default=0) + 4
    lines = []
    for word, text in words.items():
        first, *others = _wrapped(text, indent)
        lines.append(f"  {word.ljust(indent - 4)}  {first}")
        lines += [" " * indent + line for line in others]
    return lines


class _CommandParser(CommandLine):
    """Shows the usage, which is one line, below an error. Owned by the thread that made it."""

    def error(self, message: str) -> NoReturn:
        super().error(f"{message}\n{self.format_usage().rstrip()}")


class _MainParser(CommandLine):
    """Loads the commands only for the help. Owned by the thread that made it."""

    def format_help(self) -> str:
        """Show the options, and a line for each command."""
        docs = {command.name: command.doc for command in table.load_all().values()}
        docs[_HELP] = "Show this help, or that of a command."
        lines = _explained({name: docs[name] for name in sorted(docs)})
        ending = f"`{PROG} help COMMAND` shows more of a command. Without one, a shell begins."
        return "\n".join([super().format_help(), "commands:", *lines, "", *_wrapped(ending), ""])


def main_parser() -> argparse.ArgumentParser:
    """Make the parser of what stands before the command."""
    parser = _MainParser(
        prog=PROG,
        usage="%(prog)s [OPTION ...] [COMMAND [ARGUMENT ...]]",
        description="Control a cvec_circusd.",
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    _add_options(parser)
    parser.set_defaults(tunnel=None)
    shells = "print a script by which SHELL completes the command lines of all our programs: "
    shells += "bash, zsh or fish"
    parser.add_argument("--completion", metavar="SHELL", choices=SHELLS, help=shells)
    parser.add_argument("--version", action="version", version=version_text(PROG))
    return parser


def command_parser(command: Command) -> argparse.ArgumentParser:
    """Make the parser of what follows a command, but for its arguments."""
    lines = _explained({word: prop.help for word, prop in command.arguments.items()})
    parser = _CommandParser(
        prog=f"{PROG} {command.name}",
        usage=" ".join(filter(None, ("%(prog)s", command.usage, "[SWITCH ...]"))),
        description="\n".join(
            [*_wrapped(command.doc), *(["", "arguments:", *lines] if lines else [])]
        ),
        formatter_class=_Formatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        add_help=False,
    )
    if command.switches_shown:
        add_switches(parser.add_argument_group("switches"), command)
    group = parser.add_argument_group("options of all commands")
    group.add_argument("-h", "--help", action="help", help="show this help")
    _add_options(group)
    return parser


def add_switches(parser: argparse._ActionsContainer, command: Command) -> None:
    """Declare the switches of a command; their destination is " PROPERTY", which no option has."""
    for switch in command.switches_shown:
        spellings = dict.fromkeys((f"--{switch.name}", f"--{switch.name.replace('-', '_')}"))
        how: dict[str, Any] = {"action": "store_const", "const": switch.value}
        if switch.value is None:
            how = {"metavar": switch.prop.upper()}
        text = switch.doc or command.by_name[switch.prop].help
        parser.add_argument(*spellings, dest=f" {switch.prop}", help=text, **how)


def _add_options(parser: argparse._ActionsContainer) -> None:
    """Declare the options that do not depend on the command."""
    add = parser.add_argument
    where = "where the daemon listens; else $CVEC_CIRCUSCTL_ENDPOINT, else tcp://127.0.0.1:5555"
    add("--endpoint", metavar="URL", help=where)
    patience = "how long to wait for the answer; default: 5, with --waiting no limit"
    add("--timeout", metavar="SECONDS", type=_seconds, help=patience)
    add("--json", action="store_true", help="print the reply as JSON")
    add("--prettify", action="store_true", help="print the reply as JSON, one value per line")
    add("--table", action="store_true", help="print tables into a pipe too, as at a terminal")
    clear = "show passwords and keys at a terminal, instead of hiding them"
    add("--show-secrets", "--show_secrets", action="store_true", help=clear)
    add(
        "--ssh",
        metavar="SERVER",
        help=("reach the daemon of that machine through the system's ssh"),
    )
    add(*KEYFILE, metavar="FILE", help="the private key to use with --ssh")


def _properties(command: Command, rest: Sequence[str], options: argparse.Namespace) -> Fields:
    """Parse what follows the command; options found there go into `options`."""
    parser = command_parser(command)
    at = rest.index("--") if "--" in rest else len(rest)
    found, args = parser.parse_known_args(rest[:at])
    for word in args:
        is_switch = word.startswith("-") and " " not in word  # argparse takes no other for one
        if is_switch and word != "-" and not _NEGATIVE.fullmatch(word):
            known = [f"--{switch.name}" for switch in command.switches_shown]
            hint = did_you_mean(word, [*known, *COMMON]) or _AFTER.get(command.name, "")
            parser.error(f"{command.name} has no {word}{hint}")
    switches = {}
    for key, value in vars(found).items():
        if key.startswith(" "):
            switches[key[1:]] = value
        else:
            setattr(options, key, value)
    local = {switch.prop for switch in command.local}
    options.local = {key: switches[key] for key in switches.keys() & local}
    try:
        properties = command.properties_of([*args, *rest[at + 1 :]], switches)
    except ArgumentError as problem:
        parser.error(str(problem))
    return {**properties, CONCEAL.name: True} if conceals(options) else properties


def _seconds(text: str) -> float:
    try:
        return to_seconds(text, low=0.001)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
