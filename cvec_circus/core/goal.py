"""What is wanted of a watcher: its goal, and the rollout that replaces its processes."""

from __future__ import annotations

from typing import NamedTuple

from cvec_circus.options.generation import Undo
from cvec_circus.wire.cause import MAX_AGE, NONE, ROLLBACK, Cause

THE_END = "the end of its last process"
"""The word for what ends a watcher whose processes are not respawned."""


class Goal(NamedTuple):
    """What is wanted. Immutable: each order makes a new one."""

    numprocesses: int  # how many processes it is to have when it is up
    up: bool = False
    generation: int = 1  # the oldest that will do: a process from an older one is stale
    cycle: bool = False  # it has to be down once before it is up again: a restart
    cause: Cause = NONE  # who or what last decided whether it is to be up
    size_cause: Cause = NONE  # likewise, how many processes it is to have
    word: str = ""  # for the last order: "start", "stop" ...; "" before the first
    patience: float | None = None  # seconds until SIGKILL at most; the end of the daemon sets it
    mute: bool = False  # no hook is asked any more, because there is no time for it


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
    may_retry: bool = False  # once more with a surge of 0, if a new process exits
    has_gap: bool = False  # an old process had to end before its successor: none ran meanwhile

    @property
    def is_partial(self) -> bool:
        """Whether it replaces some processes of the generation that is wanted, and no others."""
        return self.cause.text in (MAX_AGE.text, "command:kill")

    @property
    def is_checked(self) -> bool:
        """Whether a new process counts only when it is proved."""
        return self.way_back or self.cause.text == ROLLBACK.text


class Failed(NamedTuple):
    """A rollout that has failed. Immutable."""

    number: int  # 1, 2, 3 ... in the life of the watcher
    text: str  # which process failed, how, and what became of the rest; a sentence
    pid: int = 0  # of that process; 0 if it could not be spawned
