"""A logger of the test's own, and a folder for its files."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from cvec_circus.logs.log import Log, LoggerConfig, configure_logger
from tests.support.daemon import folder
from tests.support.leaks import LeakCheckedTestCase


class LogCase(LeakCheckedTestCase):
    """Leaves `logging` as it was."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = folder(self)
        self.logger = logging.getLogger("cvec_circus_test")
        for logger in (logging.getLogger(), self.logger, logging.getLogger("circus")):
            self.addCleanup(self.restore, logger, logger.level, logger.handlers[:])

    @staticmethod
    def restore(logger: logging.Logger, level: int, handlers: list[logging.Handler]) -> None:
        for handler in logger.handlers[:]:
            if handler not in handlers:
                logger.removeHandler(handler)
                handler.close()
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = True
        logger.disabled = False

    def path(self, name: str = "log") -> Path:
        """A file of the test's."""
        return self.folder / name

    def text(self, name: str = "log") -> str:
        """What is in it."""
        return self.path(name).read_text()

    def open(
        self, output: str | None = "-", level: str = "info", config: LoggerConfig = None
    ) -> Log:
        """Open a log for the logger."""
        log = configure_logger(self.logger, level, output, config)
        self.addCleanup(log.close)
        return log

    def catch_stderr(self) -> None:
        """Have what goes to file 2 go to the file "stderr" until the end of the test."""
        sys.stderr.flush()
        before = os.dup(2)
        fd = os.open(self.path("stderr"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(fd, 2)
        os.close(fd)
        self.addCleanup(os.close, before)
        self.addCleanup(os.dup2, before, 2)
