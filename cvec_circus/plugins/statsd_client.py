"""Sending numbers to a statsd."""

from __future__ import annotations

import random
import re
import socket
import threading
from typing import Any

from cvec_circus import logger
from cvec_circus.base.clock import SYSTEM
from cvec_circus.base.worker import Worker

MOST_WAITING = 10_000
"""Numbers that may wait to be sent, while a host is looked up; further ones are lost."""

KNOWN_FOR = 60.0
"""Seconds after which a host is looked up again: it may have moved."""

UNKNOWN_FOR = 10.0
"""Seconds until a host that could not be found is looked up again; what comes meanwhile is lost."""

TOLD_EVERY = 60.0
"""Seconds from one line in the log about what is lost to the next."""

FLUSH_TIMEOUT = 1.0
"""Seconds that `stop` waits for what is still to be sent."""

_UNFIT = re.compile(r"[:|@\s]")
"""What ends the name of a bucket on the wire, so that no name can hold it."""


class StatsdClient:
    """Sends numbers to a statsd by UDP. Safe from any thread; only `stop` waits.

    They are sent by a thread of its own, which begins with the first of them: to look up a host
    can take long. What cannot be sent is lost, as is usual there, and the log tells.

    Attributes:
        host: Where the statsd is.
        port: Where it listens.
        prefix: What every bucket begins with; None for nothing.
        sample_rate: The share of counts and times that is sent, 1 for all.
    """

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        prefix: str | None = None,
        sample_rate: float = 1,
    ) -> None:
        """Make a client. None for `host` is localhost, None for `port` is 8125."""
        self.host = "localhost" if host is None else host
        self.port = 8125 if port is None else port
        self.prefix = prefix
        self.sample_rate = sample_rate
        self._lock = threading.Lock()  # guards the next four
        self._used = False
        self._waiting = 0
        self._lost = 0
        self._stopped = False
        self._worker = Worker(f"statsd {self.host}:{self.port}", self._crashed)
        # The worker's alone:
        self._socket: socket.socket | None = None
        self._address: Any = None
        self._look_up_at = 0.0
        self._tell_at = 0.0

    def send(self, bucket: str, value: str, sample_rate: float | None = None) -> None:
        """Send a value as the wire has it: "1|c" counts one.

        Args:
            bucket: What it belongs to; put behind `prefix`.
            value: The number, and the kind of it.
            sample_rate: Take this one instead of the client's. Below 1 only this share of the
                calls sends something, and the statsd is told, so that it can tell how many
                there were.
        """
        rate = sample_rate or self.sample_rate
        if rate < 1:
            if random.random() >= rate:
                return
            value += f"|@{rate}"
        name = f"{self.prefix}.{bucket}" if self.prefix else bucket
        line = f"{_UNFIT.sub('_', name)}:{value}"
        with self._lock:
            if self._stopped:
                return
            if self._waiting < MOST_WAITING:
                self._used = True
                self._waiting += 1
                self._worker.do(self._send, line.encode())
            else:
                self._lost += 1

    def increment(self, bucket: str, delta: int = 1) -> None:
        """Count up."""
        self.send(bucket, f"{int(delta)}|c")

    def decrement(self, bucket: str, delta: int = 1) -> None:
        """Count down; the sign of `delta` means nothing."""
        self.increment(bucket, -abs(delta))

    def gauge(self, bucket: str, value: object) -> None:
        """Say how much there is now. Each value is sent, whatever the rate."""
        self.send(bucket, f"{_plain(value)}|g", 1)

    def timed(self, bucket: str, value: object) -> None:
        """Say how many milliseconds something took."""
        self.send(bucket, f"{_plain(value)}|ms")

    def stop(self) -> None:
        """Send what is left, for a second at most, and nothing more. Any number of times."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            if self._used:
                self._worker.do(self._close)
            self._worker.stop()
        self._worker.join(FLUSH_TIMEOUT)

    # -- the worker -------------------------------------------------------------------------------

    def _send(self, line: bytes) -> None:
        with self._lock:
            self._waiting -= 1
        now = SYSTEM.monotonic()
        try:
            if now >= self._look_up_at:
                self._look_up()
            if self._socket is None:
                raise OSError("the host is not known")
            self._socket.sendto(line, self._address)
        except (OSError, UnicodeError) as error:
            self._lose(now, str(error))

    def _look_up(self) -> None:
        """Find out where the host is; among its addresses those of IPv4 come first."""
        self._look_up_at = SYSTEM.monotonic() + UNKNOWN_FOR
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
        if self._socket is None or self._socket.family != family:
            self._close()
            self._socket = socket.socket(family, kind, protocol)
        self._address = address
        self._look_up_at = SYSTEM.monotonic() + KNOWN_FOR

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _lose(self, now: float, why: str) -> None:
        with self._lock:
            self._lost += 1
            lost = self._lost
            if now < self._tell_at:
                return
            self._lost = 0
        self._tell_at = now + TOLD_EVERY
        logger.warning("statsd %s:%s: %s; numbers lost: %d", self.host, self.port, why, lost)

    def _crashed(self, error: BaseException, name: str) -> None:
        logger.error("statsd %s:%s: %s raised", self.host, self.port, name, exc_info=error)


def _plain(value: object) -> str:
    """Write a number without an exponent, which not every statsd understands."""
    if isinstance(value, float) and "e" in repr(value):
        return f"{value:.9f}".rstrip("0").rstrip(".")
    return str(value)
