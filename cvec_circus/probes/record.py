"""What is known of the checks of a process, and the verdict on all of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from cvec_circus.options.checks import Check
from cvec_circus.probes.connection import Result

STATES = {None: "not yet", True: "holds", False: "fails"}

_MISSING = {
    "notify": "no READY=1 came on NOTIFY_SOCKET",
    "fd": "no newline came on file descriptor {}",
    "log": "no line with {!r} came",
}


class Record:
    """One check of one process. Owned by one thread.

    Attributes:
        holds: None while it is not known yet.
        answer: What the last run has said, in a line; "" before that.
        failure: Why it does not hold, "" if it does or has not run.
        took: Seconds of the last run; None for what comes by itself, and after a run that says
            nothing about the process.
        since: The instant from which on it holds, or does not.
        failures: How many runs in a row have failed.
        began: The instant at which it was made.
        held_until: The instant of the first of the failures in a row, `began` if no run before
            them has succeeded; None while the last run has succeeded, and before the first one.
    """

    __slots__ = (
        *("answer", "began", "check", "failure", "failures", "family", "held_until", "holds"),
        *("name", "since", "took"),
    )

    def __init__(self, family: str, name: str, check: Check, now: float) -> None:
        self.family, self.name, self.check = family, name, check
        self.holds: bool | None = None
        self.answer = self.failure = ""
        self.took: float | None = None
        self.since = self.began = now
        self.held_until: float | None = None
        self.failures = 0

    def take(self, result: Result, threshold: int, now: float) -> bool:
        """Take what a run has come to, and return whether the state of the check has changed.

        A failure counts when it is the `threshold`th in a row.
        """
        self.answer, self.took = result.answer, None if result.is_void else result.took
        if result.is_void:
            return False
        self.failure, holds = result.failure, not result.failure
        self.failures = 0 if holds else self.failures + 1
        if holds:
            self.held_until = None
        elif self.held_until is None:
            self.held_until = self.began if self.holds is None else now
        has_changed = self.holds is not holds and (holds or self.failures >= threshold)
        if has_changed:
            self.holds, self.since = holds, now
        return has_changed

    @property
    def trouble(self) -> str:
        """Say in a line that it does not hold, and why."""
        text = self.failure or self.answer or "no answer yet"
        is_live = self.family == "live"
        return f"live check {self.name} failed: {text}" if is_live else f"check {self.name}: {text}"

    @property
    def unmet(self) -> str:
        """Say in a line what is missing for it to hold."""
        missing = _MISSING.get(self.check.kind)
        if missing is None or self.failure:
            return self.trouble
        text = missing.format(self.check.target)
        verb = "it did send " if self.check.kind == "notify" else ""
        more = f"; {verb}{self.answer}" if self.answer else ""
        return f"check {self.name}: {text}{more}"

    def change(self, now: float) -> dict[str, Any]:
        """Return what the event of its change says of it, in JSON's types."""
        row = self.row(now)
        return {key: row[key] for key in ("name", "family", "state", "answer", "took")}

    def row(self, now: float) -> dict[str, Any]:
        """Return what people see of it, in JSON's types."""
        return {
            "name": self.name,
            "family": self.family,
            "check": str(self.check),
            "state": STATES[self.holds],
            "answer": self.answer,
            "failures": self.failures,
            "took": None if self.took is None else round(self.took, 6),
            "for": round(now - self.since, 3),
        }


class Verdict:
    """The verdict on the checks of one family. Owned by one thread.

    There is none until all have held at once. Of a process that has been ready, and so of `live`,
    it is good from the beginning or, if that is doubted, there is none until all have held or one
    has failed.
    """

    def __init__(self, is_proved: bool, is_doubted: bool = False) -> None:
        self.is_good: bool | None = True if is_proved and not is_doubted else None
        self._is_proved = is_proved
        self.trouble = ""  # why not all hold, as last returned
        self.well_for = 0.0  # seconds for which all had held before that

    def look(self, records: Collection[Record]) -> str | None:
        """Return why not all hold, "" if they do; None if that is no news."""
        failing = [record for record in records if record.holds is False]
        is_known = all(record.holds for record in records) or (self._is_proved and failing)
        if self.is_good is None and not is_known:
            return None
        is_good = not failing
        if is_good is self.is_good:
            return None
        self.is_good = is_good
        self.trouble = failing[0].trouble if failing else ""
        self.well_for = min((_well_for(record) for record in failing), default=0.0)
        return self.trouble


def _well_for(record: Record) -> float:
    """Return for how many seconds a check that fails has held before; 0 if it never has."""
    return 0.0 if record.held_until is None else record.held_until - record.began
