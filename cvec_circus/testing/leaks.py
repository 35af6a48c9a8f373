"""What a test leaves behind."""

from __future__ import annotations

import gc
import os
import select
import threading
from collections.abc import Callable
from pathlib import Path

from cvec_circus.base.clock import SYSTEM
from cvec_circus.system import proctable

POLL_DELAY = 0.005

Names = dict[object, str]
"""What something is called, by what tells it from everything else, as long as it is there."""


def eventually(predicate: Callable[[], object], timeout: float) -> bool:
    """Look again and again, some seconds long, whether something has become true.

    Returns:
        Whether it did.
    """
    deadline = SYSTEM.monotonic() + timeout
    while not predicate():
        if SYSTEM.monotonic() > deadline:
            return False
        select.select([], [], [], POLL_DELAY)
    return True


class Leaks:
    """Knows what there was, and names what is there in addition. Owned by the test's thread."""

    def __init__(self, folder: Path | None = None) -> None:
        """Look at what there is now.

        Args:
            folder: Where there must be no file in the end.
        """
        gc.collect()
        self._folder = folder
        self._before = [(look, look()) for look in (threads, files, children)]

    def new(self, timeout: float) -> list[str]:
        """Name what is new, after some seconds in which it may go away: a child that is killed."""
        gc.collect()
        found: list[str] = []

        def nothing() -> bool:
            found[:] = self._find()
            return not found

        eventually(nothing, timeout)
        return sorted(found)

    def _find(self) -> list[str]:
        found = [
            name
            for look, before in self._before
            for key, name in look().items()
            if key not in before
        ]
        if self._folder is not None:
            found += [f"file {name}" for name in os.listdir(self._folder)]
        return found


def threads() -> Names:
    """Name the threads of this process."""
    return {thread: f"thread {thread.name}" for thread in threading.enumerate()}


def files() -> Names:
    """Name the open files of this process."""
    names: Names = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:
            continue  # the one that the listing itself was made with
        names[fd, target] = f"fd {fd}: {target}"
    return names


def children() -> Names:
    """Name the child processes of this process, those too that have ended."""
    names: Names = {}
    for thread in os.listdir("/proc/self/task"):
        try:
            text = Path(f"/proc/self/task/{thread}/children").read_text()
        except FileNotFoundError:
            continue  # the thread has ended
        for pid in text.split():
            # Not its command, which is another one when it has ended, or runs another program.
            names[pid, proctable.start_time(int(pid))] = f"child {pid}: {_command(pid)}"
    return names


def _command(pid: str) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        words = []
    return b" ".join(words).decode("utf-8", "replace").strip() or "has ended"
