"""Repeated errors in the log: in full the first time, then counted."""

from __future__ import annotations

import errno
import threading
import traceback
from collections.abc import Callable

from cvec_circus import logger

INTERVAL = 60.0
"""Seconds between two lines about repeated errors."""

MOST = 100
"""How many different errors are remembered."""

LONGEST_TEXT = 200

SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors that any call may raise for lack of files or memory; not its caller's fault."""


def shortage(error: BaseException) -> str:
    """Return what there was too little of, as a sentence; "" for an error of another kind, which is
    a bug in this package."""
    if isinstance(error, MemoryError):
        return str(error) or "no memory"
    return str(error) if getattr(error, "errno", None) in SHORTAGES else ""


def in_a_line(error: BaseException) -> str:
    """Return the kind and the text of an error, in one line."""
    return " ".join(traceback.format_exception_only(type(error), error)[-1].split())


def raised_at(error: BaseException) -> tuple[str, int] | None:
    """Return the file and the line that raised an error; None if it was not raised."""
    where = None
    for frame, number in traceback.walk_tb(error.__traceback__):
        where = frame.f_code.co_filename, number
    return where


def tell_crash(name: str, error: BaseException, place: str) -> None:
    """Log that an error ended a function on a thread. Safe from any thread."""
    if line := shortage(error):
        logger.error("%s: %s could not continue: %s", name, place, line)
        logger.debug("where %s could not continue", place, exc_info=error)
    else:
        logger.error("%s: %s failed", name, place, exc_info=error)


class Complaints:
    """Logs errors. Safe from any thread.

    The first of a kind is logged at once, with its traceback. Later ones raised at the same line
    are counted, and a line gives the count.

    Args:
        name: The owner of the errors, in the log.
        call_later: Calls a function after so many seconds.
    """

    def __init__(self, name: str, call_later: Callable[..., object]) -> None:
        self._name = name
        self._call_later = call_later
        self._lock = threading.Lock()
        self._kinds: dict[object, Kind] = {}

    def tell(self, error: BaseException, place: str, verb: str = "raised", line: str = "") -> None:
        """Log an error that was raised in some function, or count it.

        Args:
            error: What was raised.
            place, verb: The function, and what it did.
            line: What to log in place of the traceback, which is for level debug then.
        """
        where, text = raised_at(error), in_a_line(error)
        with self._lock:
            kind = self._kinds.get((place, type(error), where))
            if kind is None:
                if len(self._kinds) >= MOST:
                    self._kinds.clear()
                self._kinds[place, type(error), where] = Kind(f"{place} {verb}")
            else:
                kind.repeated += 1
                kind.text = text[:LONGEST_TEXT]
        if kind is None and line:
            logger.error("%s: %s %s: %s", self._name, place, verb, line)
            logger.debug("%s: %s %s", self._name, place, verb, exc_info=error)
        elif kind is None:
            logger.error("%s: %s %s", self._name, place, verb, exc_info=error)
        elif kind.repeated == 1:
            self._call_later(INTERVAL, self._tell_count, kind)

    def tell_rest(self) -> None:
        """Log what was only counted so far: no more errors will come."""
        with self._lock:
            kinds = list(self._kinds.values())
        for kind in kinds:
            self._tell_count(kind)

    def _tell_count(self, kind: Kind) -> None:
        with self._lock:
            count, kind.repeated = kind.repeated, 0
        if count:
            times = "once more" if count == 1 else f"{count} more times"
            logger.error("%s: %s %s: %s", self._name, kind.what, times, kind.text)


class Kind:
    """Errors that are raised at the same line. Guarded by the lock of `Complaints`."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.repeated = 0  # since that was last logged
        self.text = ""
