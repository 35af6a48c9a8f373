"""A rollout: the replacement of one generation of processes by the next."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

from cvec_circus.wire.cause import Cause


class Strategy(enum.Enum):
    """In which order processes are replaced. Immutable.

    SURGE starts every successor beside the old processes and stops these when all successors run;
    RECREATE stops one old process, starts its successor, and goes on with the next.
    """

    SURGE = "surge"
    RECREATE = "recreate"


class Rollout(NamedTuple):
    """The rollout that is under way. Immutable: an order that comes meanwhile makes a new one.

    A rollout that is asked for while another one is under way begins when that one has ended, and
    all that are asked for meanwhile are one. Otherwise a storm of reloads would have as many
    generations running side by side.

    Attributes:
        cause: What ordered it.
        strategy: How it replaces.
        then: What ordered the rollout that follows it; None if none does.
    """

    cause: Cause
    strategy: Strategy
    then: Cause | None = None

    def to_state(self) -> list[Any]:
        """Return it in JSON's types."""
        return [self.cause, self.strategy.value, self.then]

    @classmethod
    def from_state(cls, state: Any) -> Rollout:
        """Return the rollout that was written down."""
        cause, strategy, then = state
        return cls(Cause(*cause), Strategy(strategy), None if then is None else Cause(*then))
