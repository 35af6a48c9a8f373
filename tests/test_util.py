"""The functions that programs written for Circus use."""

from __future__ import annotations

import logging
import unittest

from cvec_circus.util import configure_logger, human2bytes
from tests.logs.log_case import LogCase


class TestHuman2bytes(unittest.TestCase):
    def test_sizes(self) -> None:
        for text, size in (
            ("0 B", 0),
            ("9", 9),
            ("1K", 1024),
            ("1 k", 1024),
            ("1.45M", 1520435),
            (".5Gi", 1 << 29),
            ("2 tebi", 2 << 40),
            ("10kilo", 10240),
            ("1.Y", 1 << 80),
        ):
            with self.subTest(text):
                self.assertEqual(human2bytes(text), size)

    def test_what_is_none(self) -> None:
        for text in ("", "K", "1 x", "1 kk", "-1K", "1,5K", "nan", "1e3", "1 K B"):
            with self.subTest(text), self.assertRaisesRegex(ValueError, "is no size such as 1.5M"):
                human2bytes(text)


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

    def test_silent_by_itself(self) -> None:
        kinds = {type(handler) for handler in logging.getLogger("cvec_circus").handlers}
        self.assertEqual(kinds, {logging.NullHandler})


if __name__ == "__main__":
    unittest.main()
