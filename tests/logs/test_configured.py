"""Logs that a configuration of Python's logging describes."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import types
import unittest
from typing import Any
from unittest import mock

from cvec_circus import exc
from tests.logs.log_case import LogCase

FILE = "logging.FileHandler"

INI = """
[loggers]
keys = root, ours
[handlers]
keys = file
[formatters]
keys = plain
[logger_root]
level = WARNING
handlers =
[logger_ours]
qualname = cvec_circus_test
level = DEBUG
handlers = file
propagate = 0
[handler_file]
class = {handler}
args = ({path!r},)
formatter = plain
[formatter_plain]
format = %(levelname)s=%(message)s
"""


class TestConfigured(LogCase):
    def mapping(self, handler: str = FILE, **changes: Any) -> dict[str, Any]:
        """A configuration with one file, and the logger's own."""
        return {
            "version": 1,
            "formatters": {"plain": {"format": "%(levelname)s=%(message)s"}},
            "handlers": {
                "file": {"class": handler, "filename": str(self.path()), "formatter": "plain"}
            },
            "loggers": {"cvec_circus_test": {"level": "DEBUG", "handlers": ["file"]}},
            **changes,
        }

    def write(self, name: str, text: str) -> str:
        self.path(name).write_text(text)
        return str(self.path(name))

    def ini(self, handler: str = "FileHandler") -> str:
        return self.write("log.ini", INI.format(path=str(self.path()), handler=handler))

    def writes(self, config: Any) -> None:
        log = self.open("/no/such/file", "critical", config)
        self.assertEqual(log.level, "debug")
        self.logger.debug("one %s", 1)
        self.assertEqual(self.text(), "DEBUG=one 1\n")

    def test_ini(self) -> None:
        self.writes(self.ini())

    def test_json(self) -> None:
        self.writes(self.write("log.JSON", json.dumps(self.mapping())))

    def test_a_mapping(self) -> None:
        mapping = self.mapping()
        before = json.dumps(mapping)
        self.writes(mapping)
        self.assertEqual(json.dumps(mapping), before)

    def test_yaml(self) -> None:
        fake = types.ModuleType("yaml")
        fake.safe_load = json.load  # type: ignore[attr-defined]
        with mock.patch.dict(sys.modules, {"yaml": fake}):
            self.writes(self.write("log.yaml", json.dumps(self.mapping())))

    def test_the_file(self) -> None:
        log = self.open(config=self.mapping())
        self.assertIsNotNone(log.fileno())
        self.logger.info("one")
        self.path().rename(self.path("log.1"))
        log.reopen()
        self.assertIsNone(log.fileno())
        self.logger.info("two")
        self.assertEqual((self.text("log.1"), self.text()), ("INFO=one\n", "INFO=two\n"))

    def test_a_file_that_would_be_emptied(self) -> None:
        mapping = self.mapping()
        mapping["handlers"]["file"]["mode"] = "w"
        log = self.open(config=mapping)
        self.logger.info("one")
        log.reopen()
        self.logger.info("two")
        self.assertEqual(self.text(), "INFO=one\nINFO=two\n")

    def test_without_a_word_about_the_logger(self) -> None:
        root = {"level": "INFO", "handlers": ["file"]}
        self.logger.propagate = False
        self.open(config=self.mapping(loggers={}, root=root, disable_existing_loggers=True))
        self.logger.info("one")
        self.assertEqual(self.text(), "INFO=one\n")

    def test_about_the_logger_of_circus(self) -> None:
        self.addCleanup(logging.getLogger("circus").handlers.clear)
        root = {"level": "INFO", "handlers": ["file"]}
        loggers = {"circus": {"handlers": ["file"]}}
        self.open(config=self.mapping(loggers=loggers, root=root))
        self.assertIn("names the logger 'circus'; this one is 'cvec_circus_test'", self.text())

    def test_a_handler_that_raises(self) -> None:
        self.catch_stderr()
        self.path("logs").mkdir()
        mapping = self.mapping("logging.handlers.WatchedFileHandler")
        mapping["handlers"]["file"]["filename"] = str(self.path("logs/log"))
        self.open(config=mapping)
        shutil.rmtree(self.path("logs"))
        for _ in range(3):
            self.logger.info("lost")
        told = self.text("stderr")
        self.assertEqual(told.count("cannot write the log by WatchedFileHandler: "), 1)
        self.assertIn("No such file or directory", told)
        self.path("logs").mkdir()
        self.logger.info("back")
        self.logger.info("%d", "lost")
        self.assertIn("back", self.text("logs/log"))
        self.assertIn("%d format", self.text("stderr"))

    def test_an_output_of_before_ends(self) -> None:
        self.open(str(self.path("before")))
        self.writes(self.mapping())
        self.assertEqual(self.text("before"), "")


class TestBroken(LogCase):
    def refused(self, config: Any, expected: str) -> None:
        with self.assertRaises(exc.ConfigError) as caught:
            self.open(config=config)
        (line,) = caught.exception.problems
        self.assertTrue(line.startswith("loggerconfig"), line)
        self.assertIn(expected, line)
        self.assertNotIn("\n", line)

    def test_each_in_one_line(self) -> None:
        for name, text, expected in (
            ("a.ini", "", "formatters"),
            ("b.ini", "nonsense", "no section headers"),
            ("c.ini", "[loggers]\nkeys = root\n", "formatters"),
            ("a.json", "{", "c"),
            ("b.json", "[]", "this is not a mapping"),
            ("c.json", '{"version": 2}', "Unsupported version: 2"),
            ("d.json", '{"handlers": {"a": {"class": "no.such"}}}', "'a': "),
            ("e.json", '{"root": {"handlers": ["nope"]}}', "Unable to"),
        ):
            with self.subTest(name):
                self.path(name).write_text(text)
                self.refused(str(self.path(name)), expected)

    def test_nothing_said_twice(self) -> None:
        for name, text, reason in (
            ("a.ini", "nonsense", "no section headers"),
            ("a.json", '{"handlers": {"a": {"class": "no.such"}}}', "No module named 'no'"),
        ):
            with self.subTest(name), self.assertRaises(exc.ConfigError) as caught:
                self.path(name).write_text(text)
                self.open(config=str(self.path(name)))
            (line,) = caught.exception.problems
            self.assertEqual(line.count(reason), 1, line)
            self.assertNotIn("TextIOWrapper", line)

    def test_no_such_file(self) -> None:
        path = str(self.path("none.ini"))
        self.refused(path, f"loggerconfig {path}: No such file or directory")

    def test_a_log_file_without_its_folder(self) -> None:
        for name in ("a.ini", "a.json"):
            with self.subTest(name):
                gone = str(self.path("gone/log"))
                self.path(name).write_text(
                    INI.format(path=gone, handler="FileHandler")
                    if name == "a.ini"
                    else json.dumps({"handlers": {"a": {"class": FILE, "filename": gone}}})
                )
                self.refused(str(self.path(name)), f"{gone}: No such file or directory")

    def test_a_mapping(self) -> None:
        self.refused({"version": "x"}, "loggerconfig: ")

    def test_yaml_that_is_not_there(self) -> None:
        self.path("a.yaml").write_text("version: 1")
        with mock.patch.dict(sys.modules, {"yaml": None}):
            says = "needs PyYAML, which is not installed: pip install 'cvec_circus[yaml]'"
            self.refused(str(self.path("a.yaml")), says)


if __name__ == "__main__":
    unittest.main()
