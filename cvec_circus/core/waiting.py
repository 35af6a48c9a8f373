"""Waiting replies: predicates about watchers, looked at whenever one of these has moved.

A waiting reply has no timer of its own and belongs to no command that "runs". It ends when what was
ordered is so; when a later order to the same watcher makes that impossible; when the watcher gives
up; when a process turns out to be unkillable; or at the time-out its sender asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Optional

from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.states import ProcessState, WatcherState
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.outcome import Outcome, Wait

DONE = ""
"""A verdict: what was ordered is so. None is "not yet", any other text says why it never will
be."""

Verdict = Optional[str]


class Part:
    """One watcher's share of a waiting reply. Owned by the supervisor thread.

    Attributes:
        waiting: The reply.
        watcher: The watcher it depends on.
        life: The life in which the watcher has to become active.
        before: The pids at the time of the order.
        wanted_up: Whether it was to be up at that time.
        processes: With `kill` and `reload`: the processes that have to be gone.
    """

    __slots__ = ("before", "life", "processes", "waiting", "wanted_up", "watcher")

    def __init__(
        self,
        waiting: Waiting,
        watcher: Watcher,
        life: int,
        processes: Iterable[ManagedProcess],
    ) -> None:
        self.waiting = waiting
        self.watcher = watcher
        self.life = life
        self.before = frozenset(watcher.pids())
        self.wanted_up = watcher.goal_up
        self.processes = list(processes)


Reached = Callable[[Part], Verdict]


class Waiting:
    """A reply that waits for watchers. Owned by the supervisor thread.

    Args:
        order: The word of the order, for what is said when it fails.
        reached: The predicate.
        wait: Who waits.
    """

    def __init__(self, order: str, reached: Reached, wait: Wait) -> None:
        self.order = order
        self.reached = reached
        self.wait = wait
        self.watchers: list[Watcher] = []
        self.open: dict[Part, None] = {}
        self.before: set[int] = set()
        self.after: set[int] = set()
        self.closed = False

    def add(self, watcher: Watcher, processes: Iterable[ManagedProcess] = ()) -> Part:
        """Makes the reply wait for that watcher too; called before the order is applied."""
        stays_up = watcher.is_up and not watcher.must_cycle and self.order != "restart"
        part = Part(self, watcher, watcher.lives if stays_up else watcher.lives + 1, processes)
        self.open[part] = None
        self.watchers.append(watcher)
        self.before |= part.before
        return part

    def look(self, part: Part) -> None:
        """Judges one part, and answers when it was the last one or has failed."""
        verdict = self.reached(part) if part in self.open else None
        if verdict is None:
            return
        if verdict is not DONE:
            self.answer(verdict)
            return
        del self.open[part]
        self.after.update(part.watcher.pids())
        if not self.open:
            self.answer(None)

    def time_out(self, now: float) -> None:
        """Answers with what is missing."""
        missing = [describe(part.watcher, now) for part in self.open]
        shown = "; ".join(missing[:3]) + ("; ..." if len(missing) > 3 else "")
        self.answer(f"{self.order} timed out after {self.wait.timeout:g} s: {shown}")

    def answer(self, error: str | None) -> None:
        """Tells who waits, once."""
        if self.closed:
            return
        self.closed = True
        for part in self.open:
            self.after.update(part.watcher.pids())
        self.open.clear()
        self.wait.then(
            Outcome(
                error=error,
                started=sorted(self.after - self.before),
                stopped=sorted(self.before - self.after),
                kept=sorted(self.after & self.before),
                numprocesses=sum(watcher.numprocesses for watcher in self.watchers),
            )
        )


def describe(watcher: Watcher, now: float) -> str:
    """Where a watcher stands, in words."""
    text = f"{watcher.name} is {watcher.state.value}"
    why = watcher.why(now)
    if not why and watcher.ending:
        pids = ", ".join(str(process.pid) for process in list(watcher.ending)[:5])
        why = f"process {pids} has not ended"
    return f"{text} ({why})" if why else text


# -- the predicates


def is_up(part: Part) -> Verdict:
    """`start`, `restart`: it has become active."""
    watcher = part.watcher
    if watcher.active_life >= part.life or watcher.listens:
        return DONE
    if not watcher.goal_up or stayed_up(part):
        return not_up(part)
    return None if watcher.is_up else stuck(part, watcher.predecessor or watcher)


def is_reloaded(part: Part) -> Verdict:
    """`reload`: every process of before is gone, and every place is filled."""
    watcher = part.watcher
    if not watcher.goal_up or stayed_up(part):
        return not_up(part)
    if watcher.listens:
        return DONE
    is_active = watcher.state is WatcherState.ACTIVE and watcher.active_life >= part.life
    if is_active and not left_of(part) and not (watcher.awaited or watcher.trials):
        return DONE
    return stuck(part, watcher)


def is_sized(part: Part) -> Verdict:
    """`incr`, `decr`, `set`: as many processes as wanted, and none beside them."""
    watcher = part.watcher
    if not watcher.goal_up:
        return not_up(part) if part.wanted_up else DONE
    if watcher.listens:
        return DONE
    # Where processes grow old fast, there is always one that is being replaced.
    beside = [*watcher.stale, *(p for p in watcher.ending if p.stale or not p.holds_place)]
    settled = watcher.has_all and all(process.cause == "max_age" for process in beside)
    if settled and watcher.state is WatcherState.ACTIVE and not watcher.must_cycle:
        return DONE
    return stuck(part, watcher)


def is_down(part: Part) -> Verdict:
    """`stop`, `quit`, `rm`: nothing runs and nothing is left."""
    watcher = part.watcher
    if watcher.is_gone and not watcher.goal_up:
        return DONE
    if watcher.goal_up:
        return f"{part.waiting.order} of {watcher.name} overtaken by {watcher.last_order}"
    return stuck(part, watcher)


def is_killed(part: Part) -> Verdict:
    """`kill`: those processes are gone, with all that they left behind."""
    left = left_of(part)
    if not left:
        return DONE
    return stuck(part, part.watcher) if any(process.unkillable for process in left) else None


def left_of(part: Part) -> list[ManagedProcess]:
    """The processes that have to be gone and are not."""
    return [process for process in part.processes if process.state is not ProcessState.REMOVED]


def stayed_up(part: Part) -> bool:
    """Whether it was to go down and come back, and later orders have left it as it was: `restart`,
    `stop` and `start` in one turn."""
    watcher = part.watcher
    return watcher.is_up and not watcher.must_cycle and watcher.lives < part.life


def not_up(part: Part) -> str:
    """Why a watcher is not, or not any more, on its way to where the order wanted it."""
    watcher = part.watcher
    if watcher.reason:
        return f"{watcher.name} gave up: {watcher.reason}"
    return f"{part.waiting.order} of {watcher.name} overtaken by {watcher.last_order}"


def stuck(part: Part, watcher: Watcher) -> Verdict:
    """Which processes of that watcher do not end; "not yet" when there are none."""
    pids = ", ".join(str(process.pid) for process in watcher.unkillable())
    return f"{part.waiting.order} of {watcher.name}: process {pids} does not end" if pids else None
