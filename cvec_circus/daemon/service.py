"""What the service manager is told: systemd, or whoever else has set NOTIFY_SOCKET."""

from __future__ import annotations

import os

from cvec_circus import logger
from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.base.loop import Loop
from cvec_circus.config.configuration import Configuration
from cvec_circus.system.notify import Notifier

END_TIMEOUT = 5.0
"""Seconds beyond the bound of a shutdown for closing what is open."""


class Service:
    """The daemon as a service. Owned by the main thread.

    Args:
        notifier: The way to the service manager.
        configuration: What the daemon runs.
        clock: The time.
    """

    def __init__(
        self, notifier: Notifier, configuration: Configuration, clock: Clock = SYSTEM
    ) -> None:
        self._notifier = notifier
        self._clock = clock
        self._status = status(configuration)
        self._is_stopping = False

    def ready(self, loop: Loop) -> None:
        """The daemon is up; from now on it says so as often as a watchdog wants to hear it."""
        if not self._is_stopping:  # a signal may have come first
            self._tell("READY=1", f"MAINPID={os.getpid()}", f"STATUS={self._status}")
        if self._notifier.watchdog is not None:
            self._feed(loop, self._notifier.watchdog / 2)

    def reloading(self) -> None:
        """Every watcher is about to be told to reload."""
        self._tell(
            "RELOADING=1",
            f"MONOTONIC_USEC={int(self._clock.monotonic() * 1e6)}",
            "STATUS=reloading",
        )

    def reloaded(self) -> None:
        """Every watcher has been told to. As at the start, nobody waits for the processes."""
        self._tell("READY=1", f"STATUS={self._status}")

    def stopping(self, cause: str, bound: float) -> None:
        """The end has begun; it may take `bound` seconds, whatever the unit says."""
        self._is_stopping = True
        extension = int((bound + END_TIMEOUT) * 1e6)
        self._tell("STOPPING=1", f"STATUS=stopping ({cause})", f"EXTEND_TIMEOUT_USEC={extension}")

    def _tell(self, *lines: str) -> None:
        if not self._notifier.notify("\n".join(lines)):
            logger.warning("cannot tell %s: %s", self._notifier.address, lines[0])

    def _feed(self, loop: Loop, delay: float) -> None:
        """Tells a watchdog that the loop turns, twice as often as it has to."""
        self._notifier.notify("WATCHDOG=1")
        loop.call_later(delay, self._feed, loop, delay)


def status(configuration: Configuration) -> str:
    """What the daemon is busy with, in a few words."""
    plugins = [plugin for plugin in configuration.plugins if plugin.active]
    parts = [
        f"{len(things)} {word}{'' if len(things) == 1 else 's'}"
        for things, word in (
            (configuration.watchers, "watcher"),
            (configuration.sockets, "socket"),
            (plugins, "plugin"),
        )
        if things
    ]
    if configuration.left_out:
        parts.append(f"{len(configuration.left_out)} left out")
    return ", ".join(parts) or "no watchers"
