"""What has to be so for the end of each kind of order, of one watcher: see the table `ENDS`."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Optional

from cvec_circus.core.conditions import Predecessor
from cvec_circus.core.process import ManagedProcess, ProcessState
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.reason import unended, why
from cvec_circus.wire.orders import (
    Kill,
    Order,
    Quit,
    Reload,
    Remove,
    Resize,
    Restart,
    SetOptions,
    Start,
    Stop,
)

DONE = ""
"""A verdict: what was ordered is so. None is "not yet", any other text says why it never will
be."""

Verdict = Optional[str]


class Part:
    """One watcher's share of what is waited for. Owned by the supervisor thread.

    Args:
        order: For what.
        watcher: The watcher it depends on, as it stands before the order is applied.
        before: The pids of then.
        ends: The processes that have to be gone; None where the order is about none.

    Attributes:
        kind: Equal parts of a watcher come to their end together, and with the same verdict.
    """

    __slots__ = (
        "before",
        "kind",
        "life",
        "order",
        "processes",
        "reached",
        "wanted_up",
        "watcher",
    )

    def __init__(
        self,
        order: Order,
        watcher: Watcher,
        before: frozenset[int],
        ends: tuple[ManagedProcess, ...] | None,
    ) -> None:
        stays_up = watcher.is_running and not watcher.goal.cycle and type(order) is not Restart
        self.order, self.reached = ENDS[type(order)]
        if ends is not None and type(order) is SetOptions:
            self.reached = is_reloaded
        self.watcher = watcher
        self.life = watcher.lives if stays_up else watcher.lives + 1  # in which it has to be filled
        self.before = before
        self.wanted_up = watcher.goal.up
        self.processes = ends or ()
        same = id(self.processes)  # those of ten thousand take long to compare
        self.kind: Hashable = self.order, self.reached, self.life, self.wanted_up, same


def describe(watcher: Watcher, now: float) -> str:
    """Say where a watcher stands."""
    text = f"{watcher.name} is {watcher.status}"
    reason = why(watcher, now) or unended(watcher, now)
    return f"{text} ({reason})" if reason else text


# -- the predicates


def is_up(part: Part) -> Verdict:
    """`start`, `restart`: it was filled."""
    watcher = part.watcher
    if watcher.filled_life >= part.life or watcher.listens:
        return DONE
    if not watcher.goal.up or stayed_up(part):
        return not_up(part)
    if watcher.is_running:
        return exhausted(part)
    first = watcher.unmet()
    return stuck(part, first.watcher if isinstance(first, Predecessor) else watcher)


def is_reloaded(part: Part) -> Verdict:
    """`reload`: every process of before is gone, and every place is filled."""
    watcher, places = part.watcher, part.watcher.places
    if not watcher.goal.up or stayed_up(part):
        return not_up(part)
    if watcher.listens:
        return DONE
    is_filled = watcher.is_up and watcher.filled_life >= part.life
    if is_filled and not left_of(part) and not (places.awaited or places.trials):
        return DONE
    return exhausted(part) or stuck(part, watcher)


def is_sized(part: Part) -> Verdict:
    """`incr`, `decr`, `set`: as many processes as wanted, and none beside them."""
    watcher, places = part.watcher, part.watcher.places
    if not watcher.goal.up:
        return not_up(part) if part.wanted_up else DONE
    if watcher.listens:
        return DONE
    # Where processes grow old fast, there is always one that is being replaced.
    beside = [*places.stale, *(p for p in places.ending if p.stale or not p.holds_place)]
    settled = watcher.has_all and all(process.cause.text == "max_age" for process in beside)
    if settled and watcher.is_up and not watcher.goal.cycle:
        return DONE
    return exhausted(part) or stuck(part, watcher)


def is_down(part: Part) -> Verdict:
    """`stop`, `quit`, `rm`: nothing runs and nothing is left, or it was to go on unwatched."""
    watcher = part.watcher
    if watcher.is_abandoned or (watcher.is_gone and not watcher.goal.up):
        return DONE
    return overtaken(part) if watcher.goal.up else stuck(part, watcher)


def is_killed(part: Part) -> Verdict:
    """`kill`: those processes are gone, with all that they left behind."""
    left = left_of(part)
    if not left:
        return DONE
    return stuck(part, part.watcher) if any(process.unkillable for process in left) else None


def left_of(part: Part) -> list[ManagedProcess]:
    """Return the processes that have to be gone and are not."""
    return [process for process in part.processes if process.state is not ProcessState.REMOVED]


def stayed_up(part: Part) -> bool:
    """Tell whether it was to go down and come back, and later orders have left it as it was:
    `restart`, `stop` and `start` in one turn."""
    watcher = part.watcher
    return watcher.is_running and not watcher.goal.cycle and watcher.lives < part.life


def not_up(part: Part) -> str:
    """Say why a watcher is not on its way to where the order wanted it."""
    watcher = part.watcher
    return f"{watcher.name} gave up: {watcher.reason}" if watcher.reason else overtaken(part)


def overtaken(part: Part) -> str:
    """Say which later order has made this one void, and who gave it."""
    goal = part.watcher.goal
    text = f"{part.order} of {part.watcher.name} overtaken by {goal.word}"
    return f"{text},{goal.cause.sentence}" if goal.cause.is_worth_telling else text


def exhausted(part: Part) -> Verdict:
    """Say why a slot cannot be filled, after as many attempts as `max_retry` says."""
    places = part.watcher.places
    if not places.exhausted:
        return None
    return f"{part.order} of {part.watcher.name}: {places.trouble or places.refused}"


def stuck(part: Part, watcher: Watcher) -> Verdict:
    """Say which processes of that watcher do not end; "not yet" when there are none."""
    pids = ", ".join(str(process.pid) for process in watcher.places.unkillable())
    return f"{part.order} of {watcher.name}: process {pids} does not end" if pids else None


ENDS: dict[type, tuple[str, Callable[[Part], Verdict]]] = {
    Start: ("start", is_up),
    Stop: ("stop", is_down),
    Restart: ("restart", is_up),
    Reload: ("reload", is_reloaded),
    Resize: ("change of numprocesses", is_sized),
    SetOptions: ("set", is_sized),  # is_reloaded, if it begins a rollout
    Remove: ("rm", is_down),
    Kill: ("kill", is_killed),
    Quit: ("quit", is_down),
}
"""The word for each kind of order, and what its end is."""
