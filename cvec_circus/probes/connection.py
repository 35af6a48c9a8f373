"""One attempt to reach an address: connect, ask, read the answer's first line; never wait."""

from __future__ import annotations

import errno
import functools
import os
import re
import select
import socket
from collections.abc import Callable, Sequence
from typing import Any

from cvec_circus.base.clock import Clock
from cvec_circus.base.named import NamedTuple
from cvec_circus.base.patterns import regex
from cvec_circus.base.timers import Timer
from cvec_circus.probes.address import Address, family

LONGEST_LINE = 4096
"""Bytes that an answer may have before the end of its first line."""

MOST_READ = 64 * 1024
"""Bytes of an answer that are read at most."""

LINGER = 0.1
"""Seconds for which the rest of an answer is read, so that the server need not see a connection
that breaks."""

SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})

_STATUS = regex(rb"HTTP/\d(?:\.\d)? ([1-9]\d\d)(?: .*)?\r?\n", re.DOTALL)

Host = tuple[int, Any]
"""The family and the address of a socket."""


class Result(NamedTuple):
    """What has come of one run of a check. Immutable."""

    failure: str  # why it does not hold; "" if it does
    answer: str  # what came, in one line
    took: float  # seconds
    is_void: bool = False  # the fault is the daemon's, so the run says nothing about the process


class Connection:
    """One attempt. Owned by the thread that probes.

    Args:
        address: What to connect to.
        hosts: The socket addresses to try, one after the other.
        timeout: Seconds for all of it.
        leave: Called with the number of its file before that is closed.

    Attributes:
        due_at: When it is over if nothing comes.
        wait: For which event of its file `step` is to be called.
        result: What has come of it; it is there before the connection is over.
    """

    def __init__(
        self,
        address: Address,
        hosts: Sequence[Host],
        timeout: float,
        clock: Clock,
        leave: Callable[[int], object],
    ) -> None:
        self._address, self._timeout, self._clock = address, timeout, clock
        self._leave = leave
        self._hosts = list(hosts)
        self._socket: Any = None
        self._began = clock.monotonic()
        self._is_connecting = True
        self._rest = b""  # what is left to send
        self._line = b""
        self._read = 0
        self._is_tls = False
        self.due_at = self._began + timeout
        self.wait = select.EPOLLOUT
        self.result: Result | None = None
        self.is_over = False
        self.polled = 0  # for which event the prober polls it
        self.timer: Timer | None = None  # of the prober

    def fileno(self) -> int:
        """Return its file now; another one after a step that tried the next host."""
        return int(self._socket.fileno())

    def open(self) -> None:
        """Begin to connect to the next host; it may be over then."""
        kind, where = self._hosts.pop(0)
        try:
            self._socket = socket.socket(kind, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            error = self._socket.connect_ex(where)
        except (OSError, ValueError) as raised:
            self._failed(raised)
            return
        if error == 0 or (error == errno.EINPROGRESS and self._has_peer()):
            self.step()
        elif error == errno.EINPROGRESS:
            self.wait = select.EPOLLOUT
        elif error == errno.EAGAIN:
            self._end("its queue of connections is full")
        else:
            self._failed(OSError(error, os.strerror(error)))

    def _has_peer(self) -> bool:
        """Tell whether it is connected already, as it mostly is on the same machine."""
        try:
            self._socket.getpeername()
        except OSError:
            return False
        return True

    def step(self) -> None:
        """Go on, as the file is ready."""
        try:
            if self._is_connecting:
                self._connected()
            elif self._is_tls:
                self._shake_hands()
            elif self._rest:
                self._send()
            else:
                self._receive()
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self._step_failed(error)

    def _step_failed(self, error: OSError) -> None:
        name = type(error).__name__
        if name == "SSLWantReadError":
            self.wait = select.EPOLLIN
        elif name == "SSLWantWriteError":
            self.wait = select.EPOLLOUT
        elif name in ("SSLZeroReturnError", "SSLEOFError") and not self._is_tls:
            self._ended()
        elif self.result is not None:
            self.close()
        else:
            self._failed(error)

    def time_out(self) -> None:
        """End it: its time is up."""
        if self.result is None:
            what = "no connection" if self._is_connecting else "no answer"
            self._end(f"{what} within {self._timeout:g} s")
        self.close()

    def _connected(self) -> None:
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        # A port that no program listens on may be chosen for our own end, which then meets itself.
        if not error and self._address.kind != "unix":
            if self._socket.getsockname() == self._socket.getpeername():
                error = errno.ECONNREFUSED
        if error:
            self._failed(OSError(error, os.strerror(error)))
            return
        self._is_connecting = False
        address = self._address
        if address.kind in ("tcp", "unix"):
            self._end("", "connected")
            return
        self._rest = _request(address)
        if address.kind == "https":
            name = address.host if family(address.host) is None else None
            self._socket = _tls().wrap_socket(
                self._socket, server_hostname=name, do_handshake_on_connect=False
            )
            self._is_tls = True
            self._shake_hands()
        else:
            self._send()

    def _shake_hands(self) -> None:
        self._socket.do_handshake()
        self._is_tls = False
        self._send()

    def _send(self) -> None:
        self.wait = select.EPOLLOUT
        self._rest = self._rest[self._socket.send(self._rest) :]
        if not self._rest:
            self.wait = select.EPOLLIN

    def _receive(self) -> None:
        """Read all that there is: the end mostly comes with the answer."""
        self.wait = select.EPOLLIN
        while not self.is_over:
            block = self._socket.recv(MOST_READ - self._read)
            self._read += len(block)
            if self.result is None:
                self._line += block[: LONGEST_LINE - len(self._line)]
                if b"\n" in self._line or len(self._line) == LONGEST_LINE:
                    self._judge()
            if not block:
                self._ended()
            elif self._read >= MOST_READ:
                self.close()

    def _judge(self) -> None:
        found = _STATUS.match(self._line[: self._line.find(b"\n") + 1])
        if found is None:
            self._set(f"the answer is not HTTP, from {self._address}", "no HTTP")
        else:
            code = int(found[1])
            failure = "" if 200 <= code < 400 else f"HTTP {code} from {self._address}"
            self._set(failure, f"HTTP {code}")
        self.due_at = min(self.due_at, self._clock.monotonic() + LINGER)

    def _ended(self) -> None:
        """Nothing more comes."""
        if self.result is None:
            what = "the answer is not HTTP" if self._line else "it closed the connection"
            self._set(f"{what}, from {self._address}", what)
        self.close()

    def _failed(self, error: Exception) -> None:
        """Try the next host, or give up."""
        number = getattr(error, "errno", None)
        if number in SHORTAGES:
            took = self._clock.monotonic() - self._began
            self.result = Result("", f"cannot probe: {os.strerror(number or 0)}", took, True)
            self.close()
        elif self._hosts and self._is_connecting:
            self._shut()
            self.open()
        else:
            self._end((getattr(error, "strerror", None) or str(error)).strip() or repr(error))

    def _end(self, trouble: str, answer: str = "") -> None:
        text = f"{trouble[:1].lower()}{trouble[1:]}"
        self._set(f"{self._address}: {text}" if trouble else "", answer or text)
        self.close()

    def _set(self, failure: str, answer: str) -> None:
        self.result = Result(failure, answer, self._clock.monotonic() - self._began)

    def close(self) -> None:
        """End it."""
        self.is_over = True
        self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            self._leave(self._socket.fileno())
            self._socket.close()
            self._socket = None


@functools.lru_cache(maxsize=1024)
def _request(address: Address) -> bytes:
    text = (
        f"GET {address.path} HTTP/1.1\r\nHost: {address.authority}\r\n"
        "User-Agent: cvec_circus\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
    return text.encode("ascii", "replace")


@functools.cache
def _tls() -> Any:
    """Return a TLS context that trusts any certificate: the process is asked for its health."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
