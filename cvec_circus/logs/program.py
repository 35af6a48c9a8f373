"""The log of a program run by a person, or by a daemon as a helper."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from cvec_circus import logger
from cvec_circus.logs.lines import Lines, conceal_others


def configure(name: str, level: str, output: str, by_daemon: bool) -> Callable[[], int]:
    """Log bare lines for a person, or lines with time and name to the daemon's log.

    Args:
        name: The program's, for the lines in the daemon's log.
        level: The least severity to log.
        output: A file, or the URL of a syslog; "-" for standard error.
        by_daemon: Whether the daemon started this process.

    Returns:
        A function that returns the log's file descriptor, which may change.

    Raises:
        OSError: The log file cannot be opened, or the syslog cannot be reached.
        OptionError: The URL of the syslog is invalid.
    """
    handler, fileno = _open(name, output, by_daemon)
    line = "[%(levelname)s] %(message)s"
    if by_daemon:
        line = f"%(asctime)s {name.replace('%', '%%')}[%(process)d] {line}"
    handler.setFormatter(Lines(line, 2 if output == "-" else -1, conceals=True))
    conceal_others()
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False
    if doubt := getattr(handler, "doubt", ""):
        logger.warning("%s", doubt)
    return fileno


def _open(name: str, output: str, by_daemon: bool) -> tuple[logging.Handler, Callable[[], int]]:
    if output != "-":
        from cvec_circus.logs.log import open_output  # most programs log to the standard error

        try:
            opened = open_output(output)
        except OSError:
            if not by_daemon:
                raise  # a helper of the daemon runs even while its syslog is gone
        else:
            opened.subject = name
            return opened, lambda: max(opened.fileno(), 2)
    return logging.StreamHandler(sys.stderr), lambda: 2
