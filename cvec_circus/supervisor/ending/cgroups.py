"""The desk of cgroups, as it is where there are none; `watcher_cgroups` has the other one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cvec_circus import logger
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.cgroup import limited

NO_CGROUPS = "there are no cgroups; write cgroup = auto into [circus]"
"""What is missing where none are wanted."""


class Cgroups:
    """What a daemon without cgroups does. Owned by the supervisor thread.

    Args:
        missing: Why it has none, and what would change that.
    """

    def __init__(self, missing: str) -> None:
        self._missing = missing
        self._told: dict[Watcher, set[str]] = {}

    def prepare(self, watcher: Watcher) -> str | None:
        """Return the folder of the cgroup that a process which starts joins, None for none.

        Raises:
            OSError: It cannot be made.
        """
        for name in limited(watcher.options):
            self._has_none(watcher, name, self._missing)
        return None

    def adopt(self, watcher: Watcher, pid: int) -> None:
        """Take over a process of an earlier daemon, with all that its cgroup holds."""
        self.prepare(watcher)

    def adopted(self) -> None:
        """Name what earlier daemons have left, when all that is taken over has been."""

    def _has_none(self, watcher: Watcher, name: str, why: str) -> None:
        """Log once that a limit has no effect."""
        told = self._told.setdefault(watcher, set())
        if name not in told:
            told.add(name)
            logger.warning("%s: %s has no effect: %s", watcher.name, name, why)

    def watcher_of(self, pid: int) -> str | None:
        """Return the name of the watcher whose cgroup a process is in. Safe from any thread."""
        return None

    def is_empty(self, watcher: Watcher) -> bool | None:
        """Tell whether no process of a watcher is left, None where nothing can tell; `Vacated`
        follows a no."""
        return None

    def pids(self, watcher: Watcher) -> list[int]:
        """List the processes in the cgroup of a watcher, and below."""
        return []

    def kill(self, watcher: Watcher, pids: Sequence[int]) -> bool:
        """Send SIGKILL to all in a watcher's cgroup at once, naming those pids; return False where
        that cannot be done."""
        return False

    def claim(self, watcher: Watcher) -> bool:
        """Tell whether the kernel has killed a process of a watcher for memory, with no other death
        to account for it."""
        return False

    def limit(self, watcher: Watcher) -> None:
        """Apply the limits as they are now. See `core.ports.Launcher`."""
        if watcher.places.slots:
            self.prepare(watcher)

    def hand_over(self) -> Any:
        """Return what the program after an upgrade needs to go on with them; None for nothing."""
        return None

    def take_over(self, state: Any) -> None:
        """Go on with those of the program before."""

    def forget(self, watcher: Watcher) -> None:
        """Remove the cgroup of a watcher that is gone, as soon as it is empty."""
        self._told.pop(watcher, None)

    def close(self) -> None:
        """Remove what is empty, after the end of all that runs, and name the rest."""
