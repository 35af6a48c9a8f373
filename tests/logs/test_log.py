"""Logs with a form of ours: stderr, and files that move away. The daemon's tests have the rest."""

from __future__ import annotations

import logging
import unittest

from cvec_circus import exc
from cvec_circus.util import configure_logger
from tests.logs.log_case import LogCase

LINE = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} cvec_circus_test\[\d+\] \[INFO\] one\n"


class TestOutputs(LogCase):
    def test_stderr(self) -> None:
        self.catch_stderr()
        for output in ("-", "", None):
            log = self.open(output)
            self.assertEqual(log.fileno(), 2)
            self.logger.info("one")
            log.close()
        self.assertRegex(self.text("stderr"), f"^({LINE}){{3}}$")

    def test_a_file(self) -> None:
        path = self.path()
        log = self.open(str(path))
        self.logger.info("one")
        self.logger.debug("two")
        self.assertRegex(self.text(), f"^{LINE}$")
        moved = self.path("log.1")
        path.rename(moved)
        log.reopen()
        self.assertEqual(self.text(), "")
        self.logger.warning("three %s", "\udc80")
        self.assertIn("[WARNING] three \\udc80", self.text())
        self.assertNotIn("three", moved.read_text())

    def test_a_file_that_cannot_be_opened_anew_stays(self) -> None:
        self.catch_stderr()
        self.path("logs").mkdir()
        log = self.open(str(self.path("logs/log")))
        fd = log.fileno()
        self.path("logs").rename(self.path("moved"))
        log.reopen()
        self.assertEqual(log.fileno(), fd)
        self.logger.info("one")
        self.assertIn("one", self.text("moved/log"))

    def test_levels(self) -> None:
        for word in ("debug", "Info", "WARNING", "error", "critical"):
            log = self.open(str(self.path()), word)
            self.assertEqual(log.level, word.lower())
        with self.assertRaises(exc.OptionError):
            self.open("-", "loud")

    def test_the_last_one_counts(self) -> None:
        self.open(str(self.path("first")))
        other = logging.NullHandler()
        self.logger.addHandler(other)
        self.open(str(self.path("second")))
        self.logger.info("one")
        self.assertEqual(self.text("first"), "")
        self.assertRegex(self.text("second"), LINE)
        self.assertIn(other, self.logger.handlers)

    def test_an_end(self) -> None:
        log = self.open(str(self.path()))
        log.close()
        log.close()
        self.assertEqual(self.logger.handlers, [])

    def test_where_there_is_no_file(self) -> None:
        with self.assertRaises(OSError) as caught:
            self.open(str(self.path("no/log")))
        self.assertIsInstance(caught.exception, FileNotFoundError)
        self.assertEqual(caught.exception.strerror, "No such file or directory")
        self.assertEqual(self.logger.handlers, [])

    def test_what_cannot_be_formatted(self) -> None:
        self.open(str(self.path()))
        self.logger.info("%d processes", "two")
        self.assertIn("[INFO] '%d processes' with ('two',): %d format", self.text())


class TestConfigureLogger(LogCase):
    def test_as_embedders_call_it(self) -> None:
        path = str(self.path())
        configure_logger(self.logger, "DEBUG", path)
        log = configure_logger(self.logger, level="INFO", output=path)
        self.addCleanup(log.close)
        self.logger.info("one")
        self.assertEqual(self.text().count("one"), 1)
        config = {"version": 1, "root": {"level": "ERROR"}}
        configure_logger(self.logger, "DEBUG", path, config)
        self.logger.info("two")
        self.assertNotIn("two", self.text())

    def test_words_of_circus(self) -> None:
        self.catch_stderr()
        log = configure_logger(self.logger, "DEBUG", "stdout", "Default", name="x")
        self.addCleanup(log.close)
        self.logger.debug("one")
        self.assertIn("[DEBUG] one", self.text("stderr"))


if __name__ == "__main__":
    unittest.main()
