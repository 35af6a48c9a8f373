"""Deliveries that may fail: made one after the other, off the plugin thread, and tried again."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from cvec_circus import logger
from cvec_circus.base.retry import exponential
from cvec_circus.runtime.loop import PluginLoop

RETRIES = {
    "timeout": "float(min=0.01, default=10.0)",
    "retries": "integer(min=0, default=8)",
    "retry_delay": "float(min=0.01, default=1.0)",
}
"""What a schema has for an outbox."""

LONGEST_DELAY = 300.0
"""Seconds between two attempts at most, however often it has failed."""

FINISH_TIMEOUT = 2.5
"""Seconds for what is left when the plugin ends. The daemon waits five, and up to two of them are
gone for the last events."""

LISTED = 10
"""How much of what is lost in the end is told one by one."""


class Refused(Exception):  # noqa: N818 - a fact, not a fault
    """It would be refused again, so there is no point in another attempt."""


class Attempt:
    """One attempt at one delivery. Made by the plugin thread, for whoever claims it first."""

    def __init__(self, item: Any, number: int) -> None:
        self.item = item
        self.number = number
        self.error: Exception | None = None
        self.ended = threading.Event()
        self._claimed = threading.Lock()

    def claim(self) -> bool:
        """Tell whether it is the caller who makes it, because nobody else does. Any thread."""
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
    """Delivers in order what is put into it. Owned by the plugin thread.

    One delivery is under way at a time. What fails is tried again after `retry_delay` seconds, then
    after twice as long each time. Meanwhile the others wait; if they are too many, the oldest one
    is dropped. `finish` is for `handle_stop`.

    Args:
        loop: The plugin's.
        deliver: Delivers one thing on a worker's thread; raises Refused, or something else if it
            may be tried again.
        describe: Says in a few words what a thing is.
        in_full: Says what the log is to keep of a thing that was not delivered.
        retries: How often a delivery is tried again.
        retry_delay: Seconds before that.
        size: How many may wait.
        when_idle: Called on the plugin thread when nothing is left.

    Attributes:
        dropped: How many were dropped because too many were waiting.
    """

    def __init__(
        self,
        loop: PluginLoop,
        deliver: Callable[[Any], object],
        describe: Callable[[Any], str],
        retries: int,
        retry_delay: float,
        size: int = 1000,
        in_full: Callable[[Any], str] | None = None,
        when_idle: Callable[[], object] = lambda: None,
    ) -> None:
        self.dropped = 0
        self._loop = loop
        self._deliver = deliver
        self._describe = describe
        self._in_full = in_full or describe
        self._retries = retries
        self._retry_delay = retry_delay
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
        """Have something delivered."""
        if len(self._waiting) >= self._size:
            self._drop(self._waiting.popleft())
        self._waiting.append(item)
        if self._attempt is None:
            self._next()

    def _drop(self, item: Any) -> None:
        self.dropped += 1
        self._unsaid += 1
        if self._unsaid == 1:
            logger.warning(
                "%d are waiting to be delivered: the oldest ones are dropped, first %s",
                self._size,
                self._describe(item),
            )

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
            self._say_success()
        elif isinstance(attempt.error, Refused) or attempt.number >= self._retries:
            self._say_loss(attempt.item, attempt.error)
        else:
            delay = exponential(attempt.number + 1, self._retry_delay, LONGEST_DELAY)
            self._say_failure(attempt, delay)
            self._loop.call_later(delay, self._try, attempt.item, attempt.number + 1)
            return
        self._next()

    def _say_success(self) -> None:
        if self._failing:
            logger.info("what is to be delivered gets there again")
        self._failing = False
        if self._unsaid:
            logger.warning("%d were dropped meanwhile", self._unsaid)
            self._unsaid = 0

    def _say_failure(self, attempt: Attempt, delay: float) -> None:
        if not self._failing:  # once is enough: it may fail for hours
            what = self._describe(attempt.item)
            logger.warning("%s; next attempt in %g s: %s", attempt.error, delay, what)
        self._failing = True

    def _say_loss(self, item: Any, error: object) -> None:
        logger.error("not delivered: %s: %s", error, self._in_full(item))

    # -- the end ----------------------------------------------------------------------------------

    def finish(self, timeout: float = FINISH_TIMEOUT) -> None:
        """Try once to deliver what is left, and say what was not delivered. The control thread."""
        if self._attempt is None:
            return
        self._at_last = [self._attempt.item]
        thread = threading.Thread(target=self._deliver_rest, name="last deliveries", daemon=True)
        thread.start()
        thread.join(timeout)
        self._giving_up = True
        left = [*self._at_last]
        left.extend(iter(self._take, None))
        for item in left[:LISTED]:
            self._say_loss(item, "no time is left")
        if left[LISTED:]:
            logger.error("%d more were not delivered", len(left) - LISTED)

    def _deliver_rest(self) -> None:
        """On a thread of its own."""
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
        """Take the next one, None if there is none. Both threads of the end."""
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
