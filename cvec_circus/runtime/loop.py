"""A plugin's `self.loop`: callbacks, timers, readers and work in other threads."""

from __future__ import annotations

import math
import random
import threading
import weakref
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from types import CoroutineType
from typing import Any, Union

from cvec_circus import logger
from cvec_circus.base import timers
from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.base.complaints import Complaints
from cvec_circus.base.overrides import IDLE, begins_to_idle, require_plain
from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.runtime.jobs import Jobs
from cvec_circus.runtime.tornado_names import NO_TORNADO, TornadoNames

Milliseconds = Union[float, timedelta]
INSTEAD = "write a plain function, or an AsyncPeriodicCallback, which awaits"

Then = Callable[[Any, Union[BaseException, None]], object]


class Timer:
    """A pending call. Safe from any thread."""

    def __init__(self, loop: PluginLoop, call: Callable[[], object]) -> None:
        self._loop = loop
        self._pending: Callable[[], object] | None = call
        self._armed: timers.Timer | None = None

    def cancel(self) -> None:
        """Cancel the call. Has no effect once it is being made."""
        self._pending = None
        self._loop._on_thread_do(self._disarm)

    def _arm(self, loop: ZmqLoop, when: float) -> None:
        if self._pending is not None:
            self._armed = loop.call_at(when, self._fire)

    def _disarm(self, loop: ZmqLoop) -> None:
        if self._armed is not None:
            self._armed.cancel()

    def _fire(self) -> None:
        call, self._pending = self._pending, None
        if call is not None:
            self._loop._do(call)


class PluginLoop(TornadoNames):
    """The loop of a plugin. Every method is safe from any thread, from `__init__` on.

    It makes all calls on the plugin thread, after `handle_init` and never during or after
    `handle_stop`. Calls requested before the plugin runs wait until then; calls pending when it is
    stopped are dropped. An exception in a callback is logged, the first one of a line with its
    traceback, and the loop continues. A callback added by a callback waits for the next turn, so
    callbacks that add themselves cannot keep events waiting.

    It offers what plugins written for Circus use of tornado's loop, but it is not one: it runs no
    coroutines, and tornado's own classes do not work with it. A missing method says what to write
    instead.
    """

    def __init__(self, name: str = "plugin", clock: Clock = SYSTEM) -> None:
        self._name = name
        self._clock = clock
        # Guards _inner against _early: each request must be in one of them.
        self._lock = threading.RLock()
        self._inner: ZmqLoop | None = None
        self._early: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self._thread_id: int | None = None
        self._ended = False
        self._wind_down: Callable[[Callable[[], None]], object] | None = None
        self._complaints = Complaints(name, self.call_later)
        self._jobs = Jobs(name, self._complaints.tell)
        announce(self)

    # -- for plugins ------------------------------------------------------------------------------

    def add_callback(self, callback: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Call a function with these arguments in the next turn of the plugin thread."""
        self._put(self._do, _call(callback, args, kwargs))

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, **kwargs: Any
    ) -> Timer:
        """Call a function with these arguments after `delay` seconds.

        Returns:
            A timer, whose `cancel()` revokes the call.
        """
        timer = Timer(self, _call(callback, args, kwargs))
        self._on_thread_do(timer._arm, self._clock.monotonic() + delay)
        return timer

    def periodic(
        self, callback: Callable[[], object], milliseconds: Milliseconds
    ) -> PeriodicCallback:
        """Prepare calls of a function, without arguments, at equal intervals.

        The interval is in milliseconds, or a timedelta. `start()` of the result begins the calls,
        `stop()` ends them.
        """
        return PeriodicCallback(callback, milliseconds, loop=self)

    def add_reader(self, source: Any, callback: Callable[[], object]) -> None:
        """Call a function whenever there is something to read.

        Args:
            source: A zmq socket, a file descriptor, or anything with a `fileno()`. Remove it
                before it is closed.
            callback: Called without arguments, as long as something is left to read.
        """
        call = partial(self._do, _call(callback, (), {}))
        self._on_thread_do(ZmqLoop.add_reader, source, call)

    def remove_reader(self, source: Any) -> None:
        """Stop waiting for a source."""
        self._on_thread_do(ZmqLoop.remove_reader, source)

    def run_in_thread(
        self, fn: Callable[..., object], *args: Any, then: Then | None = None
    ) -> None:
        """Do blocking work in another thread, instead of tornado's asynchronous requests.

        Up to four functions run at once, others wait. When the plugin is stopped, functions that
        have not begun are dropped, and so are the results of those still running.

        Args:
            fn: Called in another thread.
            *args: Its arguments.
            then: Called on the plugin thread with the result and None, or with None and the
                exception. Without it an exception is logged.
        """
        if then is None:
            self._jobs.do(fn, *args)
        else:
            self._jobs.do(self._work, fn, args, then)

    def time(self) -> float:
        """Return seconds since 1970, as tornado's loop does: for `add_timeout` only.

        When this clock is set, calls that are already scheduled do not move with it.
        """
        return self._clock.time()

    def monotonic(self) -> float:
        """Return seconds since some fixed point, for measuring durations."""
        return self._clock.monotonic()

    def stop(self) -> None:
        """Stop the plugin.

        When called on the plugin thread, nothing more is called there after this callback. When
        called from elsewhere, events already published are delivered first.
        """
        if self._on_thread():
            self._end()
        else:
            self._put(self._begin_to_end)

    # -- for CircusPlugin: the plugin thread ------------------------------------------------------

    def _open(self) -> ZmqLoop:
        """Become the loop's owner, before anything is called."""
        with self._lock:
            if self._inner is None:
                self._thread_id = threading.get_ident()
                self._inner = ZmqLoop(self._clock, self._name)
                self._inner.on_error = self._complaints.tell
                for fn, args in self._early:
                    self._inner.post(fn, *args)
                self._early.clear()
            inner = self._inner
        announce(self, here=True)
        return inner

    def _run(self) -> None:
        """Run turns until the end."""
        if not self._ended and self._inner is not None:
            self._inner.run()

    def _end(self) -> None:
        """Call nothing more."""
        self._ended = True
        self._complaints.tell_rest()
        self._jobs.stop()
        if self._inner is not None:
            self._inner.stop()

    def _close(self) -> None:
        """End, and close the inner loop."""
        self._end()
        with self._lock:
            inner, self._early = self._inner, []
            self._thread_id = None  # thread ids are reused
        if inner is not None:
            inner.close()

    # -- within -----------------------------------------------------------------------------------

    def _on_thread(self) -> bool:
        return self._thread_id == threading.get_ident()

    def _put(self, fn: Callable[..., object], *args: Any) -> None:
        """Call an internal function in the next turn. Any thread."""
        with self._lock:
            if self._inner is not None:
                self._inner.post(fn, *args)
            elif not self._ended:
                self._early.append((fn, args))

    def _on_thread_do(self, fn: Callable[..., object], *args: Any) -> None:
        """Call an internal function with the inner loop on the plugin thread: now, if on it."""
        if not self._on_thread():
            self._put(lambda: fn(self._inner, *args))
        elif not self._ended:
            fn(self._inner, *args)

    def _do(self, call: Callable[[], object]) -> None:
        """Call a function of the plugin's."""
        if self._ended:
            return
        try:
            result = call()
        except BaseException as raised:  # nor may sys.exit() in a callback end the loop
            self._complaints.tell(raised, _name(call))
        else:
            if isinstance(result, CoroutineType):
                result.close()
                error = TypeError(f"{_name(call)} is a coroutine, which no loop awaits; {INSTEAD}")
                self._complaints.tell(error, _name(call))
        if begins_to_idle():
            logger.warning("%s: %s: use self.loop.periodic instead", self._name, IDLE)

    def _work(self, fn: Callable[..., object], args: tuple[Any, ...], then: Then) -> None:
        """Do a job and report its result. A worker's thread."""
        try:
            result = fn(*args)
        except BaseException as error:
            self.add_callback(then, None, error)
        else:
            self.add_callback(then, result, None)

    def _begin_to_end(self) -> None:
        """Deliver what is already published, then end."""
        if self._wind_down is None:
            self._end()
        else:
            self._wind_down(self._end)


class PeriodicCallback:
    """Calls a function on the plugin thread every so many milliseconds. Safe from any thread.

    The first call is one period after `start`. Periods are counted from one call's beginning to the
    next one's; those that a slow callback overruns are skipped. An exception is logged, and the
    calls continue.
    """

    _awaits = False  # what the callback returns

    def __init__(
        self,
        callback: Callable[[], object],
        callback_time: Milliseconds,
        jitter: float | PluginLoop | None = 0,
        loop: PluginLoop | None = None,
    ) -> None:
        """Make it; `start` begins the calls.

        Args:
            callback: What to call, without arguments.
            callback_time: Milliseconds from one call to the next; or a timedelta.
            jitter: The maximum share of that by which the time between calls varies; or the loop,
                which older programs pass here.
            loop: A plugin's `self.loop`; None for that of the plugin in this process.

        Raises:
            TypeError: The callback is a coroutine function.
            ValueError: The time is not above zero.
            RuntimeError: No loop is given and there is no plugin.
        """
        if isinstance(callback_time, timedelta):
            callback_time = callback_time.total_seconds() * 1000
        if not callback_time > 0:
            raise ValueError("the time between two calls must be above zero")
        if isinstance(jitter, PluginLoop):
            loop = jitter
        self.callback = callback if self._awaits else _require_plain(callback)
        self.callback_time = float(callback_time)
        self.jitter = jitter if isinstance(jitter, (int, float)) else 0.0
        self._loop = current_loop() if loop is None else loop
        self._lock = threading.RLock()
        self._timer: Timer | None = None
        self._due_at = 0.0

    def start(self) -> None:
        """Begin the calls. Does nothing when they have begun."""
        with self._lock:
            if self._timer is None:
                self._due_at = self._loop.monotonic()
                self._arm()

    def stop(self) -> None:
        """End the calls; one that is being made is finished."""
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def is_running(self) -> bool:
        """Tell whether calls are made."""
        return self._timer is not None

    def _arm(self) -> None:
        """Choose the next instant on the grid that `start` began, and wait for it."""
        period, now = self.callback_time / 1000, self._loop.monotonic()
        period *= 1 + self.jitter * (random.random() - 0.5)
        self._due_at += period * max(1, math.floor((now - self._due_at) / period) + 1)
        self._timer = self._loop.call_later(self._due_at - now, self._call)

    def _call(self) -> object:
        with self._lock:  # which `start` of another thread may still hold
            timer = self._timer
        if timer is None:
            return None  # stopped after it was due
        try:
            return self._made()
        finally:
            with self._lock:
                if self._timer is timer:  # neither stopped nor restarted meanwhile
                    self._arm()

    def _made(self) -> object:
        """Make the call."""
        return self.callback()


_here = threading.local()
_latest: weakref.ref[PluginLoop] | None = None


def announce(loop: PluginLoop, here: bool = False) -> None:
    """Make a loop the default of periodic callbacks; with `here`, on this thread for good."""
    global _latest
    if here:
        _here.loop = weakref.ref(loop)
    _latest = weakref.ref(loop)


def current_loop() -> PluginLoop:
    """Return the loop of the plugin whose thread this is, or else the latest; RuntimeError."""
    for reference in (getattr(_here, "loop", None), _latest):
        loop: PluginLoop | None = reference() if reference is not None else None
        if loop is not None:
            return loop
    raise RuntimeError("there is no plugin yet: call CircusPlugin.__init__ first, or give a loop")


def _call(
    callback: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Callable[[], object]:
    """Bind a callback to its arguments; raise TypeError for one that this loop cannot call."""
    if not callable(callback):
        raise TypeError(f"{callback!r} cannot be called")
    _require_plain(callback)
    owner = type(getattr(callback, "__self__", None))
    if owner.__module__.partition(".")[0] == "tornado":
        raise TypeError(NO_TORNADO)
    return partial(callback, *args, **kwargs)


def _require_plain(callback: Callable[..., object]) -> Callable[..., object]:
    return require_plain("callback", callback, INSTEAD)


def _name(call: Callable[[], object]) -> str:
    function = call.func if isinstance(call, partial) else call
    return getattr(function, "__qualname__", repr(function))
