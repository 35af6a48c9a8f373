"""Reports by datagram, in the form of child.c. Knows nothing of anybody: every peer imports it."""

import socket
import struct
import time

FORM = struct.Struct("=Qic19s")

EACH = 50


class Teller:
    """Reports what a plugin hears. Owned by the plugin."""

    def __init__(self, path, tag):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._path = path
        self._tag = tag.encode()
        self.count = 0
        self._tell_at = 0.0
        self.tell(b"b", 0)

    def tell(self, kind, number):
        """Send a report."""
        at = int(time.monotonic() * 1e9)
        self._socket.sendto(FORM.pack(at, number, kind, self._tag), self._path)

    def heard(self, pid):
        """Report that the end of a process was heard of."""
        self.tell(b"r", pid)

    def counted(self):
        """Count an event, and report the count every fifty events, and five times a second."""
        self.count += 1
        if self.count % EACH == 0 or time.monotonic() > self._tell_at:
            self.tell(b"n", self.count)
            self._tell_at = time.monotonic() + 0.2
