"""Waiting: who waits for the end of an order.

An answer that waits has no timer of its own and belongs to no command that "runs". It is given when
what was ordered is so; when a later order to the same watcher makes that impossible; when the
watcher gives up; when a process turns out to be unkillable; or at the time-out its sender asked
for. The core says which watchers an order is for, and when one of them has moved; what counts as
the end of each kind of order is in a table in `order_ends`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from cvec_circus import logger
from cvec_circus.base.agenda import Agenda
from cvec_circus.core.ports import Ends
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.order_ends import DONE, Part, describe, not_up
from cvec_circus.wire.orders import Configure, Order
from cvec_circus.wire.outcome import Outcome, Wait

SHARE = 0.003
"""Seconds of a turn that answers may take: thousands may wait for the same end."""

LONGEST = 3600.0
"""Seconds that an answer waits at most."""

Shared = TypeVar("Shared", frozenset[int], tuple[ManagedProcess, ...])


class Waiting:
    """One answer that waits for watchers. Owned by the supervisor thread.

    Attributes:
        wait: Who waits.
        timeout: For how many seconds.
        collects: Whether it waits for all its parts though one has failed.
        parts: A part for each watcher that the order is for.
        open: What it still waits for.
        closed: Whether it has been given, or will never be.
        desk: Where it waits.
    """

    __slots__ = (
        "__weakref__",
        "_after",
        "_errors",
        "closed",
        "collects",
        "desk",
        "open",
        "parts",
        "timeout",
        "wait",
    )

    def __init__(self, desk: WaitDesk, wait: Wait) -> None:
        self.wait = wait
        self.timeout = LONGEST if wait.timeout is None else min(wait.timeout, LONGEST)
        self.collects = False
        self.parts: list[Part] = []
        self.open: dict[Part, None] = {}
        self.closed = False
        self.desk = desk
        self._errors: list[str] = []
        self._after: set[int] = set()

    def before(self, order: Order, watchers: Sequence[Watcher], ends: Ends = None) -> None:
        """See `core.ports.Waits`."""
        for watcher in watchers:
            before = self.desk.shared(watcher, frozenset(watcher.places.pids()))
            processes = None if ends is None else self.desk.shared(watcher, tuple(ends))
            part = Part(order, watcher, before, processes)
            self.open[part] = None
            self.parts.append(part)

    def begin(self, order: Order) -> None:
        """Wait from now on; an answer without parts is given at once."""
        self.collects = type(order) is Configure
        for part in list(self.open):
            if part.watcher.is_abandoned:
                self.close(part, part.reached(part) or DONE)  # by this order: it is seen no more
        if not self.open:
            self.answer(None)
        elif not self.closed:
            self.desk.keep(self)

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
        before = frozenset[int]().union(*(part.before for part in self.parts))
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
        self._post = post
        self._preparing: dict[Wait, Waiting] = {}
        self._parts: dict[Watcher, dict[Hashable, dict[Part, Waiting]]] = {}
        self._shared: dict[Watcher, dict[type, Hashable]] = {}
        self._decided: deque[tuple[Waiting, Callable[[], object]]] = deque()
        self._agenda: Agenda[Waiting] = Agenda()

    # -- what the core calls: see `core.ports.Waits`

    def before(
        self, wait: Wait, order: Order, watchers: Sequence[Watcher], ends: Ends = None
    ) -> None:
        """Note how watchers stand before the order is applied to them."""
        waiting = self._preparing.setdefault(wait, Waiting(self, wait))
        waiting.before(order, watchers, ends)

    def begin(self, wait: Wait, order: Order) -> Iterable[Watcher]:
        """Wait from now on, as the order has been applied, and return the watchers to look at."""
        waiting = self._preparing.pop(wait, Waiting(self, wait))
        waiting.begin(order)
        return [part.watcher for part in waiting.parts]

    def keep(self, waiting: Waiting) -> None:
        """Keep an answer until its parts are done."""
        self._agenda.set(waiting, self._now() + waiting.timeout)
        waiting.wait.on_gone(self._forget, waiting)
        for part in waiting.open:
            self._parts.setdefault(part.watcher, {}).setdefault(part.kind, {})[part] = waiting

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

    def shared(self, watcher: Watcher, value: Shared) -> Shared:
        """Return the last equal value of that type in its place: the pids of ten thousand processes
        take half a megabyte, and thousands of answers may wait for them."""
        kept: dict[type, Any] = self._shared.setdefault(watcher, {})
        if kept.get(type(value)) != value:
            kept[type(value)] = value
        shared: Shared = kept[type(value)]
        return shared

    def _decide(self, parts: dict[Part, Waiting], verdict: str) -> None:
        self._answer((one, partial(one.close, part, verdict)) for part, one in parts.items())

    def _answer(self, decided: Iterable[tuple[Waiting, Callable[[], object]]]) -> None:
        was_idle = not self._decided
        self._decided.extend(decided)
        if was_idle:
            self._go_on()

    def _go_on(self) -> None:
        """Answer for a share of the turn, and go on in the next one."""
        until = self._now() + SHARE
        while self._decided:
            waiting, answer = self._decided[0]
            try:
                if not waiting.closed:
                    answer()
            except Exception as error:  # the others wait for theirs
                logger.error("the answer to an order failed", exc_info=error)
            if waiting.closed:
                self._let_go(waiting)
            self._decided.popleft()  # only now: an answer may lead to an order, and to another one
            if self._decided and self._post is not None and self._now() >= until:
                self._post(self._go_on)
                return

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

    # -- what the supervisor calls

    def next_at(self) -> float | None:
        """Return the instant at which the next one runs out of time, None for never."""
        return self._agenda.next_at()

    def time_out(self) -> None:
        """Answer those who have run out of time."""
        now = self._now()
        due = self._agenda.pop_due(now)
        if due:
            self._answer((waiting, partial(waiting.time_out, now)) for waiting in due)

    def refuse_all(self, reason: str) -> None:
        """Answer all who still wait, because nothing more will happen."""
        post, self._post = self._post, None
        if self._decided:
            self._go_on()
        self._post = post
        for waiting, _ in self._agenda.entries():
            waiting.answer(reason)
            self._agenda.set(waiting, None)
        self._parts.clear()

    def _forget(self, waiting: Waiting) -> None:
        """Keep nothing for a sender that is gone."""
        waiting.closed = True
        waiting.open.clear()
        self._let_go(waiting)
