"""Waiting: who waits for the end of an order, and what has to be so for that.

An answer that waits has no timer of its own and belongs to no command that "runs". It is given when
what was ordered is so; when a later order to the same watcher makes that impossible; when the
watcher gives up; when a process turns out to be unkillable; or at the time-out its sender asked
for. The core says which watchers an order is for, and when one of them has moved; what counts as
the end of each kind of order is in a table here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Optional

from cvec_circus.base.agenda import Agenda
from cvec_circus.core.conditions import Predecessor
from cvec_circus.core.process import ManagedProcess, ProcessState
from cvec_circus.core.reason import unended, why
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.orders import (
    Configure,
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
from cvec_circus.wire.outcome import Outcome, Wait

DONE = ""
"""A verdict: what was ordered is so. None is "not yet", any other text says why it never will
be."""

Verdict = Optional[str]

LONGEST = 3600.0
"""Seconds that an answer waits at most."""


class Part:
    """One watcher's share of what is waited for. Owned by the supervisor thread.

    Args:
        waiting: Who waits.
        order: For what.
        watcher: The watcher it depends on, as it stands before the order is applied.
        ends: The processes that have to be gone; None where the order is about none.
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
        order: Order,
        watcher: Watcher,
        ends: Sequence[ManagedProcess] | None,
    ) -> None:
        stays_up = watcher.is_running and not watcher.goal.cycle and type(order) is not Restart
        self.waiting = waiting
        self.order, self.reached = ENDS[type(order)]
        if ends is not None and type(order) is SetOptions:
            self.reached = is_reloaded
        self.watcher = watcher
        self.life = watcher.lives if stays_up else watcher.lives + 1  # in which it has to be filled
        self.before = frozenset(watcher.places.pids())
        self.wanted_up = watcher.goal.up
        self.processes = list(ends or ())


class Waiting:
    """One answer that waits for watchers. Owned by the supervisor thread.

    Attributes:
        wait: Who waits.
        timeout: For how many seconds.
        collects: Whether it waits for all its parts though one has failed.
        watchers: All that the order is for.
        open: What it still waits for.
        closed: Whether it has been given, or will never be.
    """

    def __init__(self, desk: WaitDesk, order: Order, wait: Wait) -> None:
        self.wait = wait
        self.timeout = LONGEST if wait.timeout is None else min(wait.timeout, LONGEST)
        self.collects = type(order) is Configure
        self.watchers: list[Watcher] = []
        self.open: dict[Part, None] = {}
        self.closed = False
        self._desk = desk
        self._errors: list[str] = []
        self._before: set[int] = set()
        self._after: set[int] = set()

    def before(
        self,
        order: Order,
        watchers: Sequence[Watcher],
        ends: Sequence[ManagedProcess] | None = None,
    ) -> None:
        """See `core.ports.Waiting`."""
        for watcher in watchers:
            part = Part(self, order, watcher, ends)
            self.open[part] = None
            self.watchers.append(watcher)
            self._before |= part.before

    def begin(self) -> None:
        """Wait from now on; an answer without parts is given at once."""
        for part in list(self.open):
            if part.watcher.is_abandoned:
                self.look(part)  # by this order, and it is looked at no more
        if not self.open:
            self.answer(None)
        elif not self.closed:
            self._desk.keep(self)

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

    def time_out(self, now: float) -> None:
        """Answer with what is missing."""
        missing = [describe(part.watcher, now) for part in self.open]
        shown = "; ".join(missing[:3]) + ("; ..." if len(missing) > 3 else "")
        order = next(iter(self.open)).order
        text = f"{order} timed out after {self.timeout:g} s: {shown}"
        self.answer("; ".join([*self._errors, text]))

    def answer(self, error: str | None) -> None:
        """Answer, once."""
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


class WaitDesk:
    """Every answer that waits for the end of an order. Owned by the supervisor thread.

    Args:
        now: Returns the instant on the monotonic clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._parts: dict[Watcher, dict[Part, None]] = {}
        self._agenda: Agenda[Waiting] = Agenda()

    # -- what the core calls: see `core.ports.Waits`

    def waiting(self, order: Order, wait: Wait) -> Waiting:
        """Prepare to wait for that order."""
        return Waiting(self, order, wait)

    def keep(self, waiting: Waiting) -> None:
        """Keep an answer until its parts are done."""
        self._agenda.set(waiting, self._now() + waiting.timeout)
        waiting.wait.on_gone(self._forget, waiting)
        for part in waiting.open:
            self._parts.setdefault(part.watcher, {})[part] = None

    def settle(self, watcher: Watcher) -> None:
        """Answer those who wait for what this watcher has come to."""
        parts = self._parts.pop(watcher, None)
        if parts is None:
            return
        for part in parts:
            part.waiting.look(part)
            if part.waiting.closed:
                self._agenda.set(part.waiting, None)
        still = {part: None for part in parts if part in part.waiting.open}
        still.update(self._parts.get(watcher, {}))  # an answer may have led to an order
        if still:
            self._parts[watcher] = still

    def abandon(self, watcher: Watcher) -> None:
        """Answer those who wait for a watcher that is let go of."""
        for part in self._parts.pop(watcher, {}):
            part.waiting.close(part, not_up(part))
            if part.waiting.closed:
                self._agenda.set(part.waiting, None)

    # -- what the supervisor calls

    def next_at(self) -> float | None:
        """Return the instant at which the next one runs out of time, None for never."""
        return self._agenda.next_at()

    def time_out(self) -> None:
        """Answer those who have run out of time."""
        now = self._now()
        for waiting in self._agenda.pop_due(now):
            waiting.time_out(now)

    def refuse_all(self, reason: str) -> None:
        """Answer all who still wait, because nothing more will happen."""
        for parts in list(self._parts.values()):
            for part in parts:
                part.waiting.answer(reason)
                self._agenda.set(part.waiting, None)
        self._parts.clear()

    def _forget(self, waiting: Waiting) -> None:
        """Keep nothing for a sender that is gone."""
        waiting.closed = True
        self._agenda.set(waiting, None)
        for part in waiting.open:
            parts = self._parts.get(part.watcher)
            if parts is not None:
                parts.pop(part, None)
                if not parts:
                    del self._parts[part.watcher]
        waiting.open.clear()


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
