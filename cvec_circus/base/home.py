"""The process that an object belongs to: a forked child has none of its threads."""

from __future__ import annotations

import os

from cvec_circus.exc import ForkedError


class Home:
    """The process in which this was made. Immutable; safe from any thread.

    Args:
        what: What belongs to it, for an error: "client".
        instead: What to do in a forked child: "make one after the fork".
    """

    __slots__ = ("_instead", "_pid", "_what")

    def __init__(self, what: str, instead: str) -> None:
        self._what, self._instead = what, instead
        self._pid = os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether the calling process is that process."""
        return self._pid == os.getpid()

    def require(self) -> None:
        """Raise in any other process, where the call would wait forever.

        Raises:
            ForkedError: The calling process was forked from that one.
        """
        if not self.is_here:
            raise ForkedError(
                f"this {self._what} belongs to process {self._pid}, from which process "
                f"{os.getpid()} was forked: {self._instead}"
            )
