"""Functions that a program has the supervisor thread call, and the loop that takes them."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.base.clock import SYSTEM
from cvec_circus.base.overrides import IDLE, ORDERS, begins_to_idle, require_plain
from cvec_circus.embedding.promise import Promise
from cvec_circus.embedding.reach import Reach
from cvec_circus.exc import GoneError

if TYPE_CHECKING:
    from cvec_circus.supervisor.supervisor import Supervisor

OWN_LOOP = (
    "loop: an arbiter runs a loop of its own, on the thread that starts it; leave it out, and "
    "write background=True for one beside yours, whose coroutines may await its orders"
)

INSTEAD = (
    "an arbiter's loop is none of tornado's; write add_callback(fn), arbiter.stop(), or a thread "
    "of your own (docs/embedding.rst)"
)


def call(reach: Reach, fn: Callable[..., object], *args: Any, **kwargs: Any) -> None:
    """Call a function of the program; log what it raises. On the supervisor thread.

    A `sys.exit()` in it ends the arbiter; see `Reach.on_exit`.
    """
    name = getattr(fn, "__qualname__", repr(fn))
    try:
        result = fn(*args, **kwargs)
    except SystemExit as error:
        reach.on_exit(error)
    except Exception:
        logger.exception("%s raised", name)
    else:
        if inspect.isawaitable(result) and not isinstance(result, Promise):
            if inspect.iscoroutine(result):
                result.close()
            logger.error("%s returned a coroutine, which no loop awaits here; %s", name, ORDERS)
    if begins_to_idle():
        logger.warning("%s: %s: use the call_later of arbiter.loop instead", name, IDLE)


class Later:
    """A function that is called after a time, unless it was removed. Safe from any thread."""

    def __init__(self, fn: Callable[..., object], args: Any, kwargs: Any) -> None:
        self._fn = partial(fn, *args, **kwargs)
        self.is_removed = False
        self.__qualname__ = getattr(fn, "__qualname__", repr(fn))  # of who raised, in the log

    def __call__(self) -> object:
        return None if self.is_removed else self._fn()


class ArbiterLoop:
    """What an arbiter has as its `loop`. Safe from any thread.

    It calls functions on the supervisor thread. A method of tornado's loop that it lacks says what
    to write instead.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._takes = True  # until the end of the arbiter, and from its next start on
        # The program itself fills it, before the start; there is no bound but its own.
        self._pending: deque[Callable[[], None]] = deque()

    def add_callback(self, callback: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Call a function with these arguments on the supervisor thread, which it must not hold up.

        Before the start it waits for that; after the end it is not called.

        Raises:
            TypeError: It is a coroutine function.
        """
        require_plain("callback", callback, ORDERS)
        self._pending.append(partial(call, self._reach, callback, *args, **kwargs))
        if not self._reach.post(self.call_pending) and not self._takes:
            self._pending.clear()

    add_callback_from_signal = spawn_callback = add_callback

    def time(self) -> float:
        """Return the time that `call_at` takes."""
        return SYSTEM.time()

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, **kwargs: Any
    ) -> Later:
        """Call a function likewise, once, after a delay in seconds; from the start on, before that.

        Returns:
            What `remove_timeout` takes.
        """
        later = Later(require_plain("callback", callback, ORDERS), args, kwargs)
        self.add_callback(self._begin_to_wait, delay, later)
        return later

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, **kwargs: Any
    ) -> Later:
        """Call a function likewise at a time of `time`."""
        return self.call_later(when - self.time(), callback, *args, **kwargs)

    def add_timeout(
        self,
        deadline: float | timedelta,
        callback: Callable[..., object],
        *args: Any,
        **kwargs: Any,
    ) -> Later:
        """Call a function likewise at a time of `time`, or after a timedelta."""
        if isinstance(deadline, timedelta):
            deadline = self.time() + deadline.total_seconds()
        return self.call_at(deadline, callback, *args, **kwargs)

    def remove_timeout(self, timeout: Later) -> None:
        """Let a function that waits not be called."""
        timeout.is_removed = True

    def run_sync(self, func: Callable[[], object], timeout: float | None = None) -> object:
        """Call a function at once, on the calling thread, and return what it returns.

        Of a promise that is its result, for which this waits.

        Raises:
            TypeError: It is a coroutine function.
            TimeoutError: The promise takes longer than that many seconds.
        """
        result = require_plain("func", func, ORDERS)()
        return result.result(timeout) if isinstance(result, Promise) else result

    def _begin_to_wait(self, delay: float, later: Later) -> None:
        """Begin the delay. On the supervisor thread."""
        self._reach.ask(_wait, max(delay, 0.0), partial(call, self._reach, later))

    def __getattr__(self, name: str) -> Any:
        """Say what to write instead of another method of tornado's loop."""
        if name.startswith("_"):
            raise AttributeError(name)
        raise GoneError(f"arbiter.loop.{name}: {INSTEAD}")

    # -- for the arbiter

    def begin(self) -> None:
        """Keep functions for the start that begins."""
        self._takes = True

    def call_pending(self, supervisor: object) -> None:
        """Call those that have come. On the supervisor thread."""
        while self._pending:
            self._pending.popleft()()

    def end(self) -> None:
        """Drop those that are left: the arbiter has ended."""
        self._takes = False
        self._pending.clear()


class ArbiterController:
    """What an arbiter has as its `ctrl`, whose `loop` programs for Circus set, without effect."""

    def __init__(self, loop: ArbiterLoop) -> None:
        self.loop: ArbiterLoop | None = loop

    def __getattr__(self, name: str) -> Any:
        """Say what to write instead of what Circus' controller has."""
        if name.startswith("_"):
            raise AttributeError(name)
        raise GoneError(
            f"arbiter.ctrl.{name}: the arbiter itself takes commands; write CircusClient for them, "
            "arbiter.ask(fn) to call a function on its thread (docs/embedding.rst)"
        )


def _wait(supervisor: Supervisor, delay: float, fn: Callable[[], object]) -> None:
    """On the supervisor thread."""
    supervisor.loop.call_later(delay, fn)
