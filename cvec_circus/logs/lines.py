"""The lines of a log: the colour of the level at a terminal, and hidden secrets."""

from __future__ import annotations

import logging
import os

from cvec_circus.options.secrets import conceal_text
from cvec_circus.system.terminal import takes_colours

COLOURS = {
    logging.DEBUG: "2",
    logging.INFO: "32",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "1;31",
}
"""By level."""


class Lines(logging.Formatter):
    """Makes lines of records. Safe from any thread.

    Args:
        form: The format of a line, as for `logging`, with the level in brackets.
        fd: The descriptor that the lines go to; -1 if it is never a terminal.
        conceals: Whether to hide possible secrets, if nothing else does.
    """

    default_msec_format = "%s.%03d"  # as `events` shows times; Python's own has a comma

    def __init__(self, form: str, fd: int, conceals: bool = False) -> None:
        super().__init__(form)
        self._has_colours = os.isatty(fd) and takes_colours()
        self._conceals = conceals

    def format(self, record: logging.LogRecord) -> str:
        """Render a record, with its traceback if it has one."""
        text = super().format(record)
        if self._conceals:
            text = conceal_text(text)
        if self._has_colours and record.levelno in COLOURS:
            level = f"[{record.levelname}]"
            text = text.replace(level, f"\x1b[{COLOURS[record.levelno]}m{level}\x1b[0m", 1)
        return text


def conceal_others() -> None:
    """Hide possible secrets in lines of loggers without a configured handler."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(Lines("%(message)s", -1, conceals=True))
