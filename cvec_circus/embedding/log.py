"""The log of an arbiter that was told to have one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus import logger
from cvec_circus.logs.log import configure_logger

ASKS_FOR_ONE = ("loglevel", "logoutput", "loggerconfig", "debug")
"""Any of these options has an arbiter open a log. Without them, nothing is said that the program
has not set up logging for."""

SILENT_LEVEL = "error"
"""What the plugins of an arbiter without a log write to standard error at least."""


class BorrowedLogger:
    """The logger `cvec_circus`, opened from the start of an arbiter to its end.

    Owned by whoever starts and ends the arbiter. Afterwards the logger is what it was before: it
    belongs to the program, and the next arbiter may be told something else.
    """

    def __init__(self, given: Mapping[str, Any], typed: Mapping[str, Any]) -> None:
        """Open it, if the arbiter was told to.

        Args:
            given: The options that the arbiter was made with.
            typed: All its options, typed.

        Raises:
            OSError: The file cannot be opened, or the syslog cannot be reached.
            CircusError: The options make no sense.
        """
        self._before = logger.level, logger.propagate, logger.disabled, list(logger.handlers)
        self.is_open = any(given.get(name) for name in ASKS_FOR_ONE)
        if not self.is_open:
            return
        level = typed["loglevel"]
        if typed["debug"] and not given.get("loglevel"):
            level = "debug"
        self._log = configure_logger(logger, level, typed["logoutput"], typed["loggerconfig"])

    @property
    def level(self) -> str:
        """The word for the least severity that plugins log."""
        return self._log.level if self.is_open else SILENT_LEVEL

    def fileno(self) -> int | None:
        """The file that lines go to, for the plugins; None if that is standard error."""
        return self._log.fileno() if self.is_open else None

    @property
    def url(self) -> str:
        """What the plugins open to write to the same log; "-" if they inherit it."""
        return self._log.url if self.is_open else "-"

    def close(self) -> None:
        """Give the logger back as it was."""
        if not self.is_open:
            return
        self._log.close()
        level, logger.propagate, logger.disabled, handlers = self._before
        for handler in [one for one in logger.handlers if one not in handlers]:
            logger.removeHandler(handler)
            handler.close()
        for handler in handlers:
            logger.addHandler(handler)
        logger.setLevel(level)
