"""The log as a syslog gets it: real datagrams."""

from __future__ import annotations

import os
import re
import socket
import unittest

from cvec_circus import exc
from tests.logs.log_case import LogCase

TIMEOUT = 20.0
STAMP = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"


class SyslogCase(LogCase):
    def listen(self, family: int, address: object) -> socket.socket:
        """Be a syslog."""
        server = socket.socket(family, socket.SOCK_DGRAM)
        server.settimeout(TIMEOUT)
        self.addCleanup(server.close)
        server.bind(address)  # type: ignore[arg-type]
        return server

    def received(self, server: socket.socket, pattern: str) -> None:
        text = server.recv(65536).decode()
        pattern = pattern.replace("STAMP", STAMP).replace(
            "TAG", rf"cvec_circus_test\[{os.getpid()}\]"
        )
        self.assertRegex(text, f"^{pattern}$")


class TestUdp(SyslogCase):
    def test_lines(self) -> None:
        server = self.listen(socket.AF_INET, ("127.0.0.1", 0))
        url = f"syslog://127.0.0.1:{server.getsockname()[1]}"
        host = re.escape(socket.gethostname())
        for query, facility in (("", 1), ("?local3", 19), ("?daemon", 3)):
            log = self.open(url + query, "debug")
            self.assertIsNone(log.fileno())
            for severity, level in enumerate(("critical", "error", "warning"), 2):
                getattr(self.logger, level)("something %s", level)
                expected = rf"<{facility * 8 + severity}>STAMP {host} TAG: something {level}"
                self.received(server, expected)
            self.logger.info("x")
            self.received(server, rf"<{facility * 8 + 6}>STAMP {host} TAG: x")
            self.logger.debug("x")
            self.received(server, rf"<{facility * 8 + 7}>STAMP {host} TAG: x")

    def test_several_lines(self) -> None:
        server = self.listen(socket.AF_INET, ("127.0.0.1", 0))
        self.open(f"syslog://localhost:{server.getsockname()[1]}")
        self.logger.info("one\ntwo: 2")
        self.received(server, r"<14>.* TAG: one")
        self.received(server, r"<14>.* TAG: two: 2")
        self.logger.info("x" * 100_000)
        self.assertEqual(len(server.recv(65536)), 8000)

    def test_nobody_there(self) -> None:
        self.catch_stderr()
        server = self.listen(socket.AF_INET, ("127.0.0.1", 0))
        address = server.getsockname()
        self.open(f"syslog://127.0.0.1:{address[1]}")
        server.close()
        for _ in range(4):
            self.logger.info("lost")
        server = self.listen(socket.AF_INET, address)
        self.logger.info("a")
        self.logger.info("b")
        text = ""
        while not text.endswith("b"):
            text = server.recv(65536).decode()

    def test_an_unknown_facility_is_user(self) -> None:
        server = self.listen(socket.AF_INET, ("127.0.0.1", 0))
        address = f"syslog://127.0.0.1:{server.getsockname()[1]}"
        log = self.open(f"{address}?nonsense")
        said = "there is no facility 'nonsense', so its lines are of the facility user"
        self.received(server, rf"<{1 * 8 + 4}>STAMP .* TAG: {address}.nonsense: {said}")
        self.logger.info("x")
        self.received(server, rf"<{1 * 8 + 6}>STAMP .* TAG: x")
        self.assertEqual(log.url, f"{address}?user")

    def test_urls_that_make_no_sense(self) -> None:
        for url, says in (
            ("syslog://", "write syslog://HOST"),
            ("syslog://h:port", "write syslog://HOST"),
        ):
            with self.subTest(url), self.assertRaisesRegex(exc.OptionError, re.escape(says)):
                self.open(url)
        with self.assertRaises(OSError):
            self.open("syslog://no-such-host.invalid")


class TestLocal(SyslogCase):
    def test_lines(self) -> None:
        server = self.listen(socket.AF_UNIX, str(self.path("dev")))
        self.open(f"syslog://{self.path('dev')}?local0")
        self.logger.warning("here")
        self.received(server, r"<132>STAMP TAG: here")
        for handler in self.logger.handlers:
            handler.subject = "plugin:x"  # type: ignore[attr-defined]
        self.logger.warning("one\ntwo: three")
        self.received(server, r"<132>STAMP TAG: plugin:x: one")
        self.received(server, r"<132>STAMP TAG: plugin:x: two: three")

    def test_a_syslog_that_is_started_again(self) -> None:
        self.catch_stderr()
        path = str(self.path("dev"))
        server = self.listen(socket.AF_UNIX, path)
        log = self.open(f"syslog://{path}")
        server.close()
        os.unlink(path)
        self.logger.info("lost\nand lost")
        self.logger.info("lost")
        log.reopen()
        server = self.listen(socket.AF_UNIX, path)
        self.logger.info("back")
        self.received(server, r"<14>STAMP TAG: 3 lines missing here")
        self.received(server, r"<14>STAMP TAG: back")
        expected = f"cvec_circus: cannot write the log syslog://{path}: No such file or directory\n"
        self.assertEqual(self.text("stderr"), expected)

    def test_a_syslog_that_does_not_read(self) -> None:
        self.catch_stderr()
        path = str(self.path("dev"))
        server = self.listen(socket.AF_UNIX, path)
        self.open(f"syslog://{path}")
        sent = 0
        while not self.path("stderr").stat().st_size:
            self.logger.info("line %d", sent)
            sent += 1
        self.logger.info("line %d", sent)
        for number in range(sent - 1):
            self.received(server, f"<14>STAMP TAG: line {number}")
        self.logger.info("read again")
        self.received(server, r"<14>STAMP TAG: 2 lines missing here")
        self.received(server, r"<14>STAMP TAG: read again")
        self.assertIn("temporarily unavailable", self.text("stderr"))

    def test_no_such_socket(self) -> None:
        url = f"syslog://{self.path('none')}"
        with self.assertRaises(OSError) as caught:
            self.open(url)
        self.assertEqual(caught.exception.filename, url)
        self.assertEqual(caught.exception.strerror, "No such file or directory")


if __name__ == "__main__":
    unittest.main()
