"""Reporting the state of the service to the service manager: sd_notify(3) without its library."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping

SOCKET = "NOTIFY_SOCKET"
WATCHDOG = "WATCHDOG_USEC"
WATCHDOG_PID = "WATCHDOG_PID"


class Notifier:
    """Sends datagrams to the service manager. Immutable; safe from any thread.

    Args:
        address: The path of a socket, or `@` and the name of an abstract one.
        watchdog: Seconds without a keep-alive after which the service counts as hung; None for no
            watchdog.
    """

    def __init__(self, address: str, watchdog: float | None = None) -> None:
        self.address = address
        self.watchdog = watchdog

    def environment(self) -> dict[str, str]:
        """Return the variables that `take` has taken."""
        if self.watchdog is None:
            return {SOCKET: self.address}
        period = str(round(self.watchdog * 1e6))
        return {SOCKET: self.address, WATCHDOG: period, WATCHDOG_PID: str(os.getpid())}

    def notify(self, text: str) -> bool:
        """Send assignments, one per line, such as `READY=1`; return whether they were delivered.

        Never raises, and never waits.
        """
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.connect(address)
                sender.send(text.encode("utf-8", "replace"))
        except (OSError, ValueError):  # no listener, or no valid address
            return False
        return True


def take(environ: MutableMapping[str, str]) -> Notifier | None:
    """Take the service manager's address out of the environment; return None if there is none.

    Children must not inherit it: they would speak for the service.
    """
    address = environ.pop(SOCKET, "")
    period = environ.pop(WATCHDOG, "")
    pid = environ.pop(WATCHDOG_PID, "")
    if not address:
        return None
    is_watched = period.isdecimal() and int(period) > 0 and pid in ("", str(os.getpid()))
    return Notifier(address, int(period) / 1e6 if is_watched else None)
