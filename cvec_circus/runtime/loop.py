"""What a plugin knows as `self.loop`: callbacks, timers, readers and work in other threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from types import CoroutineType
from typing import Any, Union

from cvec_circus import logger
from cvec_circus.base import timers
from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.runtime.jobs import Jobs
from cvec_circus.runtime.periodic import Milliseconds, PeriodicCallback, announce

Deadline = Union[float, timedelta]
Then = Callable[[Any, Union[BaseException, None]], object]

NO_TORNADO = (
    "tornado's PeriodicCallback does not run on a plugin's loop: "
    "use self.loop.periodic(callback, milliseconds).start()"
)


class Timer:
    """A call that is still to come. Safe from any thread."""

    def __init__(self, loop: PluginLoop, call: Callable[[], object]) -> None:
        self._loop = loop
        self._pending: Callable[[], object] | None = call
        self._armed: timers.Timer | None = None

    def cancel(self) -> None:
        """Do not make the call. Without effect once it is being made."""
        self._pending = None
        self._loop._on_thread_do(self._disarm)

    def _arm(self, when: float) -> None:
        if self._pending is not None:
            self._armed = self._loop._call_at(when, self._fire)

    def _disarm(self) -> None:
        if self._armed is not None:
            self._armed.cancel()

    def _fire(self) -> None:
        call, self._pending = self._pending, None
        if call is not None:
            self._loop._do(call)


class PluginLoop:
    """The loop of a plugin. Every method is safe from any thread, from `__init__` on.

    Whatever it calls, it calls on the plugin thread, after `handle_init` and never during or after
    `handle_stop`. Until the plugin runs, what is asked for waits; once it is stopped, what is left
    is dropped. An exception in what it calls is logged with its traceback, and the loop goes on.
    A callback that is added by a callback waits for the next turn, so that callbacks that add
    themselves cannot keep events waiting.

    It offers what plugins written for Circus use of tornado's loop, but it is none: it runs no
    coroutines, and tornado's own classes do not work with it.
    """

    def __init__(self, name: str = "plugin", clock: Clock = SYSTEM) -> None:
        self._name = name
        self._clock = clock
        # Guards _inner against _early: what is asked for must be in one of them.
        self._lock = threading.RLock()
        self._inner: ZmqLoop | None = None
        self._early: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self._thread_id: int | None = None
        self._ended = False
        self._wind_down: Callable[[Callable[[], None]], object] | None = None
        self._jobs = Jobs(name, self._log_error)
        announce(self)

    # -- for plugins ------------------------------------------------------------------------------

    def add_callback(self, callback: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Have a function called in the next turn of the plugin thread.

        Args:
            callback: What to call.
            *args: What to call it with.
            **kwargs: What to call it with.
        """
        self._put(self._do, _call(callback, args, kwargs))

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, **kwargs: Any
    ) -> Timer:
        """Have a function called after a delay.

        Args:
            delay: Seconds from now.
            callback: What to call.
            *args: What to call it with.
            **kwargs: What to call it with.

        Returns:
            A timer, whose `cancel()` takes the call back.
        """
        timer = Timer(self, _call(callback, args, kwargs))
        self._on_thread_do(timer._arm, self._clock.monotonic() + delay)
        return timer

    def add_timeout(
        self, deadline: Deadline, callback: Callable[..., object], *args: Any, **kwargs: Any
    ) -> Timer:
        """Have a function called at an instant, as tornado's loop does it.

        Args:
            deadline: Seconds since 1970, as `time()` tells them; or a timedelta from now.
            callback: What to call.
            *args: What to call it with.
            **kwargs: What to call it with.

        Returns:
            A timer, whose `cancel()` takes the call back.
        """
        if isinstance(deadline, timedelta):
            delay = deadline.total_seconds()
        else:
            delay = deadline - self.time()
        return self.call_later(delay, callback, *args, **kwargs)

    def remove_timeout(self, timer: Timer) -> None:
        """Take back what `add_timeout` or `call_later` returned: the same as `timer.cancel()`."""
        timer.cancel()

    def periodic(
        self, callback: Callable[[], object], milliseconds: Milliseconds
    ) -> PeriodicCallback:
        """Prepare calls of a function at equal intervals.

        Args:
            callback: What to call, without arguments.
            milliseconds: From one call to the next; or a timedelta.

        Returns:
            Its `start()` begins the calls, its `stop()` ends them.
        """
        return PeriodicCallback(callback, milliseconds, self)

    def add_reader(self, source: Any, callback: Callable[[], object]) -> None:
        """Have a function called whenever there is something to read.

        Args:
            source: A zmq socket, a file descriptor, or anything with a `fileno()`. Remove it
                before it is closed.
            callback: Called without arguments, as long as something is left to read.
        """
        self._on_thread_do(self._add_reader, source, _call(callback, (), {}))

    def remove_reader(self, source: Any) -> None:
        """Wait for a source no more."""
        self._on_thread_do(self._remove_reader, source)

    def run_in_thread(
        self, fn: Callable[..., object], *args: Any, then: Then | None = None
    ) -> None:
        """Do blocking work in another thread: what asynchronous requests were in tornado.

        Up to four functions run at once, others wait. What has not begun when the plugin is
        stopped is dropped, and so is the result of what has not ended.

        Args:
            fn: What to call in another thread.
            *args: What to call it with.
            then: Called on the plugin thread with the result and None, or with None and the
                exception. Without it an exception is logged.
        """
        if then is None:
            self._jobs.do(fn, *args)
        else:
            self._jobs.do(self._work, fn, args, then)

    def time(self) -> float:
        """Seconds since 1970, as tornado's loop tells them: for `add_timeout` only.

        The clock may be set while time goes by, but what was asked for does not move with it.
        """
        return self._clock.time()

    def monotonic(self) -> float:
        """Seconds since some fixed point, for measuring how long something takes."""
        return self._clock.monotonic()

    def stop(self) -> None:
        """Stop the plugin.

        Called on the plugin thread, nothing more is called there after this callback. Called from
        elsewhere, the events that are published already are delivered before that.
        """
        if self._on_thread():
            self._end()
        else:
            self._put(self._begin_to_end)

    def close(self) -> None:
        """The same as `stop`, for plugins written for Circus."""
        self.stop()

    def __mul__(self, other: object) -> object:
        """Refuse tornado's PeriodicCallback, which takes its third argument for a factor."""
        raise TypeError(NO_TORNADO)

    __rmul__ = __mul__

    # -- for CircusPlugin: the plugin thread ------------------------------------------------------

    def _open(self) -> ZmqLoop:
        """Take possession of the loop, before anything is called."""
        with self._lock:
            if self._inner is None:
                self._thread_id = threading.get_ident()
                self._inner = ZmqLoop(self._clock, self._name)
                self._inner.on_error = self._log_error
                for fn, args in self._early:
                    self._inner.post(fn, *args)
                self._early.clear()
            inner = self._inner
        announce(self, here=True)
        return inner

    def _run(self) -> None:
        """Turn until the end."""
        if not self._ended and self._inner is not None:
            self._inner.run()

    def _end(self) -> None:
        """Call nothing any more."""
        self._ended = True
        self._jobs.stop()
        if self._inner is not None:
            self._inner.stop()

    def _close(self) -> None:
        """Let go of everything."""
        self._end()
        with self._lock:
            inner, self._early = self._inner, []
            self._thread_id = None  # numbers of threads are used again
        if inner is not None:
            inner.close()

    # -- within -----------------------------------------------------------------------------------

    def _on_thread(self) -> bool:
        return self._thread_id == threading.get_ident()

    def _put(self, fn: Callable[..., object], *args: Any) -> None:
        """Have something of ours done in the next turn. Any thread."""
        with self._lock:
            if self._inner is not None:
                self._inner.post(fn, *args)
            elif not self._ended:
                self._early.append((fn, args))

    def _on_thread_do(self, fn: Callable[..., object], *args: Any) -> None:
        """Have something of ours done on the plugin thread: now, if this is it. Any thread."""
        if self._on_thread():
            if not self._ended:
                fn(*args)
        else:
            self._put(fn, *args)

    def _do(self, call: Callable[[], object]) -> None:
        """Call something of the plugin's."""
        if self._ended:
            return
        try:
            result = call()
        except BaseException as error:  # sys.exit() in a callback must not end the loop, either
            self._log_error(error, _name(call))
        else:
            if isinstance(result, CoroutineType):
                result.close()
                logger.error("%s: %s is a coroutine, which no loop runs", self._name, _name(call))

    def _call_at(self, when: float, fn: Callable[[], object]) -> timers.Timer | None:
        return None if self._inner is None else self._inner.call_at(when, fn)

    def _add_reader(self, source: Any, call: Callable[[], object]) -> None:
        if self._inner is not None:
            self._inner.add_reader(source, partial(self._do, call))

    def _remove_reader(self, source: Any) -> None:
        if self._inner is not None:
            self._inner.remove_reader(source)

    def _work(self, fn: Callable[..., object], args: tuple[Any, ...], then: Then) -> None:
        """Do a job whose result is wanted. A worker's thread."""
        try:
            result = fn(*args)
        except BaseException as error:
            self.add_callback(then, None, error)
        else:
            self.add_callback(then, result, None)

    def _begin_to_end(self) -> None:
        """Deliver what is published already, then end."""
        if self._wind_down is None:
            self._end()
        else:
            self._wind_down(self._end)

    def _log_error(self, error: BaseException, name: str) -> None:
        logger.error("%s: %s raised", self._name, name, exc_info=error)


def _call(
    callback: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Callable[[], object]:
    """Bind a callback to its arguments.

    Raises:
        TypeError: It is none, or one of tornado's.
    """
    if not callable(callback):
        raise TypeError(f"{callback!r} cannot be called")
    owner = type(getattr(callback, "__self__", None))
    if owner.__module__.partition(".")[0] == "tornado":
        raise TypeError(NO_TORNADO)
    return partial(callback, *args, **kwargs)


def _name(call: Callable[[], object]) -> str:
    function = call.func if isinstance(call, partial) else call
    return getattr(function, "__qualname__", repr(function))
