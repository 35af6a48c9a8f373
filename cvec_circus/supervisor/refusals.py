"""Processes that we may not signal: each is named in the log once."""

from __future__ import annotations

from cvec_circus import logger

MOST = 4096
"""Processes remembered; beyond that the oldest ones may be named again."""


class Refusals:
    """Names what we may not signal. Owned by the supervisor thread."""

    def __init__(self) -> None:
        self._told: dict[tuple[int, int], None] = {}

    def tell(self, watcher: str, pid: int, command: str = "", start_time: int = 0) -> None:
        """Say in the log that a process may not be signalled, unless it has been said.

        Args:
            watcher: The name of the watcher it comes from.
            pid: The process.
            command: Its command's name, where that is known.
            start_time: When it began, for a number may be used again; 0 for a child.
        """
        key = (pid, start_time)
        if key in self._told:
            return
        self._told[key] = None
        if len(self._told) > MOST:
            del self._told[next(iter(self._told))]
        logger.warning("%s: not allowed to signal %s", watcher, named(pid, command))


def named(pid: int, command: str) -> str:
    """Name a process for a log line."""
    return f"process {pid} ({command})" if command else f"process {pid}"
