"""The queue of calls to the hooks of one watcher, and its bound.

At most `MOST_WAITING` calls wait behind a hook that does not return. Further ones are dropped and
counted if nothing depends on their answers. Those that decide something are kept: there are never
more of them than steps of the watcher that wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.base.clock import Clock
from cvec_circus.base.timers import Timer
from cvec_circus.base.wakeup import Wakeup
from cvec_circus.base.worker import Worker
from cvec_circus.core.watcher import Watcher

if TYPE_CHECKING:
    from cvec_circus.options.hooks import Hook
    from cvec_circus.supervisor.hook_calls import Caller

MOST_WAITING = 1000
"""Calls of one watcher that wait, apart from those that decide something."""

Rows = dict[int, dict[str, Any]]
"""The figures of processes by their pids."""


class Call:
    """One call of a hook. Owned by the supervisor thread.

    Attributes:
        watcher: Whose hook it is.
        name: The hook's name.
        hook: What is called.
        forgives: Whether a failure counts as a yes.
        facts: What it is called with.
        token: What the answer is reported under; 0 if nothing depends on it.
        rows: For `extended_stats`, the figures it may change.
        then: For `extended_stats`, called with the figures.
        asked_at: The instant at which it was asked.
        timer: The end of its time, or the next warning.
        cancel: Ends its program; None if it is a function, or has not been called.
        is_settled: Whether the answer has been given.
    """

    __slots__ = (
        "asked_at",
        "cancel",
        "facts",
        "forgives",
        "hook",
        "is_settled",
        "name",
        "rows",
        "then",
        "timer",
        "token",
        "watcher",
    )

    def __init__(
        self, watcher: Watcher, name: str, hook: Hook, asked_at: float, forgives: bool
    ) -> None:
        self.watcher = watcher
        self.name = name
        self.hook = hook
        self.forgives = forgives
        self.asked_at = asked_at
        self.facts: Mapping[str, Any] = {}
        self.token = 0
        self.rows: Rows | None = None
        self.then: Callable[[Rows], None] | None = None
        self.timer: Timer | None = None
        self.cancel: Wakeup | None = None
        self.is_settled = False

    def __str__(self) -> str:
        return f"hook {self.name} of {self.watcher.name}"

    def close(self) -> None:
        """End its time; nothing is to end its program any more."""
        if self.timer is not None:
            self.timer.cancel()
        if self.cancel is not None:
            self.cancel.close()
            self.cancel = None


class Runner:
    """The thread of one watcher's hooks, and what it is to do. Owned by the supervisor thread.

    Attributes:
        waiting: The calls that have not begun.
        current: The one that the thread is at.
        dropped: How many were dropped since `waiting` was last empty.
        is_last: Whether it ends when there is nothing left to do.
        is_retrying: Whether there is no thread or no pipe, and one is asked for in a moment.
    """

    def __init__(self, watcher: Watcher, caller: Caller, clock: Clock) -> None:
        self.watcher = watcher
        self.worker = Worker(f"hooks:{watcher.name}", _log_crash)
        self.caller = caller
        self._clock = clock
        self.waiting: deque[Call] = deque()
        self.current: Call | None = None
        self.dropped = 0
        self.is_last = False
        self.is_retrying = False

    @property
    def calls(self) -> list[Call]:
        """All that it has to do."""
        return [*([self.current] if self.current else []), *self.waiting]

    def takes(self, call: Call) -> bool:
        """Tell whether a call may wait; one that may not is counted, and the first is logged."""
        if call.token or len(self.waiting) < MOST_WAITING:
            return True
        if not self.dropped:
            behind = self.current or self.waiting[0]
            text = (
                "%s is not called: %d calls wait behind hook %s, which has not answered for %.0f s;"
                " set hook_timeout"
            )
            waited = self._clock.monotonic() - behind.asked_at
            logger.warning(text, call, len(self.waiting), behind.name, waited)
        self.dropped += 1
        return False

    def tell_dropped(self) -> None:
        """Log how many calls were dropped, now that none waits any more."""
        if self.dropped:
            text = "%s: %d calls of hooks were not made, because too many waited"
            logger.warning(text, self.watcher.name, self.dropped)
            self.dropped = 0


def _log_crash(error: BaseException, description: str) -> None:
    logger.error("hooks: %s failed", description, exc_info=error)
