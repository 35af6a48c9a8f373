"""Functions and classes that programs for Circus take from its `util`."""

from __future__ import annotations

import fcntl
import importlib
import os
import sys
import threading
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from cvec_circus import logger
from cvec_circus.compat.errors import gone
from cvec_circus.system import importing, virtualenv
from cvec_circus.system.procfs import Sampler


class ImportStringError(ImportError):
    """A name that `resolve_name` cannot import. Owned by the thread that catches it.

    Attributes:
        import_name: The dotted name.
        exception: Why.
    """

    def __init__(self, import_name: str, exception: BaseException) -> None:
        super().__init__(f"cannot import {import_name}: {importing.why(exception)}")
        self.import_name = import_name
        self.exception = exception


def resolve_name(import_name: str, silent: bool = False, reload: bool = False) -> Any:
    """Import what a dotted name stands for: a module, or a name in one. Any thread.

    Args:
        import_name: `package.module`, `package.module.name` or `package.module:name`.
        silent: Whether to return None where it cannot be imported.
        reload: Whether to execute the module anew if it has been imported.

    Raises:
        ImportStringError: It cannot be imported.
    """
    try:
        return _resolved(import_name, reload)
    except ImportError as error:
        if silent:
            return None
        raise ImportStringError(import_name, error) from error


def _resolved(import_name: str, reload: bool) -> Any:
    place, colon, inner = import_name.partition(":")
    if not colon:
        place, _, inner = import_name.rpartition(".")
    if reload and place in sys.modules:
        importlib.reload(sys.modules[place])
    if not (place and inner):
        return importlib.import_module(place or inner)
    try:
        return importing.load(import_name)
    except ImportError:
        if colon:
            raise
        return importlib.import_module(import_name)


class ObjectDict(dict[str, Any]):
    """A mapping whose keys can be read as attributes. Owned by the thread that made it."""

    def __getattr__(self, item: str) -> Any:
        try:
            return self[item]
        except KeyError:
            raise AttributeError(item) from None


class DictDiffer:
    """How one mapping differs from an earlier one. Owned by the thread that made it.

    Attributes:
        current_dict, past_dict: The mappings.
        set_current, set_past, intersect: Their keys, and those of both.
    """

    def __init__(self, current_dict: Mapping[Any, Any], past_dict: Mapping[Any, Any]) -> None:
        self.current_dict, self.past_dict = current_dict, past_dict
        self.set_current, self.set_past = set(current_dict), set(past_dict)
        self.intersect = self.set_current & self.set_past

    def added(self) -> set[Any]:
        """Return the keys that only the current one has."""
        return self.set_current - self.intersect

    def removed(self) -> set[Any]:
        """Return the keys that only the earlier one has."""
        return self.set_past - self.intersect

    def changed(self) -> set[Any]:
        """Return the keys of both whose values differ."""
        return {key for key in self.intersect if self.past_dict[key] != self.current_dict[key]}

    def unchanged(self) -> set[Any]:
        """Return the keys of both whose values are equal."""
        return self.intersect - self.changed()


def dict_differ(dict1: Mapping[Any, Any], dict2: Mapping[Any, Any]) -> bool:
    """Return whether a key of both mappings has different values."""
    return bool(DictDiffer(dict1, dict2).changed())


def debuglog(func: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method log where it begins and ends, at level debug, if the variable DEBUG is set."""

    @wraps(func)
    def logged(self: Any, *args: Any, **more: Any) -> Any:
        if "DEBUG" not in os.environ:
            return func(self, *args, **more)
        name = f"{type(self).__name__}.{func.__name__}"
        logger.debug("%r starts", name)
        try:
            return func(self, *args, **more)
        finally:
            logger.debug("%r ends", name)

    return logged


def check_future_exception_and_log(future: Any) -> BaseException | None:
    """Log why an order failed, and return that; None if it succeeded. It waits for the end.

    Args:
        future: What `Arbiter.start` or an order has returned, or a future of Python's. Anything
            else is no failure.
    """
    exception = getattr(future, "exception", None)
    error: BaseException | None = exception() if callable(exception) else None
    if error is not None:
        logger.error("exception %s caught", error)
    return error


def close_on_exec(fd: int) -> None:
    """Keep a file from the programs that this process starts."""
    fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.fcntl(fd, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)


def get_python_version() -> tuple[int, int, int]:
    """Return the three numbers of this Python's version."""
    return sys.version_info[:3]


def load_virtualenv(watcher: Any, py_ver: str | None = None) -> None:
    """Put the programs and packages of a virtual environment into the `env` of a watcher.

    Args:
        watcher: It has `virtualenv`, its folder; `copy_env`; and `env`, a dict.
        py_ver: The version of Python, such as 3.11; None for this one.

    Raises:
        ValueError: `copy_env` is not set, or there are no packages for that version.
        OSError: They cannot be read.
    """
    if not watcher.copy_env:
        raise ValueError("virtualenv: only with copy_env = True")
    watcher.env.update(virtualenv.variables(watcher.env, watcher.virtualenv, py_ver))


_sampling = threading.Lock()
_sampler = Sampler()


def get_info(process: Any = None, interval: float = 0, with_childs: bool = False) -> dict[str, Any]:
    """Return what `stats` reports of a process. Any thread.

    Args:
        process: Its pid, or an object with a `pid`; None for this process.
        interval: Ignored: `cpu` is measured since the call before, and 0 at the first.
        with_childs: Whether to include its children.

    Raises:
        ProcessLookupError: There is no such process.
    """
    pid = os.getpid() if process is None else getattr(process, "pid", process)
    with _sampling:
        found = _sampler.sample([pid]) if with_childs else _sampler.sample((), alone=[pid])
    if pid not in found:
        raise gone(f"there is no process {pid}", pid)
    return found[pid]
