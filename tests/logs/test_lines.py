"""The lines of a log: colours at a terminal only, and no secrets."""

from __future__ import annotations

import io
import logging
import os
import pty
from unittest import mock

from cvec_circus.logs.lines import Lines, conceal_others
from tests.logs.log_case import LogCase

FORM = "%(name)s [%(levelname)s] %(message)s"


def record(level: int, text: str) -> logging.LogRecord:
    return logging.LogRecord("x", level, __file__, 1, text, None, None)


class TestLines(LogCase):
    def test_levels_at_a_terminal(self) -> None:
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        with mock.patch.dict(os.environ, {"TERM": "xterm"}):
            os.environ.pop("NO_COLOR", None)
            lines = Lines(FORM, theirs)
            for level, colour in (("INFO", "32"), ("WARNING", "33"), ("ERROR", "31")):
                said = lines.format(record(getattr(logging, level), f"it is [{level}]"))
                self.assertEqual(said, f"x \x1b[{colour}m[{level}]\x1b[0m it is [{level}]")
            with mock.patch.dict(os.environ, {"NO_COLOR": "1"}):
                plain = Lines(FORM, theirs).format(record(logging.INFO, "up"))
                self.assertEqual(plain, "x [INFO] up")

    def test_elsewhere(self) -> None:
        for fd in (-1, os.open(os.devnull, os.O_WRONLY)):
            self.assertEqual(Lines(FORM, fd).format(record(logging.ERROR, "no")), "x [ERROR] no")
        os.close(fd)

    def test_secrets(self) -> None:
        said = Lines("%(message)s", -1, conceals=True).format(record(20, "login token=abc"))
        self.assertEqual(said, "login token=***")

    def test_loggers_without_a_handler(self) -> None:
        last = logging.lastResort
        assert last is not None
        self.addCleanup(last.setFormatter, last.formatter)
        conceal_others()
        self.logger.propagate = False
        with mock.patch("sys.stderr", io.StringIO()) as said:
            self.logger.warning("login token=abc")
        self.assertEqual(said.getvalue(), "login token=***\n")
