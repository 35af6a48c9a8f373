"""What a dotted name in a configuration leads to: a user's hook, a user's class of streams.

A user's module may take its time, and may do anything: never on the supervisor thread.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from types import ModuleType

_extending = threading.Lock()


def load(dotted: str, pythonpath: str = "") -> object:
    """Import what a dotted name leads to, on the thread that calls.

    Args:
        dotted: `package.module.name`; also `package.module:name`, and names within names.
        pythonpath: The PYTHONPATH of the watcher, folders joined by `:`. What is not there yet is
            put at the end of `sys.path`, once and for the whole process: a folder of one watcher
            is found by all, and what the daemon has already goes first.

    Raises:
        ImportError: There is no such module, or nothing of that name in it. The text is one line.
        Exception: Whatever the module raises; SystemExit too.
    """
    extend(pythonpath)
    importlib.invalidate_caches()  # a module that was written a moment ago
    place, colon, inner = dotted.partition(":")
    if colon:
        return _within(importlib.import_module(place), inner)
    place, _, inner = dotted.rpartition(".")
    if not (place and inner):
        raise ImportError(f"{dotted!r} is no dotted name, such as package.module.name")
    return _within(*_module(place, inner))


def _module(place: str, inner: str) -> tuple[ModuleType, str]:
    """Import the module in which a name is; what is no module is a name within one."""
    try:
        return importlib.import_module(place), inner
    except ModuleNotFoundError as error:
        outer, _, name = place.rpartition(".")
        if not outer or error.name != place or not hasattr(sys.modules.get(outer), name):
            raise
        return sys.modules[outer], f"{name}.{inner}"


def extend(pythonpath: str) -> None:
    """Put folders at the end of `sys.path` that are not there yet. Safe from any thread.

    Args:
        pythonpath: Folders, joined by `:`. Those that are relative are meant from the daemon's own.
    """
    if not pythonpath:
        return
    with _extending:
        for folder in pythonpath.split(os.pathsep):
            if folder and os.path.abspath(folder) not in sys.path:
                sys.path.append(os.path.abspath(folder))


def _within(module: ModuleType, inner: str) -> object:
    """Return what a name stands for in a module; the name may have dots."""
    found: object = module
    for name in inner.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise ImportError(f"there is no {inner} in {module.__name__}") from None
    return found
