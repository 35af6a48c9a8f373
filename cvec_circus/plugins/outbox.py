"""Deliveries that may fail: made one after the other, off the plugin thread, and tried again."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from cvec_circus import logger
from cvec_circus.base.retry import exponential
from cvec_circus.plugins import PluginLoop

RETRIES = {
    "timeout": "float(min=0.01, default=10.0)",
    "retries": "integer(min=0, default=8)",
    "retry_delay": "float(min=0.01, default=1.0)",
}
"""The options of a schema for an outbox."""

LONGEST_DELAY = 300.0
"""Seconds between two attempts at most, after any number of failures."""

FINISH_TIMEOUT = 2.5
"""Seconds for the last deliveries when the plugin ends. The daemon waits five, and the last events
take up to two of them."""

LISTED = 10
"""Lost items that are logged one by one in the end."""


class Refused(Exception):  # noqa: N818 - a fact, not a fault
    """A delivery that would be refused again, so that another attempt is useless."""


class Attempt:
    """One attempt at one delivery. Made by the plugin thread, for the thread that claims it."""

    def __init__(self, item: Any, number: int) -> None:
        self.item = item
        self.number = number
        self.error: Exception | None = None
        self.ended = threading.Event()
        self._claimed = threading.Lock()

    def claim(self) -> bool:
        """Tell whether the caller makes it: the first one. Any thread."""
        return self._claimed.acquire(blocking=False)

    def make(self, deliver: Callable[[Any], object]) -> None:
        """Deliver, on a worker's thread."""
        if self.claim():
            try:
                deliver(self.item)
            except Exception as error:
                self.error = error
            finally:
                self.ended.set()


class Outbox:
    """Delivers items in order. Owned by the plugin thread.

    One delivery is under way at a time. A failed one is tried again after `retry_delay` seconds,
    then after twice as long each time. Meanwhile the others wait; if more than `size` wait, the
    oldest one is dropped. `finish` is for `handle_stop`.

    Args:
        loop: The plugin's.
        deliver: Delivers an item on a worker's thread; raises Refused, or another exception if it
            may be tried again.
        describe: Returns a few words for the log.
        config: The options of `RETRIES`.
        size: How many may wait.
        in_full: Returns what the log keeps of an item that was not delivered.
        when_idle: Called on the plugin thread when nothing is left.

    Attributes:
        dropped: How many were dropped because too many were waiting.
    """

    def __init__(
        self,
        loop: PluginLoop,
        deliver: Callable[[Any], object],
        describe: Callable[[Any], str],
        config: dict[str, Any],
        size: int = 1000,
        in_full: Callable[[Any], str] | None = None,
        when_idle: Callable[[], object] = lambda: None,
    ) -> None:
        self.dropped = 0
        self._loop = loop
        self._deliver = deliver
        self._describe = describe
        self._in_full = in_full or describe
        self._config = config
        self._size = size
        self._when_idle = when_idle
        self._waiting: deque[Any] = deque()
        self._attempt: Attempt | None = None
        self._failing = False
        self._unsaid = 0
        self._giving_up = False
        self._at_last: list[Any] = []

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to deliver."""
        return self._attempt is None

    def put(self, item: Any) -> None:
        """Add an item."""
        if len(self._waiting) >= self._size:
            dropped = self._waiting.popleft()
            self.dropped += 1
            self._unsaid += 1
            if self._unsaid == 1:
                text = "%d deliveries are waiting: dropping the oldest ones, first %s"
                logger.warning(text, self._size, self._describe(dropped))
        self._waiting.append(item)
        if self._attempt is None:
            self._next()

    def _next(self) -> None:
        self._attempt = None
        if self._waiting:
            self._try(self._waiting.popleft(), 0)
        else:
            self._when_idle()

    def _try(self, item: Any, number: int) -> None:
        self._attempt = Attempt(item, number)
        self._loop.run_in_thread(self._attempt.make, self._deliver, then=self._ended)

    def _ended(self, result: object, error: BaseException | None) -> None:
        attempt = self._attempt
        assert attempt is not None
        if attempt.error is None:
            if self._failing:
                logger.info("deliveries are succeeding again")
            self._failing = False
            if self._unsaid:
                logger.warning("%d were dropped meanwhile", self._unsaid)
                self._unsaid = 0
        elif isinstance(attempt.error, Refused) or attempt.number >= self._config["retries"]:
            self._say_loss(attempt.item, attempt.error)
        else:
            delay = exponential(attempt.number + 1, self._config["retry_delay"], LONGEST_DELAY)
            if not self._failing:  # once is enough: it may fail for hours
                what = self._describe(attempt.item)
                logger.warning("%s; next attempt in %g s: %s", attempt.error, delay, what)
            self._failing = True
            self._loop.call_later(delay, self._try, attempt.item, attempt.number + 1)
            return
        self._next()

    def _say_loss(self, item: Any, error: object) -> None:
        logger.error("not delivered: %s: %s", error, self._in_full(item))

    # -- the end ----------------------------------------------------------------------------------

    def finish(self, timeout: float = FINISH_TIMEOUT) -> None:
        """Try once to deliver the rest, and log what was not delivered. The control thread."""
        if self._attempt is None:
            return
        self._at_last = [self._attempt.item]
        thread = threading.Thread(target=self._deliver_rest, name="last deliveries", daemon=True)
        thread.start()
        thread.join(timeout)
        self._giving_up = True
        left = [*self._at_last, *iter(self._take, None)]
        for item in left[:LISTED]:
            self._say_loss(item, "no time is left")
        if left[LISTED:]:
            logger.error("%d more were not delivered", len(left) - LISTED)

    def _deliver_rest(self) -> None:
        """Deliver the item under way, and those that wait. A thread of its own."""
        assert self._attempt is not None
        if not self._attempt.claim():
            self._attempt.ended.wait()
        if self._attempt.error is None and self._attempt.ended.is_set():
            self._at_last = []
        else:
            self._deliver_last(self._attempt.item)
        while not self._giving_up and (item := self._take()) is not None:
            self._deliver_last(item)

    def _take(self) -> Any:
        """Take the next item, None if there is none. Both threads of the end."""
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def _deliver_last(self, item: Any) -> None:
        self._at_last = [item]
        try:
            self._deliver(item)
        except Exception as error:
            if not self._giving_up:
                self._say_loss(item, error)
        self._at_last = []
