"""Waiting replies: predicates about watchers, looked at when one of these has moved.

A waiting reply has no timer of its own and belongs to no command that "runs". It ends when what was
ordered is so; when a later order to the same watcher makes that impossible; when the watcher gives
up; when a process turns out to be unkillable; or at the time-out its sender asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Optional

from cvec_circus.core.conditions import Predecessor
from cvec_circus.core.process import ManagedProcess, ProcessState
from cvec_circus.core.reason import why
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.outcome import Outcome, Wait

DONE = ""
"""A verdict: what was ordered is so. None is "not yet", any other text says why it never will
be."""

Verdict = Optional[str]

LONGEST = 3600.0
"""Seconds that a reply waits at most."""


class Part:
    """One watcher's share of a waiting reply. Owned by the supervisor thread.

    Attributes:
        waiting: The reply.
        order: The word of the order, for what is said when it fails.
        reached: The predicate.
        watcher: The watcher it depends on.
        life: The life in which the watcher has to be filled.
        before: The pids at the time of the order.
        wanted_up: Whether it was to be up at that time.
        processes: With `kill` and `reload`: the processes that have to be gone.
    """

    __slots__ = (
        "before",
        "life",
        "order",
        "processes",
        "reached",
        "waiting",
        "wanted_up",
        "watcher",
    )

    def __init__(
        self,
        waiting: Waiting,
        order: str,
        reached: Reached,
        watcher: Watcher,
        processes: Iterable[ManagedProcess],
    ) -> None:
        stays_up = watcher.is_running and not watcher.goal.cycle and order != "restart"
        self.waiting = waiting
        self.order = order
        self.reached = reached
        self.watcher = watcher
        self.life = watcher.lives if stays_up else watcher.lives + 1
        self.before = frozenset(watcher.places.pids())
        self.wanted_up = watcher.goal.up
        self.processes = list(processes)


Reached = Callable[[Part], Verdict]


class Waiting:
    """A reply that waits for watchers. Owned by the supervisor thread.

    Args:
        wait: Who waits.
        collects: Whether it waits for all its parts though one has failed.
    """

    def __init__(self, wait: Wait, collects: bool = False) -> None:
        self.wait = wait
        self.timeout = LONGEST if wait.timeout is None else min(wait.timeout, LONGEST)
        self.collects = collects
        self.watchers: list[Watcher] = []
        self.open: dict[Part, None] = {}
        self.closed = False
        self._before: set[int] = set()
        self._after: set[int] = set()
        self._errors: list[str] = []

    def add(
        self,
        order: str,
        reached: Reached,
        watcher: Watcher,
        processes: Iterable[ManagedProcess] = (),
    ) -> None:
        """Wait for that watcher too. To be called before the order is applied."""
        part = Part(self, order, reached, watcher, processes)
        self.open[part] = None
        self.watchers.append(watcher)
        self._before |= part.before

    def look(self, part: Part) -> None:
        """Judge one part, and answer when it was the last one or has failed."""
        verdict = part.reached(part) if part in self.open else None
        if verdict is not None:
            self.close(part, verdict)

    def close(self, part: Part, verdict: str) -> None:
        """Wait for one part no longer."""
        if verdict is not DONE:
            self._errors.append(verdict)
            if not self.collects:
                self.answer(verdict)
                return
        del self.open[part]
        self._after.update(part.watcher.places.pids())
        if not self.open:
            self.answer("; ".join(self._errors) or None)

    def done(self, watcher: Watcher) -> None:
        """Wait for a watcher no longer: it is let go of, as was ordered."""
        for part in [part for part in self.open if part.watcher is watcher]:
            self.close(part, DONE)

    def time_out(self, now: float) -> None:
        """Answer with what is missing."""
        missing = [describe(part.watcher, now) for part in self.open]
        shown = "; ".join(missing[:3]) + ("; ..." if len(missing) > 3 else "")
        order = next(iter(self.open)).order
        text = f"{order} timed out after {self.timeout:g} s: {shown}"
        self.answer("; ".join([*self._errors, text]))

    def answer(self, error: str | None) -> None:
        """Tell who waits, once."""
        if self.closed:
            return
        self.closed = True
        for part in self.open:
            self._after.update(part.watcher.places.pids())
        self.open.clear()
        self.wait.then(
            Outcome(
                error=error,
                started=sorted(self._after - self._before),
                stopped=sorted(self._before - self._after),
                kept=sorted(self._after & self._before),
                numprocesses=sum(watcher.numprocesses for watcher in self.watchers),
                strays=[
                    {"watcher": watcher.name, "pid": stray.pid, "command": stray.command}
                    for watcher in dict.fromkeys(self.watchers)
                    for stray in watcher.strays
                ],
            )
        )


def describe(watcher: Watcher, now: float) -> str:
    """Say where a watcher stands."""
    text = f"{watcher.name} is {watcher.status}"
    reason = why(watcher, now)
    if not reason and watcher.places.ending:
        pids = ", ".join(str(process.pid) for process in list(watcher.places.ending)[:5])
        reason = f"process {pids} has not ended"
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
    """`stop`, `quit`, `rm`: nothing runs and nothing is left."""
    watcher = part.watcher
    if watcher.is_gone and not watcher.goal.up:
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
