"""Waiting: answer the sender of an order at the end of that order.

An answer is given when what was ordered is so, when a later order to the same watcher makes that
impossible, when the watcher gives up, when a process turns out to be unkillable, or at the time-out
its sender asked for. The core says which watchers an order is for, and when one of them has moved;
the table `ENDS` says what the end of each kind of order is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from typing import Any, Optional, TypeVar

from cvec_circus.base.timers import Agenda
from cvec_circus.core.conditions import Dependency, Predecessor
from cvec_circus.core.ports import Ends
from cvec_circus.core.process import ManagedProcess, ProcessState
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.reason import unended, why
from cvec_circus.supervisor.turn import Backlog
from cvec_circus.wire import orders
from cvec_circus.wire.outcome import Outcome, Wait

SHARE = 0.003
"""Seconds of a turn that answers may take: thousands may wait for the same end."""

LONGEST = 3600.0
"""Seconds that an answer waits at most."""

DONE = ""
"""A verdict: it is so. None is "not yet", any other text says why it never will be."""

Verdict = Optional[str]
Shared = TypeVar("Shared", frozenset[int], tuple[ManagedProcess, ...])


class Part:
    """One watcher's share of an answer, noted before the order. Owned by the supervisor thread.

    Attributes:
        before: The pids of the watcher at that time.
        processes: Those that have to be gone.
        life: The life of the watcher in which it has to be filled.
        failures: How many of its rollouts had failed by then.
        kind: Equal parts of a watcher come to their end together, and with the same verdict.
    """

    __slots__ = (
        *("before", "failures", "kind", "life", "order", "processes", "reached", "wanted_up"),
        "watcher",
    )

    def __init__(
        self,
        order: orders.Order,
        watcher: Watcher,
        before: frozenset[int],
        ends: tuple[ManagedProcess, ...] | None,
    ) -> None:
        goes_down = watcher.goal.cycle or type(order) is orders.Restart
        stays_up = watcher.is_running and not goes_down
        self.order, self.reached = ENDS[type(order)]
        if ends is not None and type(order) is orders.SetOptions:
            self.reached = is_reloaded
        if type(order) is orders.Kill and order.surge:
            self.reached = is_replaced
        self.watcher = watcher
        self.life = watcher.lives if stays_up else watcher.lives + 1
        self.before = before
        self.wanted_up = watcher.goal.up
        self.processes = ends or ()
        self.failures = watcher.failed.number if watcher.failed else 0
        same = id(self.processes)  # those of ten thousand take long to compare
        self.kind: Hashable = (
            *(self.order, self.reached, self.life, self.wanted_up, self.failures),
            same,
        )


class Waiting:
    """One answer that waits for watchers. Owned by the supervisor thread.

    Attributes:
        parts: One for each watcher that the order is for.
        open: Those it still waits for.
        collects: Whether it waits for all its parts though one has failed.
        closed: Whether the answer has been given, or never will be.
    """

    def __init__(self, wait: Wait, collects: bool) -> None:
        self.wait = wait
        self.timeout = LONGEST if wait.timeout is None else min(wait.timeout, LONGEST)
        self.parts: list[Part] = wait.parts
        wait.parts = []
        self.open = dict.fromkeys(self.parts)
        self.collects = collects
        self.closed = False
        self._errors: list[str] = []
        self._after: set[int] = set()

    def close(self, part: Part, verdict: str) -> None:
        """Wait for one part no longer, and answer when it was the last one or has failed."""
        if part not in self.open:
            return
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
        before = set[int]().union(*(part.before for part in self.parts))
        watchers = [part.watcher for part in self.parts]
        self.wait.then(
            Outcome(
                error=error,
                started=sorted(self._after - before),
                stopped=sorted(before - self._after),
                kept=sorted(self._after & before),
                numprocesses=sum(watcher.goal.numprocesses for watcher in watchers),
                strays=[
                    {"watcher": watcher.name, "pid": stray.pid, "command": stray.command}
                    for watcher in dict.fromkeys(watchers)
                    for stray in watcher.strays
                ],
            )
        )


class WaitDesk:
    """Every answer that waits for the end of an order. Owned by the supervisor thread.

    One look at a watcher judges one part of each kind, however many there are. What is decided is
    answered in the order of the decisions, for a share of the turn.

    Args:
        now: Returns the instant on the monotonic clock.
        post: Calls a function in the next turn; None to answer all in the same one.
    """

    def __init__(
        self,
        now: Callable[[], float],
        post: Callable[[Callable[[], object]], object] | None = None,
    ) -> None:
        self._now = now
        self._backlog = Backlog(now, post, SHARE)
        self._parts: dict[Watcher, dict[Hashable, dict[Part, Waiting]]] = {}
        self._shared: dict[Watcher, dict[type, Hashable]] = {}
        self._agenda: Agenda[Waiting] = Agenda()

    # -- what the core calls: see `core.ports.Waits`

    def before(
        self, wait: Wait, order: orders.Order, watchers: Sequence[Watcher], ends: Ends = None
    ) -> None:
        """Note in the `Wait` how watchers stand, before the order is applied to them."""
        for watcher in watchers:
            pids = self._share(watcher, frozenset(watcher.places.pids()))
            processes = None if ends is None else self._share(watcher, tuple(ends))
            wait.parts.append(Part(order, watcher, pids, processes))

    def begin(self, wait: Wait, order: orders.Order) -> Iterable[Watcher]:
        """Wait from now on, as the order has been applied, and return the watchers to look at."""
        waiting = Waiting(wait, collects=type(order) is orders.Configure)
        for part in waiting.parts:
            if part.watcher.is_abandoned:
                waiting.close(part, part.reached(part) or DONE)  # by this order: it is seen no more
        if not waiting.open:
            waiting.answer(None)
        elif not waiting.closed:
            self._agenda.set(waiting, self._now() + waiting.timeout)
            wait.on_gone(self._forget, waiting)
            for part in waiting.open:
                kinds = self._parts.setdefault(part.watcher, {})
                kinds.setdefault(part.kind, {})[part] = waiting
        return [part.watcher for part in waiting.parts]

    def settle(self, watcher: Watcher) -> None:
        """Answer those who wait for what this watcher has come to."""
        kinds = self._parts.get(watcher, {})
        for kind, parts in list(kinds.items()):
            first = next(iter(parts))
            verdict = first.reached(first)
            if verdict is not None:
                del kinds[kind]
                self._decide(parts, verdict)
        if not kinds:
            self._parts.pop(watcher, None)
            self._shared.pop(watcher, None)

    def abandon(self, watcher: Watcher) -> None:
        """Answer those who wait for a watcher that is let go of."""
        self._shared.pop(watcher, None)
        for parts in self._parts.pop(watcher, {}).values():
            self._decide(parts, not_up(next(iter(parts))))

    # -- answers

    def _share(self, watcher: Watcher, value: Shared) -> Shared:
        """Return the last equal value of that type in its place: the pids of ten thousand processes
        take half a megabyte, and thousands of answers may wait for them."""
        kept: dict[type, Any] = self._shared.setdefault(watcher, {})
        last: Shared = kept.get(type(value), value)
        last = kept[type(value)] = last if last == value else value
        return last

    def _decide(self, parts: dict[Part, Waiting], verdict: str) -> None:
        self._backlog.add(
            partial(self._give, waiting, partial(waiting.close, part, verdict))
            for part, waiting in parts.items()
        )

    def _give(self, waiting: Waiting, answer: Callable[[], object]) -> None:
        try:
            if not waiting.closed:
                answer()
        finally:
            if waiting.closed:
                self._let_go(waiting)

    def _let_go(self, waiting: Waiting) -> None:
        self._agenda.set(waiting, None)
        waiting.wait.forget()
        for part in waiting.parts:
            kinds = self._parts.get(part.watcher, {})
            parts = kinds.get(part.kind, {})
            if parts.pop(part, None) is not None and not parts:
                del kinds[part.kind]
                if not kinds:
                    del self._parts[part.watcher]

    def _forget(self, waiting: Waiting) -> None:
        """Keep nothing for a sender that is gone."""
        waiting.closed = True
        waiting.open.clear()
        self._let_go(waiting)

    # -- what the supervisor calls

    def next_at(self) -> float | None:
        """Return the instant at which the next one runs out of time, None for never."""
        return self._agenda.next_at()

    def time_out(self) -> None:
        """Answer those who have run out of time."""
        now = self._now()
        due = self._agenda.pop_due(now)
        self._backlog.add(partial(self._give, one, partial(one.time_out, now)) for one in due)

    def refuse_all(self, reason: str) -> None:
        """Answer all who still wait, because the loop has ended and nothing more will happen."""
        self._backlog.drain()
        for waiting, _ in self._agenda.entries():
            waiting.answer(reason)
            self._agenda.set(waiting, None)
        self._parts.clear()


def describe(watcher: Watcher, now: float) -> str:
    """Say where a watcher stands."""
    text = f"{watcher.name} is {watcher.status}"
    reason = why(watcher, now) or unended(watcher, now)
    return f"{text} ({reason})" if reason else text


# -- the end of each kind of order, for one watcher


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
    if isinstance(first, Dependency) and first.is_hopeless():
        return f"{part.order} of {watcher.name}: it {first.why(partial(why, now=0.0))}"
    return stuck(part, first.watcher if isinstance(first, Predecessor) else watcher)


def is_reloaded(part: Part) -> Verdict:
    """`reload`: every process of before is gone, and every place is filled."""
    watcher, places = part.watcher, part.watcher.places
    if not watcher.goal.up or stayed_up(part):
        return not_up(part)
    if (failure := failed_since(part)) is not None:
        return failure
    if watcher.listens:
        return DONE
    is_filled = watcher.is_up and watcher.filled_life >= part.life
    is_rolling = watcher.rollout is not None and not watcher.rollout.is_partial
    if is_filled and not (left_of(part) or is_rolling or places.awaited or places.trials):
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


def is_replaced(part: Part) -> Verdict:
    """`kill` with `surge`: those processes are gone, and their successors are proved."""
    if (failure := failed_since(part)) is not None:
        return failure
    rollout = part.watcher.rollout
    if rollout is not None and rollout.cause.text == "command:kill":
        return stuck(part, part.watcher)
    return is_killed(part)


def failed_since(part: Part) -> Verdict:
    """Say why the rollout has failed since the order, None if none has."""
    failed = part.watcher.failed
    is_new = failed is not None and failed.number > part.failures and failed.text
    return f"{part.order} of {part.watcher.name}: {failed.text}" if failed and is_new else None


def left_of(part: Part) -> list[ManagedProcess]:
    """Return the processes that have to be gone and are not."""
    return [process for process in part.processes if process.state is not ProcessState.REMOVED]


def stayed_up(part: Part) -> bool:
    """Tell whether later orders in the same turn have undone a restart."""
    watcher = part.watcher
    return part.life > watcher.lives and watcher.is_running and not watcher.goal.cycle


def not_up(part: Part) -> str:
    """Say why a watcher is not on its way to where the order wanted it."""
    watcher = part.watcher
    return f"{watcher.name} gave up: {watcher.reason}" if watcher.reason else overtaken(part)


def overtaken(part: Part) -> str:
    """Say which later order has made this one void, and who gave it."""
    cause, text = part.watcher.goal.cause, f"{part.order} of {part.watcher.name} overtaken by"
    by = ": ".join(filter(None, (cause.actor, cause.reason)))
    return f"{text} {part.watcher.goal.word}" + (f" ({by})" if cause.is_worth_telling else "")


def exhausted(part: Part) -> Verdict:
    """Say why a slot cannot be filled, after as many attempts as `max_retry` says."""
    places = part.watcher.places
    text = f"{part.order} of {part.watcher.name}: {places.trouble or places.refused}"
    return text if places.exhausted else None


def stuck(part: Part, watcher: Watcher) -> Verdict:
    """Say which processes of that watcher do not end; "not yet" when there are none."""
    pids = ", ".join(str(process.pid) for process in watcher.places.unkillable())
    return f"{part.order} of {watcher.name}: process {pids} does not end" if pids else None


ENDS: dict[type, tuple[str, Callable[[Part], Verdict]]] = {
    orders.Start: ("start", is_up),
    orders.Stop: ("stop", is_down),
    orders.Restart: ("restart", is_up),
    orders.Reload: ("reload", is_reloaded),
    orders.Resize: ("change of numprocesses", is_sized),
    orders.SetOptions: ("set", is_sized),  # is_reloaded, if it begins a rollout
    orders.Remove: ("rm", is_down),
    orders.Kill: ("kill", is_killed),
    orders.Quit: ("quit", is_down),
}
"""The word for each kind of order, and what its end is."""
