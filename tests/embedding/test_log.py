"""The log of an arbiter: warnings alone, unless the program asks for more."""

from __future__ import annotations

import logging
import subprocess
import sys
import unittest
from typing import Any

from cvec_circus import exc, logger
from tests.embedding.arbiter_case import ArbiterCase
from tests.support.eventually import eventually

QUIET = """
from cvec_circus import get_arbiter
from tests.support.eventually import eventually
arbiter = get_arbiter(
    [{"cmd": "sleep 1000"}],
    "ipc://%(folder)s/control", "ipc://%(folder)s/events", background=True,
    plugins=[{"use": "cvec_circus.demo.logger.Logger", "name": "p", "filename": "%(folder)s/p"}],
)
arbiter.start().add_done_callback(lambda end: print(end.result()))
up = {"sleep": "active", "p": "active"}
assert eventually(lambda: arbiter.statuses() == up)
arbiter.reload().exception()
arbiter.stop()
"""

LOUD = """
from cvec_circus import get_arbiter
from cvec_circus.client import Client
from tests.support.eventually import eventually

def hook(watcher, **others):
    watcher.evpub_socket

def started(promise):
    arbiter.start_io_loop()

arbiter = get_arbiter(
    [{"name": "hooked", "cmd": "sleep 1000", "hooks": {"after_start": hook}},
     {"name": "none", "cmd": "/no/such/program", "max_retry": 1}],
    "ipc://%(folder)s/control", "ipc://%(folder)s/events", background=True,
    plugins=[{"use": "no_such_module.Plugin", "name": "p"}],
)
arbiter.start(cb=started)
with Client("ipc://%(folder)s/control") as client:
    # Before they start, they are stopped as well.
    assert eventually(lambda: set(client.call("status")["phases"].values()) == {"failed"})
arbiter.stop()
"""


class TestLog(ArbiterCase):
    def setUp(self) -> None:
        super().setUp()
        self.file = self.folder / "log"
        self.before = self.state()

    def state(self) -> tuple[Any, ...]:
        return logger.level, logger.propagate, list(logger.handlers), logger.disabled

    def logged(self, text: str = "stopping", **options: Any) -> str:
        arbiter = self.make(**options)
        arbiter.start()
        arbiter.stop()
        self.assertEqual(self.state(), self.before, "the logger is not what it was")
        return self.file.read_text() if self.file.exists() else ""

    def run_program(self, code: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code % {"folder": self.folder}],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def test_a_program_that_has_not_asked_for_a_log(self) -> None:
        self.assertEqual(self.run_program(QUIET), (0, "0\n", ""))

    def test_its_warnings_reach_standard_error(self) -> None:
        code, _, said = self.run_program(LOUD)
        self.assertEqual(code, 0, said)
        for line in (
            "none: given up: cannot run /no/such/program",
            "GoneError: watcher.Watcher.evpub_socket was an object of the arbiter",
            "GoneError: arbiter.Arbiter.start_io_loop was a step",
            "p: given up: cannot import no_such_module.Plugin",
        ):
            with self.subTest(line):
                self.assertIn(line, said)

    def test_output_and_level(self) -> None:
        for _ in range(3):
            self.assertIn("[INFO] stopping", self.logged(logoutput=str(self.file)))
        self.assertEqual(self.file.read_text().count("] stopping (stop)"), 3)

    def test_level(self) -> None:
        text = self.logged(logoutput=str(self.file), loglevel="error")
        self.assertEqual(text, "")
        with self.assertRaisesRegex(exc.ConfigError, "loglevel"):
            self.make(loglevel="loud")

    def test_debug(self) -> None:
        levels = []
        arbiter = self.make(logoutput=str(self.file), debug=True)
        arbiter.start()
        levels.append(logger.level)
        arbiter.stop()
        self.assertEqual(levels, [logging.DEBUG])
        self.assertEqual(self.state(), self.before)

    def test_dict(self) -> None:
        config = {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"short": {"format": "%(levelname)s|%(message)s"}},
            "handlers": {
                "file": {
                    "class": "logging.FileHandler",
                    "filename": str(self.file),
                    "formatter": "short",
                }
            },
            "loggers": {"cvec_circus": {"handlers": ["file"], "level": "INFO"}},
        }
        self.assertIn("INFO|stopping (stop)\n", self.logged(loggerconfig=config))

    def test_a_file_that_cannot_be_opened(self) -> None:
        arbiter = self.make(logoutput=f"{self.folder}/no/log")
        with self.assertRaises(OSError):
            arbiter.start()
        self.assertFalse(arbiter.running)
        self.assertEqual(self.state(), self.before)

    def test_an_arbiter_that_cannot_be_opened_has_no_log(self) -> None:
        arbiter = self.make(logoutput=str(self.file))
        arbiter._circus["endpoint"] = "ipc:///no/such/folder/control"
        with self.assertRaises(exc.SocketError):
            arbiter.start()
        self.assertEqual(self.state(), self.before)

    def test_the_program_has_set_up_logging(self) -> None:
        with self.assertLogs("cvec_circus", "INFO") as logs:
            arbiter = self.make()
            arbiter.start()
            arbiter.stop()
        self.assertTrue(eventually(lambda: "stopping (stop)" in "".join(logs.output)))


if __name__ == "__main__":
    unittest.main()
