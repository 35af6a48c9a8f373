"""Telling the service manager how a service fares: sd_notify(3), without its library."""

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
        watchdog: Seconds after which the service counts as hung if it has not said otherwise; None
            if nobody watches it.
    """

    def __init__(self, address: str, watchdog: float | None = None) -> None:
        self.address = address
        self.watchdog = watchdog

    def notify(self, text: str) -> bool:
        """Sends assignments, one a line, such as `READY=1`. Never raises, and never waits.

        Returns:
            Whether somebody got it.
        """
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.connect(address)
                sender.send(text.encode("utf-8", "replace"))
        except (OSError, ValueError):  # nobody there, or no address
            return False
        return True


def take(environ: MutableMapping[str, str]) -> Notifier | None:
    """Returns the way to the service manager, and takes it out of the environment.

    No child may have it: it would speak for the service.

    Args:
        environ: The environment of the process.

    Returns:
        None when nobody wants to hear.
    """
    address = environ.pop(SOCKET, "")
    period = environ.pop(WATCHDOG, "")
    pid = environ.pop(WATCHDOG_PID, "")
    if not address:
        return None
    is_watched = period.isdecimal() and int(period) > 0 and pid in ("", str(os.getpid()))
    return Notifier(address, int(period) / 1e6 if is_watched else None)
