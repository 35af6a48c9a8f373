"""Deliveries that may fail: made one after the other, off the plugin thread, and retried."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any

from cvec_circus import logger
from cvec_circus.base.clock import exponential
from cvec_circus.base.thread import Thread

RETRIES = {
    "timeout": "float(min=0.01, default=10.0)",
    "retries": "integer(min=0, default=8)",
    "retry_delay": "float(min=0.01, default=1.0)",
}
"""The options of a schema for an outbox."""

LONGEST_DELAY = 300.0
"""The most seconds between two attempts, after any number of failures."""

FINISH_TIMEOUT = 2.5
"""Seconds for the last deliveries when the plugin ends. The daemon waits five, and the last events
take up to two of them."""

LISTED = 10
"""How many lost items are logged one by one at the end."""


class Refused(Exception):  # noqa: N818 - a fact, not a fault
    """A delivery that would be refused again, so another attempt is useless."""


class Outbox:
    """Delivers items in order, on its own thread. Safe from any thread.

    A failed delivery is retried after `retry_delay` seconds, which doubles each time. Meanwhile the
    others wait; if more than `size` wait, the oldest one is dropped.

    Args:
        deliver: Delivers an item; raises Refused, or another exception if it may be retried.
        describe: Returns a few words for the log.
        config: The options of `RETRIES`.
        size: How many may wait.
        in_full: Returns the text to log for an item that was not delivered.
        when_idle: Called on that thread when nothing is left.

    Attributes:
        dropped: How many were dropped because too many were waiting.
    """

    def __init__(
        self,
        deliver: Callable[[Any], object],
        describe: Callable[[Any], str],
        config: dict[str, Any],
        size: int = 1000,
        in_full: Callable[[Any], str] | None = None,
        when_idle: Callable[[], object] = lambda: None,
    ) -> None:
        self.dropped = 0
        self._deliver = deliver
        self._describe = describe
        self._in_full = in_full or describe
        self._config = config
        self._size = size
        self._when_idle = when_idle
        self._changed = threading.Condition()  # guards all that follows
        self._waiting: deque[Any] = deque()
        self._under_way: list[Any] = []  # one item at most
        self._thread: Thread | None = None
        self._failing = False
        self._unsaid = 0
        self._finishing = False
        self._given_up = False

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to deliver."""
        return not self._under_way and not self._waiting

    def put(self, item: Any) -> None:
        """Add an item; RuntimeError if no thread can be started."""
        with self._changed:
            self._waiting.append(item)
            if len(self._waiting) + len(self._under_way) > self._size + 1:
                dropped = self._waiting.popleft()
                self.dropped += 1
                self._unsaid += 1
                if self._unsaid == 1:
                    text = "%d deliveries are waiting: dropping the oldest ones, first %s"
                    logger.warning(text, self._size, self._describe(dropped))
            self._changed.notify_all()
            if self._thread is None:
                thread = Thread(self._run, "deliveries")
                thread.start()
                self._thread = thread

    def finish(self, timeout: float = FINISH_TIMEOUT) -> None:
        """Try once to deliver the rest, and log what was not delivered. For `handle_stop`."""
        with self._changed:
            self._finishing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)
        with self._changed:
            self._given_up = True
            left = [*self._under_way, *self._waiting]
            self._waiting.clear()
        for item in left[:LISTED]:
            self._log_loss(item, "no time is left")
        if left[LISTED:]:
            logger.error("%d more were not delivered", len(left) - LISTED)

    # -- the thread of deliveries -----------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                # Until `finish`, there is no limit to the wait for another item.
                self._changed.wait_for(lambda: self._waiting or self._finishing)
                if not self._waiting:
                    return
                item = self._waiting.popleft()
                self._under_way = [item]
            self._try(item)
            self._under_way = []
            if not self._waiting:
                self._when_idle()

    def _try(self, item: Any) -> None:
        """Deliver an item, or fail for good."""
        for attempt in count(1):
            is_last = self._finishing or attempt > self._config["retries"]
            try:
                self._deliver(item)
            except Exception as error:
                if is_last or isinstance(error, Refused):
                    if not self._given_up:
                        self._log_loss(item, error)
                    return
                delay = exponential(attempt, self._config["retry_delay"], LONGEST_DELAY)
                if not self._failing:  # once is enough: it may fail for hours
                    what = self._describe(item)
                    logger.warning("%s; next attempt in %g s: %s", error, delay, what)
                self._failing = True
                with self._changed:
                    self._changed.wait_for(lambda: self._finishing, delay)
            else:
                break
        if self._failing:
            logger.info("deliveries are succeeding again")
        self._failing = False
        with self._changed:
            unsaid, self._unsaid = self._unsaid, 0
        if unsaid:
            logger.warning("%d were dropped meanwhile", unsaid)

    def _log_loss(self, item: Any, error: object) -> None:
        logger.error("not delivered: %s: %s", error, self._in_full(item))
