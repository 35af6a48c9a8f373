"""The command line of cvec_circusd."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from cvec_circus import version_text
from cvec_circus.exc import ERROR, EXIT_USAGE
from cvec_circus.logs.log import LEVELS
from cvec_circus.options.command_line import CommandLine


class Parser(CommandLine):
    """Ends the program where the command line is wrong. Owned by the main thread."""

    def error(self, message: str) -> NoReturn:
        """Print the line and exit.

        Raises:
            SystemExit: With 2.
        """
        told = self.told(message)
        complain(told if told.endswith("?") else f"{told}; --help lists the options")
        raise SystemExit(EXIT_USAGE)


def parser() -> Parser:
    """Make the parser of the command line."""
    width = help_width()
    made = Parser(
        prog="cvec_circusd",
        description="Start programs and keep them alive.",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, width=width),
    )
    made.add_argument(
        "config", nargs="*", metavar="FILE", help="the configuration file; --check takes several"
    )
    mode = made.add_mutually_exclusive_group()
    mode.add_argument(
        "--check",
        action="store_true",
        help="report everything wrong or odd in configuration files, without running them; "
        "exit with code 1 if there is a problem",
    )
    made.add_argument(
        "--elsewhere",
        action="store_true",
        help="with --check: the files are for another machine, so do not report what is "
        "missing on this one",
    )
    mode.add_argument(
        "--print-config",
        action="store_true",
        help="print a configuration with every option and its origin, without running it",
    )
    made.add_argument(
        "--show-secrets",
        "--show_secrets",
        action="store_true",
        help="with --print-config: show passwords and keys at a terminal too",
    )
    mode.add_argument(
        "--doctor",
        action="store_true",
        help="show what this machine allows a daemon, the effect of each lack, and its remedy, "
        "without running one",
    )
    made.add_argument("--json", action="store_true", help="with --doctor: print it as JSON")
    mode.add_argument("--demo", action="store_true", help="run the bundled demonstration")
    made.add_argument(
        "--prefix",
        action="store_true",
        help="capture the output of watchers without a stream: keep recent output for `logs`, "
        "and pass it on line by line, prefixed with the name of the watcher",
    )
    made.add_argument("--daemon", action="store_true", help="go to the background once up")
    made.add_argument("--log-level", choices=LEVELS, type=str.lower, help="default: info")
    made.add_argument(
        "--log-output",
        metavar="FILE",
        help="log to a file, to syslog://HOST or to syslog:///dev/log; default: -, stderr",
    )
    made.add_argument(
        "--logger-config",
        metavar="FILE",
        help="configure Python's logging from an ini, json or yaml file; overrides the two above",
    )
    made.add_argument(
        "--allow-remote", action="store_true", help="accept commands from other machines"
    )
    made.add_argument("--pidfile", metavar="FILE", help="write the daemon's pid to FILE")
    made.add_argument("--version", action="version", version=version_text("cvec_circus"))
    return made


def help_width() -> int:
    """Return the columns of the help. argparse would import shutil for it at every start: 2 ms."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 2:
        return int(columns) - 2
    try:
        return max(os.get_terminal_size().columns - 2, 20)
    except OSError:
        return 78


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; None stands for that of this process.

    Returns:
        The files of `check`, and the one of `print_config` or `config`; where it is of another of
        them, nothing.

    Raises:
        SystemExit: The usage is wrong (2), or nothing is left to do, as after `--help` (0).
    """
    made = parser()
    arguments = made.parse_args(argv)
    files = arguments.config
    for name in ("doctor", "demo"):
        if files and getattr(arguments, name):
            made.error(f"--{name} takes no file: {' '.join(files)}")
    if not (files or arguments.demo or arguments.doctor):
        made.error("no configuration: name a file, or give --demo")
    if len(files) > 1 and not arguments.check:
        made.error(f"one configuration, not {len(files)}: {' '.join(files)}")
    runs = not (arguments.check or arguments.print_config)
    arguments.check = files if arguments.check else []
    arguments.print_config = files[0] if arguments.print_config else None
    arguments.config = files[0] if files and runs else None
    if arguments.json and not arguments.doctor:
        made.error("--json goes with --doctor")
    if arguments.elsewhere and not arguments.check:
        made.error("--elsewhere goes with --check")
    if arguments.show_secrets and not arguments.print_config:
        made.error("--show-secrets goes with --print-config")
    if arguments.demo and arguments.daemon:
        made.error("--demo runs in a terminal and cannot be combined with --daemon")
    return arguments


def sentence(error: OSError) -> str:
    """Say what the system has refused, and with which file."""
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)


def complain(text: str) -> None:
    """Print a line on standard error, if there is one."""
    if sys.stderr is not None:  # for print, None would be the standard output
        print(f"{ERROR}{text}", file=sys.stderr)
