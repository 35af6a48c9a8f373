"""A function called again and again on a plugin's thread."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol, Union

Milliseconds = Union[float, timedelta]


class Cancellable(Protocol):
    """What `call_later` returns. Safe from any thread."""

    def cancel(self) -> None:
        """Do not make the call."""


class Timing(Protocol):
    """What a periodic callback needs of a plugin's loop. Safe from any thread."""

    def monotonic(self) -> float:
        """Seconds since some fixed point."""

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Cancellable:
        """Have a function called after a delay, in seconds."""


class PeriodicCallback:
    """Calls a function on the plugin thread every so many milliseconds. Safe from any thread.

    The first call is one period after `start`. Periods are counted from one call's beginning to
    the next one's; those that a slow callback has overrun are left out. An exception is logged,
    and the calls go on.
    """

    def __init__(
        self,
        callback: Callable[[], object],
        callback_time: Milliseconds,
        loop: Timing | None = None,
    ) -> None:
        """Make it; `start` begins the calls.

        Args:
            callback: What to call, without arguments.
            callback_time: Milliseconds from one call to the next; or a timedelta.
            loop: A plugin's `self.loop`. None is the loop of the plugin that runs here.

        Raises:
            ValueError: The time is not above zero.
            RuntimeError: No loop is given and there is no plugin.
        """
        if isinstance(callback_time, timedelta):
            callback_time = callback_time.total_seconds() * 1000
        if not callback_time > 0:
            raise ValueError("the time between two calls must be above zero")
        self.callback = callback
        self.callback_time = float(callback_time)
        self._loop = current_loop() if loop is None else loop
        self._lock = threading.RLock()
        self._timer: Cancellable | None = None
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
        self._due_at += period * max(1, math.floor((now - self._due_at) / period) + 1)
        self._timer = self._loop.call_later(self._due_at - now, self._call)

    def _call(self) -> object:
        timer = self._timer
        if timer is None:
            return None  # stopped after it was due
        try:
            return self.callback()
        finally:
            with self._lock:
                if self._timer is timer:  # neither stopped nor started anew meanwhile
                    self._arm()


class AsyncPeriodicCallback(PeriodicCallback):
    """The same under the other name that plugins written for Circus use. Safe from any thread."""


_here = threading.local()
_latest: weakref.ref[Any] | None = None


def announce(loop: Timing, here: bool = False) -> None:
    """Make a loop the one that periodic callbacks take by default.

    Args:
        loop: The loop.
        here: For the calling thread, whatever other loop is made later.
    """
    global _latest
    if here:
        _here.loop = weakref.ref(loop)
    _latest = weakref.ref(loop)


def current_loop() -> Timing:
    """Return the loop of the plugin whose thread this is, or of the one made last.

    Raises:
        RuntimeError: There is no plugin.
    """
    for reference in (getattr(_here, "loop", None), _latest):
        loop: Timing | None = reference() if reference is not None else None
        if loop is not None:
            return loop
    raise RuntimeError("there is no plugin yet: call CircusPlugin.__init__ first, or give a loop")
