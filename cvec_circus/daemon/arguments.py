"""The command line of cvec_circusd."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from cvec_circus import __version__
from cvec_circus.logs.log import LEVELS


def parser() -> argparse.ArgumentParser:
    """The command line."""
    width = help_width()
    made = argparse.ArgumentParser(
        prog="cvec_circusd",
        description="Start programs and keep them alive.",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, width=width),
    )
    what = made.add_mutually_exclusive_group()
    what.add_argument("config", nargs="?", help="the configuration file")
    what.add_argument(
        "--check",
        nargs="+",
        metavar="FILE",
        help="say everything that is wrong or odd with configuration files, and run nothing; "
        "exit code 1 for problems",
    )
    what.add_argument(
        "--print-config",
        metavar="FILE",
        help="print a configuration with every option and where it comes from, and run nothing",
    )
    what.add_argument("--demo", action="store_true", help="run the bundled demonstration")
    made.add_argument("--daemon", action="store_true", help="go to the background when it is up")
    made.add_argument("--log-level", choices=LEVELS, type=str.lower, help="default: info")
    made.add_argument(
        "--log-output",
        metavar="FILE",
        help="log to a file, or to syslog://HOST or syslog:///dev/log; - is stderr, as without",
    )
    made.add_argument(
        "--logger-config",
        metavar="FILE",
        help="configure Python's logging: ini, json or yaml; the two above say nothing then",
    )
    made.add_argument(
        "--allow-remote", action="store_true", help="take commands from other machines, too"
    )
    made.add_argument("--pidfile", metavar="FILE", help="write the daemon's pid there")
    made.add_argument("--version", action="version", version=f"cvec_circus {__version__}")
    return made


def help_width() -> int:
    """Columns for the help. argparse would import shutil to know it, also for no help: 2 ms."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 2:
        return int(columns) - 2
    try:
        return max(os.get_terminal_size().columns - 2, 20)
    except OSError:
        return 78


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line.

    Args:
        argv: Its words without the program's name; None for those of this process.

    Raises:
        SystemExit: It makes no sense (2), or everything is said with it: `--help` (0).
    """
    made = parser()
    arguments = made.parse_args(argv)
    if not (arguments.config or arguments.demo or arguments.check or arguments.print_config):
        made.error("which configuration? Give a file, or --demo")
    if arguments.demo and arguments.daemon:
        made.error("the demonstration is for a terminal; --daemon is not")
    return arguments


def complain(text: str) -> None:
    """Prints a line on the standard error, if there is one."""
    if sys.stderr is not None:  # for print, None would be the standard output
        print(f"cvec_circusd: {text}", file=sys.stderr)
