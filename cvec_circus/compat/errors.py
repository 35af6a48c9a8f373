"""The errors of processes, which programs for Circus catch by the names of psutil."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any

from cvec_circus.exc import MessageError


def gone(text: str, pid: int, kind: type[Exception] = ProcessLookupError) -> Exception:
    """Make the error of a process that is not there. Any thread.

    Args:
        text: A sentence.
        pid: The process.
        kind: The class of the error. It is a `psutil.NoSuchProcess` as well, if the program has
            imported psutil: without that, nothing can catch it by that name.
    """
    return _made(kind, "NoSuchProcess", text, pid)


def late(text: str, pid: int, seconds: float) -> Exception:
    """Make the TimeoutError of a wait; it is a `psutil.TimeoutExpired` as well, as in `gone`."""
    return _made(TimeoutError, "TimeoutExpired", text, pid, seconds)


class GoneProcessError(MessageError, ProcessLookupError):  # type: ignore[misc]  # both have errno
    """An order to a process of a watcher that has ended."""


def _made(kind: Any, name: str, text: str, pid: int, seconds: float | None = None) -> Exception:
    theirs = getattr(sys.modules.get("psutil"), name, None)
    if theirs is None:
        error: Exception = kind(text)
        return error
    error = _both(kind, theirs)(text)
    error.__dict__.update(pid=pid, name=None, msg=text, seconds=seconds)
    return error


@lru_cache(maxsize=8)
def _both(kind: type[Exception], theirs: type[Exception]) -> Any:
    """Make a class of both kinds, whose text is the first one's."""
    members = {"__init__": kind.__init__, "__str__": kind.__str__, "__module__": __name__}
    return type(theirs.__name__, (kind, theirs), members)
