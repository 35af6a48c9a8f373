"""The desired state of a watcher: its goal, and the rollout that replaces its processes."""

from __future__ import annotations

from collections.abc import Collection

from cvec_circus.base.named import NamedTuple
from cvec_circus.core.process import ManagedProcess
from cvec_circus.options.generation import Undo
from cvec_circus.wire.cause import MAX_AGE, NONE, ROLLBACK, Cause
from cvec_circus.wire.outcome import WROTE

THE_END = "the end of its last process"
"""The word for the end of a watcher whose processes are not respawned."""


class Goal(NamedTuple):
    """The goal of a watcher. Immutable: each order makes a new one."""

    numprocesses: int  # how many processes it should have when it is up
    up: bool = False
    generation: int = 1  # the oldest acceptable one: a process from an older one is stale
    cycle: bool = False  # it has to be down once before it is up again: a restart
    cause: Cause = NONE  # who or what last decided whether it is to be up
    size_cause: Cause = NONE  # likewise, how many processes it is to have
    word: str = ""  # for the last order: "start", "stop" ...; "" before the first
    patience: float | None = None  # seconds until SIGKILL at most; the end of the daemon sets it
    mute: bool = False  # hooks are no longer asked, because there is no time


class Run(NamedTuple):
    """A run of a watcher with a schedule. Immutable."""

    at: float  # the instant on the monotonic clock
    wall: float  # the same by the wall clock, in seconds since 1970
    text: str  # the same for people
    schedule: str  # what it comes from


class Rollout(NamedTuple):
    """The rollout that is under way; see `core.rollout`. Immutable."""

    cause: Cause  # what ordered it
    surge: int | None  # how many processes may run beside the stale ones; None for any number
    unavailable: int  # how many places may be without a process that is good enough
    total: int  # how many processes it replaces
    began_at: float
    undo: Undo  # the options of before
    way_back: bool = False  # a process was proved when it began
    may_retry: bool = False  # retry with a surge of 0, if a new process exits
    has_gap: bool = False  # an old process had to end before its successor: none ran meanwhile

    @property
    def is_partial(self) -> bool:
        """Whether it replaces only some processes of the wanted generation."""
        return self.cause.text in (MAX_AGE.text, "command:kill")

    @property
    def is_checked(self) -> bool:
        """Whether a new process counts only when it is proved."""
        return self.way_back or self.cause.text == ROLLBACK.text

    def brings(self, process: ManagedProcess) -> bool:
        """Tell whether a process that is not stale is a new one of the rollout: of a partial one,
        neither what was there before nor what succeeds a process that has died by itself."""
        was_there = 0.0 < process.spawned_at < self.began_at
        return not (self.is_partial and (process.is_respawn or was_there))


class Failed(NamedTuple):
    """A rollout that has failed. Immutable."""

    number: int  # 1, 2, 3 ... in the life of the watcher
    cause: Cause  # of the rollout
    why: str  # which process failed, and how
    pid: int  # of that process; 0 if it could not be spawned
    kept: tuple[int, ...]  # the pids of the old processes that stay
    total: int  # how many processes it was to replace
    replaced: int  # how many of them have been replaced by new ones that stay
    is_undone: bool  # the options of before are back
    text: str = ""  # the full text; "" until the last output of the process is known
    is_over: bool = False  # another order has come
    generation: int = 0  # the generation that the rollout was to establish

    def told(self, kept: Collection[int], words: str) -> Failed:
        """Return it with its text, now that the kept processes and the last output are known."""
        count, total = len(kept), self.total
        left = []
        if self.is_undone:
            left.append("the options of before are back")
        elif self.replaced:
            left.append(f"stopped at {self.replaced} of {total}")
        if self.is_undone or not self.replaced or count + self.replaced < total:
            left.append(_kept(count, total))
        said = f"{WROTE}{words}" if words else ""
        text = "; ".join(filter(None, (self.why, *left, said)))
        return self._replace(kept=tuple(kept), text=text)


def _kept(count: int, total: int) -> str:
    if count >= total > 0:
        return "the old process was kept" if total == 1 else "the old processes were kept"
    if not count:
        return "no old process was left"
    return f"{count} of {total} old processes {'was' if count == 1 else 'were'} kept"
