"""Warnings about methods, coroutines and timers of a program that are never called."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterable
from typing import Any, TypeVar

T = TypeVar("T")

IDLE = "tornado has calls to make on a loop that is not running"

PACKAGE = "cvec_circus"

_told = threading.local()

ORDERS = (
    "write a plain function: orders begin when they are called, and .add_done_callback(fn) calls a "
    "function at their end"
)
"""What to write instead of a coroutine that the supervisor thread would have to await."""


def overridden(cls: type, names: Iterable[str]) -> list[str]:
    """Return which of these names a subclass, or a class it is mixed with, overrides."""
    own: set[str] = set()
    for one in cls.__mro__:
        if one.__module__.partition(".")[0] == PACKAGE:
            break
        own.update(vars(one))
    return sorted(own.intersection(names))


def warn_of_overrides(cls: type, names: Iterable[str], instead: str) -> None:
    """Warn of overridden methods that are never called. Call when the class is being defined.

    Args:
        cls: The class.
        names: The methods that nothing here calls.
        instead: What to write instead.
    """
    found = overridden(cls, names)
    if found:
        text = f"{cls.__qualname__}: only your own program calls {', '.join(found)}: {instead}"
        warnings.warn(text, stacklevel=3)


def has_idle_tornado() -> bool:
    """Tell whether tornado has a loop that is not running, with calls to come."""
    ioloop = getattr(sys.modules.get("tornado.ioloop"), "IOLoop", None)
    return any(map(_is_idle, list(getattr(ioloop, "_ioloop_for_asyncio", ()))))  # of tornado 6


def begins_to_idle() -> bool:
    """Tell whether a function of the program has made such a loop on this thread; True once only.

    The thread is none that the program could run the loop on, so not the main one.
    """
    asyncio = sys.modules.get("asyncio") if "tornado.ioloop" in sys.modules else None
    is_main = threading.current_thread() is threading.main_thread()  # there, to ask makes a loop
    if asyncio is None or is_main or getattr(_told, "here", False):
        return False
    try:
        is_idle = _is_idle(asyncio.get_event_loop())
    except RuntimeError:  # the thread has no loop
        return False
    _told.here = is_idle
    return is_idle


def _is_idle(loop: Any) -> bool:
    """Tell whether a loop of asyncio has calls to make, and is not running."""
    waiting = getattr(loop, "_scheduled", ()) or getattr(loop, "_ready", ())
    return bool(waiting) and not loop.is_running()


def warn_of_idle_tornado() -> None:
    """Warn of tornado's loop, which Circus runs while its arbiter blocks."""
    if has_idle_tornado():
        warnings.warn(f"{IDLE}: an arbiter does not; run them on a thread", stacklevel=3)


def require_plain(name: str, fn: T, instead: str = "write a plain function") -> T:
    """Return a function, or None, unchanged.

    Args:
        name: The parameter that it is given for.
        fn: The function.
        instead: What to write instead of a coroutine function.

    Raises:
        TypeError: It is a coroutine function, of Python's or of tornado's.
    """
    import inspect

    if inspect.iscoroutinefunction(fn) or getattr(fn, "__tornado_coroutine__", False):
        text = f"{name}: {getattr(fn, '__qualname__', fn)} is a coroutine function, which no loop"
        raise TypeError(f"{text} awaits here; {instead}")
    return fn
