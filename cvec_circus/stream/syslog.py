"""The stream that sends lines to a syslog."""

from __future__ import annotations

from typing import Any

from cvec_circus.options.kinds import to_choice, to_text
from cvec_circus.options.syslog import FACILITIES, SEVERITIES, SYSLOG, syslog_address
from cvec_circus.stream.appendfile import Buffer, describe
from cvec_circus.stream.base import ALONE, Context, converted
from cvec_circus.stream.lines import Lines, LineStream
from cvec_circus.system.syslog import LONGEST, Sender

BUSY_TIMEOUT = 1.0
"""Seconds to wait for a busy syslog before messages are dropped."""

RETRY_DELAY = 1.0
"""Seconds between two attempts to send to a syslog that is stuck, or not there."""


class SyslogStream(LineStream):
    """Sends each line to a syslog. Owned by the pump thread of this stream alone.

    A line becomes a message `<ident>[<pid>]: <line>`. A line too long for one message becomes
    several, and a partial line that is sent because nothing follows becomes one too.
    """

    def __init__(
        self,
        address: str = SYSLOG,
        facility: str = "user",
        level: str = "info",
        ident: str | None = None,
        *,
        context: Context = ALONE,
        **others: Any,
    ) -> None:
        """Make the stream; `reopen` connects it.

        Args:
            address: The path of a socket, or `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`.
            facility: One of FACILITIES.
            level: One of SEVERITIES.
            ident: What stands before the pid; the name of the watcher by default.
            context: What the stream works with.
            others: Not used.

        Raises:
            cvec_circus.exc.OptionError: A value is wrong.
        """
        super().__init__(MessageLines(ident or context.source.watcher or "-"), context)
        self._clock = context.clock
        self._address = address
        level = converted("level", to_choice, level, *SEVERITIES)
        facility = converted("facility", to_choice, facility, *FACILITIES)
        where = converted("address", syslog_address, converted("address", to_text, address))
        self._severity = SEVERITIES.index(level)
        self._sender = Sender(*where, FACILITIES.index(facility))
        self._try_at = 0.0
        self._trouble = ""

    @property
    def trouble(self) -> str:
        trouble = self._trouble
        return f"cannot send to syslog {self._address}: {trouble}" if trouble else ""

    def reopen(self) -> None:
        """Resolve the address and connect to it."""
        self._try_at = self._clock.monotonic() + RETRY_DELAY
        try:
            self._sender.open()
            self._trouble = ""
        except OSError as error:
            self._trouble = describe(error)
            self.losses.note(f"cannot send to syslog {self._address}: {self._trouble}")

    def close(self) -> None:
        """Send held output, log remaining losses, and close the socket."""
        super().close()
        self._sender.close()

    def _put(self, buffers: list[Buffer]) -> None:
        head = self._sender.head(self._severity, self._clock.time())
        for message in buffers:
            if not self._send(head + message):
                text = bytes(message).partition(b"]: ")[2]
                why = f"cannot send to syslog {self._address}: {self._trouble}"
                self.losses.count(len(text), why)

    def _send(self, datagram: bytes) -> bool:
        """Send a message; if the syslog is gone or stuck, try once a second."""
        if self._trouble and self._clock.monotonic() < self._try_at:
            return False
        self._trouble = self._sender.send(datagram, 0.0 if self._trouble else BUSY_TIMEOUT)
        if self._trouble:
            self._try_at = self._clock.monotonic() + RETRY_DELAY
        return not self._trouble


class MessageLines(Lines):
    """Each line as the tag and the text of a message. Owned likewise."""

    def __init__(self, ident: str) -> None:
        super().__init__()
        self._ident = ident.encode("utf-8", "replace")

    def _finished(self, part: Buffer, lines: memoryview, pid: int) -> list[Buffer]:
        return self._messages((bytes(part) + bytes(lines)[:-1]).split(b"\n"), pid)

    def _unfinished(self, part: Buffer, pid: int) -> list[Buffer]:
        return self._messages([bytes(part)], pid)

    def _messages(self, texts: list[bytes], pid: int) -> list[Buffer]:
        tag = b"%s[%d]: " % (self._ident, pid)
        size = LONGEST - 300 - len(tag)
        return [
            tag + text[start : start + size]
            for text in texts
            for start in range(0, len(text), size)
        ]
