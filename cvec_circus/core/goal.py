"""What is wanted of a watcher: its goal, and the rollout that replaces one generation of its
processes by the next."""

from __future__ import annotations

import enum
from typing import NamedTuple

from cvec_circus.wire.cause import NONE, Cause


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


class Strategy(str, enum.Enum):
    """In which order a rollout replaces processes. Immutable."""

    SURGE = "surge"
    """Every successor starts beside the old processes, which stop when all successors run."""

    RECREATE = "recreate"
    """One old process stops, its successor starts, and so on with the next."""


class Rollout(NamedTuple):
    """The rollout that is under way. Immutable: an order that comes meanwhile makes a new one.

    A rollout that is asked for while another one is under way begins when that one has ended, and
    all that are asked for meanwhile are one. Otherwise a storm of reloads would have as many
    generations running side by side.
    """

    cause: Cause  # what ordered it
    strategy: Strategy
    then: Cause | None = None  # what ordered the rollout that follows it
