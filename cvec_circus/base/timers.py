"""Deadlines of items, and calls at an instant."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)

FEW = 64
"""Stale entries below which compacting a heap is not worth it."""


_NO_DEADLINES: dict[Any, float] = {}
_NO_ENTRIES: list[Any] = []
"""Of every agenda that is empty, and there may be ten thousand: they stay empty."""


class Agenda(Generic[Item]):
    """One deadline per item, the earliest first. Owned by one thread.

    Setting an item's deadline again replaces it. `set` and `next_at` each cost a step in a heap,
    however many items there are. A replaced or removed entry stays in the heap until it comes to
    the top, or until most entries are stale and the heap is rebuilt: so dropping a deadline, the
    fate of nearly every deadline of a supervisor, costs next to nothing.
    """

    __slots__ = ("_due_at", "_heap", "_serial")

    def __init__(self) -> None:
        self._due_at: dict[Item, float] = _NO_DEADLINES
        self._heap: list[tuple[float, int, Item]] = _NO_ENTRIES
        self._serial = 0

    def __len__(self) -> int:
        return len(self._due_at)

    def __contains__(self, item: Item) -> bool:
        return item in self._due_at

    def set(self, item: Item, due_at: float | None) -> None:
        """Set the deadline of an item; None removes it."""
        if due_at is None:
            if self._due_at.pop(item, None) is not None:
                self._compact()  # or a removed item would live until its deadline
        elif self._due_at.get(item) != due_at:
            if not self._due_at:
                self._due_at, self._heap = {}, []
            self._due_at[item] = due_at
            self._serial += 1
            heapq.heappush(self._heap, (due_at, self._serial, item))
            self._compact()

    def drop(self, items: Iterable[Item]) -> None:
        """Remove the deadlines of items, of which few need have one."""
        if self._due_at:
            for item in items:
                self._due_at.pop(item, None)
            self._compact()

    def at(self, item: Item) -> float | None:
        """Return the deadline of an item, or None."""
        return self._due_at.get(item)

    def entries(self) -> list[tuple[Item, float]]:
        """Return every item with its deadline."""
        return list(self._due_at.items())

    def next_at(self) -> float | None:
        """Return the earliest deadline, or None."""
        while self._heap:
            due_at, _, item = self._heap[0]
            if self._due_at.get(item) == due_at:
                return due_at
            heapq.heappop(self._heap)
        self._due_at, self._heap = _NO_DEADLINES, _NO_ENTRIES
        return None

    def pop_due(self, now: float) -> list[Item]:
        """Remove every item that is due; return them in order of time, equal ones as they came."""
        due: list[Item] = []
        while self._heap and self._heap[0][0] <= now:
            due_at, _, item = heapq.heappop(self._heap)
            if self._due_at.get(item) == due_at:
                del self._due_at[item]
                due.append(item)
        if due:
            self.next_at()  # gives its memory back if that was the last one
        return due

    def _compact(self) -> None:
        if len(self._heap) > 2 * len(self._due_at) + FEW:
            self._heap = [entry for entry in self._heap if self._due_at.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)


class Timer:
    """A call that waits for its time. Owned by the thread that owns its queue.

    Attributes:
        when: The monotonic instant, in seconds, at which the call is due.
    """

    __slots__ = ("_args", "_fn", "_queue", "when")

    def __init__(
        self, queue: TimerQueue, when: float, fn: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        self.when = when
        self._queue: TimerQueue | None = queue
        self._fn: Callable[..., object] | None = fn
        self._args = args

    @property
    def pending(self) -> bool:
        """Whether the call is still to come: neither made nor cancelled."""
        return self._queue is not None

    def cancel(self) -> None:
        """Drop the call. Does nothing once it was made or cancelled."""
        queue = self._queue
        if queue is not None:
            self._spend()
            queue.set(self, None)

    def _spend(self) -> tuple[Callable[..., object] | None, tuple[Any, ...]]:
        """Take the call out, so that what it refers to does not live as long as the heap entry."""
        call = self._fn, self._args
        self._queue = self._fn = None
        self._args = ()
        return call


class TimerQueue(Agenda[Timer]):
    """Pending calls, soonest first. Owned by the thread that makes them."""

    __slots__ = ()

    def call_at(self, when: float, fn: Callable[..., object], *args: Any) -> Timer:
        """Call a function at a monotonic instant, in seconds; equal instants run as they came.

        Returns:
            The timer, to cancel it.
        """
        timer = Timer(self, when, fn, args)
        self.set(timer, when)
        return timer

    def run_due(self, now: float) -> None:
        """Make the calls that are due, soonest first.

        A call added meanwhile waits for the next pass even if it is due, so that a timer that
        renews itself cannot keep the thread. A call that raises ends the pass with its exception;
        the others that were due stay due.
        """
        due = self.pop_due(now)[::-1]
        try:
            while due:
                timer = due.pop()
                if timer.pending:  # else a call before it has cancelled it
                    fn, args = timer._spend()
                    assert fn is not None
                    fn(*args)
        finally:
            for timer in reversed(due):
                if timer.pending:
                    self.set(timer, timer.when)
