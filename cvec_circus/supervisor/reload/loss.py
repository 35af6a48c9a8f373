"""What a plan takes away of what runs: more than is likely to be meant has to be confirmed."""

from __future__ import annotations

from typing import Any

from cvec_circus import exc
from cvec_circus.base.figures import first_of
from cvec_circus.base.named import NamedTuple
from cvec_circus.config.configuration import Configuration
from cvec_circus.config.plan import ADD, REMOVE, Plan
from cvec_circus.core.roster import Roster
from cvec_circus.wire.topics import fold

ALL_OF = 2
"""So many running watchers are not all removed by accident, if none is added."""

HALF_OF = 10
"""Of so many running watchers, more than half are not removed by accident."""

SHOWN = 5


class Loss(NamedTuple):
    """The running watchers that a plan removes. Immutable."""

    removed: tuple[str, ...]  # their names
    running: int  # how many run that a file has, these included
    added: int  # how many watchers it adds

    @property
    def is_large(self) -> bool:
        """Whether it is refused unless the order insists."""
        lost = len(self.removed)
        if lost == self.running >= ALL_OF and not self.added:
            return True
        return self.running >= HALF_OF and 2 * lost > self.running

    def as_json(self) -> dict[str, Any]:
        """Return its fields in a reply."""
        return {"removes": list(self.removed), "running": self.running}

    def __str__(self) -> str:
        named = first_of(self.removed, SHOWN)
        none = "" if self.added else " and adds none"
        return f"removes {len(self.removed)} of {self.running} running watchers ({named}){none}"


class TooMuchLost(exc.CircusError):
    """A plan is refused for what it removes. Immutable."""

    def __init__(self, loss: Loss) -> None:
        super().__init__(
            f"the file {loss}, so nothing was changed: is it complete? "
            "If that is meant, use --force (force in a message)"
        )
        self.loss = loss


def loss_of(plan: Plan, roster: Roster, now: Configuration) -> Loss:
    """Return what a plan takes away. Called on the supervisor thread; nothing is changed.

    Watchers that were added at run time do not count: no file removes them. A watcher whose name is
    only written otherwise now is not lost.
    """
    loaded = {fold(one.name) for one in now.watchers}
    running = {w.name for w in roster.watchers() if w.goal.up and fold(w.name) in loaded}
    added = {fold(step.name) for step in plan.watchers if step.action == ADD}
    removed = tuple(
        step.name
        for step in plan.watchers
        if step.action == REMOVE and step.name in running and fold(step.name) not in added
    )
    return Loss(removed, len(running), len(added))
