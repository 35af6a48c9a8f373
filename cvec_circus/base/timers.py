"""Calls that wait for their time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

FEW = 64
"""A heap this small is never worth compacting."""


class Timer:
    """One call that waits for its time. Owned by the thread that owns its queue.

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
        """See to it that the call is not made. Does nothing once it was made or cancelled."""
        queue = self._queue
        if queue is not None:
            self._spend()
            queue._one_less()

    def _spend(self) -> tuple[Callable[..., object] | None, tuple[Any, ...]]:
        """Take the call out: what it refers to must not live as long as the heap entry."""
        call = self._fn, self._args
        self._queue = self._fn = None
        self._args = ()
        return call


class TimerQueue:
    """The calls that wait, soonest first. Owned by one thread, the one that runs them.

    A heap. A cancelled timer stays in it until it comes to the top, and when most of the heap is
    cancelled the heap is made anew: cancelling, which nearly every deadline of a supervisor comes
    to, costs next to nothing.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._live = 0

    def __len__(self) -> int:
        """Count the calls to come."""
        return self._live

    def call_at(self, when: float, fn: Callable[..., object], *args: Any) -> Timer:
        """Have a function called.

        Args:
            when: The monotonic instant in seconds. Equal instants run in the order of the asking.
            fn: What to call.
            *args: What to call it with.

        Returns:
            The timer, to cancel it.
        """
        timer = Timer(self, when, fn, args)
        self._push(timer)
        self._live += 1
        return timer

    def next_at(self) -> float | None:
        """Tell the instant of the soonest call to come, None when there is none."""
        heap = self._heap
        while heap and not heap[0][2].pending:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def run_due(self, now: float) -> int:
        """Make the calls whose time has come, soonest first.

        A call that is asked for meanwhile waits for the next pass even if it is due, so that a
        timer that renews itself cannot keep the thread. A call that raises ends the pass with its
        exception; the others that were due stay due.

        Args:
            now: The monotonic instant in seconds.

        Returns:
            How many calls were made.
        """
        due = self._take_due(now)
        made = 0
        try:
            while due:
                timer = due.pop()
                if timer.pending:  # one that ran before it may have cancelled it
                    self._live -= 1
                    made += 1
                    fn, args = timer._spend()
                    assert fn is not None
                    fn(*args)
        finally:
            for timer in reversed(due):
                self._push(timer)
        return made

    def _take_due(self, now: float) -> list[Timer]:
        due: list[Timer] = []
        heap = self._heap
        while heap and heap[0][0] <= now:
            timer = heapq.heappop(heap)[2]
            if timer.pending:
                due.append(timer)
        due.reverse()
        return due

    def _push(self, timer: Timer) -> None:
        self._count += 1
        heapq.heappush(self._heap, (timer.when, self._count, timer))

    def _one_less(self) -> None:
        self._live -= 1
        if len(self._heap) > FEW and self._live * 2 < len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].pending]
            heapq.heapify(self._heap)
