"""Files by which others find the daemon, and which others may delete: sockets, the pid file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cvec_circus.base.named import NamedTuple


class Finding(NamedTuple):
    """What has become of one of our files. Immutable."""

    text: str  # a line for the log
    is_over: bool = False  # the file is there again
    renew: Callable[[], object] | None = None  # called by the owner: takes what was made anew


class OwnFile(Protocol):
    """A file that is looked after."""

    @property
    def file(self) -> str:
        """The absolute path, "" while there is none. Owner thread."""

    def look_after(self) -> Finding | None:
        """Make the file again if it was deleted. On a thread that may wait for the file system.

        Returns:
            What has happened; None if the file is as it should be.
        """


def made_again(what: str, path: str, renew: Callable[[], object] | None = None) -> Finding:
    """Return what is found when a file was deleted, and is there again."""
    return Finding(f"{what}: {path} was deleted, and was made again", True, renew)


def not_made(what: str, path: str, reason: str) -> Finding:
    """Return what is found when a file was deleted and cannot be restored."""
    return Finding(f"{what}: {path} was deleted, and cannot be restored: {reason}")


def taken(what: str, path: str) -> Finding:
    """Return what is found when another file is at a path."""
    return Finding(
        f"{what}: another process has put its own file at {path}; ours can no longer be found"
    )
