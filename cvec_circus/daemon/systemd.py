"""The daemon as a systemd unit: its messages to NOTIFY_SOCKET, whatever listens there."""

from __future__ import annotations

import os

from cvec_circus import logger
from cvec_circus.base.clock import SYSTEM
from cvec_circus.base.figures import counted
from cvec_circus.base.loop import Loop
from cvec_circus.config.configuration import Configuration
from cvec_circus.supervisor.output.outputs import WRITE_TIMEOUT
from cvec_circus.system.notify import Notifier

END_TIMEOUT = WRITE_TIMEOUT + 5.0
"""Seconds beyond the bound of a shutdown: for output, and for closing what is open."""


class Unit:
    """The daemon as the service manager sees it. Owned by the main thread."""

    def __init__(self, notifier: Notifier, configuration: Configuration) -> None:
        self._notifier = notifier
        self._status = status(configuration)
        self._is_stopping = False

    def ready(self, loop: Loop) -> None:
        """Announce that the daemon is up, and feed the watchdog from now on."""
        if not self._is_stopping:  # a signal may have come first
            self._notify("READY=1", f"MAINPID={os.getpid()}", f"STATUS={self._status}")
        if self._notifier.watchdog is not None:
            self._feed(loop, self._notifier.watchdog / 2)  # twice as often as it has to be

    def environment(self) -> dict[str, str]:
        """Return what the service manager has set, for the program that comes after an upgrade."""
        return self._notifier.environment()

    def reloading(self) -> None:
        """Announce the reload of every watcher."""
        usec = int(SYSTEM.monotonic() * 1e6)
        self._notify("RELOADING=1", f"MONOTONIC_USEC={usec}", "STATUS=reloading")

    def reloaded(self) -> None:
        """Announce that every reload has begun; as at the start, processes are not waited for."""
        self._notify("READY=1", f"STATUS={self._status}")

    def stopping(self, cause: str, bound: float) -> None:
        """Announce the end, which may take `bound` seconds, whatever the unit says."""
        self._is_stopping = True
        extension = int((bound + END_TIMEOUT) * 1e6)
        self._notify("STOPPING=1", f"STATUS=stopping ({cause})", f"EXTEND_TIMEOUT_USEC={extension}")

    def _notify(self, *lines: str) -> None:
        if not self._notifier.notify("\n".join(lines)):
            logger.warning("cannot send %s to %s", lines[0], self._notifier.address)

    def _feed(self, loop: Loop, delay: float) -> None:
        self._notifier.notify("WATCHDOG=1")
        loop.call_later(delay, self._feed, loop, delay)


def status(configuration: Configuration) -> str:
    """Say in a few words what the daemon supervises."""
    said = counts(
        (len(configuration.watchers), "watcher"),
        (len(configuration.sockets), "socket"),
        (sum(plugin.active for plugin in configuration.plugins), "plugin"),
    )
    parts = [said] if said else []
    if configuration.left_out:
        parts.append(f"{len(configuration.left_out)} left out")
    return ", ".join(parts) or "no watchers"


def counts(*numbers: tuple[int, str]) -> str:
    """List numbers with their nouns, without the zeros: "1 watcher, 2 sockets"."""
    return ", ".join(counted(n, noun) for n, noun in numbers if n)
