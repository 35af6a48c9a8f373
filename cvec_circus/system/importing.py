"""Objects by dotted name: a user's hook, a user's stream class.

A user's module may block or do anything else: never on the supervisor thread.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
import traceback
from types import ModuleType

from cvec_circus.base.complaints import raised_at

CALLED = "; it is called cvec_circus here"
"""Said of a module that imports `circus`."""

_extending = threading.Lock()


def load(dotted: str, pythonpath: str = "") -> object:
    """Import what a dotted name stands for, on the calling thread.

    The current directory is searched as for plugins, but last, so that it hides nothing.

    Args:
        dotted: `package.module.name`; also `package.module:name`, and names within names.
        pythonpath: The PYTHONPATH of the watcher; see `extend`.

    Raises:
        ImportError: There is no such module, or no such name in it. The text is one line.
        Exception: Whatever the module raises; SystemExit too.
    """
    extend(pythonpath)
    search_here()
    importlib.invalidate_caches()  # the module may have just been written
    place, colon, inner = dotted.partition(":")
    if colon:
        return _within(importlib.import_module(place), inner)
    place, _, inner = dotted.rpartition(".")
    if not (place and inner):
        raise ImportError(f"{dotted!r} is not a dotted name, such as package.module.name")
    return _within(*_module(place, inner))


def why(error: BaseException) -> str:
    """Say in a line why `load` has failed, and which line of the user's code was the last one."""
    said, where, is_users = str(error), "", False
    for frame, number in traceback.walk_tb(error.__traceback__):
        name = frame.f_code.co_filename
        if name == __file__:
            is_users = True  # from here on
        elif is_users and name != importlib.__file__ and not name.startswith("<frozen "):
            where = f" ({name}:{number})"
    if isinstance(error, SyntaxError) and error.filename:  # its text has the last part of the path
        said, where = error.msg, f" ({error.filename}:{error.lineno})"
    return f"{type(error).__name__}: {' '.join(said.split())}{called(error)}{where}"


def is_raised_in(error: BaseException, file: str) -> bool:
    """Tell whether a line of a file has raised an error, and nothing that it has called."""
    at = raised_at(error)
    return at is not None and at[0] == file


def called(error: BaseException) -> str:
    """Return what to say of a module of Circus that is not there, "" of any other error."""
    missing = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
    return CALLED if missing.partition(".")[0] == "circus" else ""


def _module(place: str, inner: str) -> tuple[ModuleType, str]:
    """Import the module that a name is in, itself perhaps a name within a name."""
    try:
        return importlib.import_module(place), inner
    except ModuleNotFoundError as error:
        outer, _, name = place.rpartition(".")
        if not outer or error.name != place or not hasattr(sys.modules.get(outer), name):
            raise
        return sys.modules[outer], f"{name}.{inner}"


def extend(pythonpath: str) -> None:
    """Append folders to `sys.path` that are not there yet. Safe from any thread.

    It holds for the whole process: a folder of one watcher is found by all, and what the daemon
    has already goes first. Relative folders start at the daemon's working directory.
    """
    if not pythonpath:
        return
    with _extending:
        for folder in pythonpath.split(os.pathsep):
            if folder and os.path.abspath(folder) not in sys.path:
                sys.path.append(os.path.abspath(folder))


def search_here() -> None:
    """Let imports find what is in the current directory, after all else. Safe from any thread."""
    with contextlib.suppress(FileNotFoundError):  # it is gone
        extend(os.getcwd())


def _within(module: ModuleType, inner: str) -> object:
    found: object = module
    for name in inner.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise ImportError(f"there is no {inner} in {module.__name__}") from None
    return found
