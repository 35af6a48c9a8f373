"""Waiting: answer the sender of an order at the end of that order.

An answer is given when what was ordered is so, when a later order to the same watcher makes that
impossible, when the watcher gives up, when a process turns out to be unkillable, or at the time-out
its sender asked for. The core says which watchers an order is for, and when one of them has moved;
`verdicts` says what the end of each kind of order is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from cvec_circus.base.figures import first_of
from cvec_circus.base.timers import Agenda
from cvec_circus.core.phase import phase
from cvec_circus.core.ports import Ends
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.answers.obstacles import not_up
from cvec_circus.supervisor.answers.part import DONE, WAIT, Part
from cvec_circus.supervisor.answers.reason import unended, why
from cvec_circus.supervisor.answers.verdicts import Await, judge, part_of
from cvec_circus.supervisor.turn import Backlog, Post
from cvec_circus.wire import orders
from cvec_circus.wire.outcome import WROTE, Outcome, Wait, standing

SHARE = 0.003
"""Seconds of a turn that answers may take: thousands may wait for the same end."""

LONGEST = 3600.0
"""Seconds that an answer waits at most."""

MOST_DESCRIBED = 3
"""Watchers that an answer describes when they have failed or its time is up."""

MOST_NAMED = 5
"""Of those that it does not describe, how many it names."""

Output = Callable[[Watcher, int], "str | None"]
"""Returns what a process has written last, by its pid; None if that is not known yet."""

Missing = Callable[[Watcher, float], str]
"""Says which process is not ready at an instant, and why; "" where that is all known."""

Shared = TypeVar("Shared", frozenset[int], tuple[ManagedProcess, ...])


class Waiting:
    """One answer that waits for watchers. Owned by the supervisor thread.

    Attributes:
        parts: One for each watcher that the order is for.
        open: Those it still waits for.
        collects: Whether it waits for all its parts though one has failed, and not only for those
            that run.
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
        self._errors: dict[str, str] = {}  # of a watcher; several of its parts may have the same
        self._failed: list[str] = []
        self._after: set[int] = set()

    def close(self, part: Part, verdict: str) -> None:
        """Wait for one part no longer, and answer when it was the last one or has failed."""
        if part not in self.open:
            return
        if verdict is not DONE:
            self._errors[verdict] = part.watcher.name
            self._failed.append(part.watcher.name)
        del self.open[part]
        self._after.update(part.watcher.places.pids())
        goes_on = self.collects or any(one.watcher.is_running for one in self.open)
        if not self.open or (self._errors and not goes_on):
            self.answer("; ".join(self._told()) or None)

    def _told(self) -> list[str]:
        """Return the first errors, and the names of the watchers that have the others."""
        told = list(self._errors)[:MOST_DESCRIBED]
        if others := sorted(set(list(self._errors.values())[MOST_DESCRIBED:])):
            told.append(f"{len(others)} more failed: {first_of(others, MOST_NAMED)}")
        return told

    def time_out(self, describe: Callable[[Watcher], str]) -> None:
        """Answer with what is missing."""
        order = next(iter(self.open)).order
        missing = list(dict.fromkeys(part.watcher for part in self.open))
        shown = [describe(watcher) for watcher in missing[:MOST_DESCRIBED]]
        if more := missing[MOST_DESCRIBED:]:
            shown.append(f"and {len(more)} more")
        text = f"{order} timed out after {self.timeout:g} s: {'; '.join(shown)}"
        self.answer("; ".join([*self._told(), text]), timed_out=True)

    def answer(self, error: str | None, timed_out: bool = False) -> None:
        """Answer, once."""
        if self.closed:
            return
        self.closed = True
        for part in self.open:
            self._after.update(part.watcher.places.pids())
        failed = [*self._failed, *(part.watcher.name for part in self.open)]
        self.open.clear()
        before = set[int]().union(*(part.before for part in self.parts))
        watchers = [part.watcher for part in self.parts]
        self.wait.then(
            Outcome(
                error=error,
                timed_out=timed_out,
                started=sorted(self._after - before),
                stopped=sorted(before - self._after),
                kept=sorted(self._after & before),
                numprocesses=sum(watcher.goal.numprocesses for watcher in watchers),
                strays=[
                    {"watcher": watcher.name, "pid": stray.pid, "command": stray.command}
                    for watcher in dict.fromkeys(watchers)
                    for stray in watcher.strays
                ],
                failed=dict.fromkeys(failed),
                gap=[part.watcher.name for part in self.parts if part.watcher.gaps > part.gaps],
            )
        )


class WaitDesk:
    """Every answer that waits for the end of an order. Owned by the supervisor thread.

    One look at a watcher judges one part of each kind, however many there are. What is decided is
    answered in the order of the decisions, for a share of the turn.

    Args:
        now: Returns the instant on the monotonic clock.
        post: Calls a function in the next turn; None to answer all in the same one.
        output: Returns what a process that an error blames has written last.
        missing: Says which process of a watcher is not ready at an instant, and why.
    """

    def __init__(
        self,
        now: Callable[[], float],
        post: Callable[[Callable[[], object]], object] | None = None,
        output: Output = lambda watcher, pid: "",
        missing: Missing = lambda watcher, now: "",
    ) -> None:
        self._now, self._output, self._missing = now, output, missing
        self._backlog = Backlog(now, post, SHARE)
        self._parts: dict[Watcher, dict[Hashable, dict[Part, Waiting]]] = {}
        self._shared: dict[Watcher, dict[type, Hashable]] = {}
        self._agenda: Agenda[Waiting] = Agenda()

    # -- what the core calls: see `core.ports.Waits`

    def before(
        self,
        wait: Wait,
        order: orders.Order | Await,
        watchers: Sequence[Watcher],
        ends: Ends = None,
    ) -> None:
        """Note in the `Wait` how watchers stand, before the order is applied to them."""
        for watcher in watchers:
            pids = self._share(watcher, frozenset(watcher.places.pids()))
            processes = None if ends is None else self._share(watcher, tuple(ends))
            wait.parts.append(part_of(order, watcher, pids, processes, wait.proved))

    def begin(self, wait: Wait, order: orders.Order | Await) -> Iterable[Watcher]:
        """Wait from now on, as the order has been applied, and return the watchers to look at."""
        waiting = Waiting(wait, collects=type(order) is orders.Configure)
        for part in waiting.parts:
            part.note_order()
            if part.watcher.is_abandoned:
                waiting.close(
                    part, part.reached(part) or DONE
                )  # by this order: it is no longer seen
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
        if not (self._parts or self._shared):
            return
        kinds = self._parts.get(watcher, {})
        for kind, parts in list(kinds.items()):
            verdict = self._judge(next(iter(parts)))
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
            first = next(iter(parts))
            verdict = first.reached(first) if first.order == WAIT else None
            self._decide(parts, (not_up(first) if verdict is None else verdict) or DONE)

    def _judge(self, part: Part) -> str | None:
        """Return the verdict on a part, with what the process has written that it blames."""
        verdict, pid = judge(part)
        if not verdict or not pid:
            return verdict
        words = self._output(part.watcher, pid)
        if words is None:
            return None
        return f"{verdict}; {WROTE}{words}" if words else verdict

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
        if due := self._agenda.pop_due(now):
            tell = partial(self._describe, now)
            self._backlog.add(partial(self._give, one, partial(one.time_out, tell)) for one in due)

    def refuse_all(self, reason: str, post: Post = None) -> None:
        """Answer all who still wait at once, because nothing more will happen.

        Args:
            reason: Why.
            post: Calls a function in the next turn if this program goes on after all; None if its
                loop has ended.
        """
        self._backlog.drain()
        for waiting, _ in self._agenda.entries():
            waiting.answer(reason)
            self._agenda.set(waiting, None)
        self._parts.clear()
        self._backlog.post = post

    def _describe(self, now: float, watcher: Watcher) -> str:
        """Say where a watcher stands, and what is missing."""
        stands = phase(watcher)
        text, reason = f"{watcher.name} {standing(stands)}", why(watcher, now)
        if not reason and stands in ("starting", "reloading"):
            reason = self._missing(watcher, now)
        reason = reason or unended(watcher, now)
        return f"{text} ({reason})" if reason else text
