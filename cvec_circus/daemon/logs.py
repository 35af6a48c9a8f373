"""Where the daemon's log goes."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from typing import Any

from cvec_circus import logger

FORMAT = "%(asctime)s %(name)s[%(process)d] [%(levelname)s] %(message)s"
LEVELS = ("debug", "info", "warning", "error", "critical")


class Log:
    """The log of a program. Owned by the main thread; writing to it is safe from any thread.

    A file is followed when it is moved away: the next line opens a new one under the old name.

    Args:
        level: One of `LEVELS`, in any case.
        output: The path of a file, "-" or None for stderr.

    Raises:
        OSError: The file cannot be opened.
    """

    def __init__(self, level: str, output: str | None) -> None:
        self._handler: logging.StreamHandler[Any]
        if output in (None, "", "-"):
            self._handler = logging.StreamHandler(sys.stderr)
        else:
            self._handler = logging.handlers.WatchedFileHandler(str(output))
        self._handler.setFormatter(logging.Formatter(FORMAT))
        logger.addHandler(self._handler)
        logger.setLevel(level.upper())
        logger.propagate = False

    def fileno(self) -> int:
        """The file that lines go to now."""
        fd: int = self._handler.stream.fileno()
        return fd

    def close(self) -> None:
        """Ends it; later lines go nowhere."""
        logger.removeHandler(self._handler)
        self._handler.close()
