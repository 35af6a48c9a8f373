"""What a watcher waits for: conditions before it starts, and the answers of its hooks.

A watcher in WAITING holds conditions, and opens when all of them are met: its turn in an order to
all, the end of a removed watcher of its name, its dependencies, a first connection. The reason
shown to people is that of the first unmet one. None of them holds up other watchers: those behind a
watcher that cannot proceed wait for a bounded time (see `campaign`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, Union

from cvec_circus.base.named import NamedTuple
from cvec_circus.core.life import DOWN, WAITING
from cvec_circus.core.phase import phase
from cvec_circus.options.needs import conditions, needed_by
from cvec_circus.wire.outcome import standing
from cvec_circus.wire.topics import fold

Watcher = Any
"""A `core.watcher.Watcher`, which holds conditions and so is above them."""

Clock = Any
"""The `ports.TurnClock`."""

Find = Callable[[str], Union[Watcher, None]]
"""Finds a watcher by its name."""

Explain = Callable[[Watcher], str]
"""Explains a watcher's state, "" if there is nothing to explain."""


class Condition(Protocol):
    """One reason to wait. Immutable.

    Facts meet most of them. One that time alone meets is in `TIMED`; one that may stay unmet
    indefinitely with nothing wrong is in `LASTING`.
    """

    def is_met(self) -> bool:
        """Tell whether the condition is met."""

    def why(self, explain: Explain) -> str:
        """Say what it waits for, as a predicate."""


class Stage(NamedTuple):
    """The watchers that an order to all asks together. Immutable."""

    starts: bool  # they are to start; otherwise they are to stop
    rank: int  # the lowest first


class Turn(NamedTuple):
    """An order to all watchers has not come to this one yet. Immutable; taken away when it does."""

    campaign: Any  # the `ports.Turns` that gave it
    watcher: Watcher
    stage: Stage

    def is_met(self) -> bool:
        return False

    def why(self, explain: Explain) -> str:
        return str(self.campaign.why(self, explain))


class Predecessor(NamedTuple):
    """A removed watcher of the same name is not gone yet. Immutable."""

    watcher: Watcher

    def is_met(self) -> bool:
        return bool(self.watcher.is_gone)

    def why(self, explain: Explain) -> str:
        left = explain(self.watcher) or "it is stopping"
        return f"waits for the end of the one that was removed: {left}"


class Connection(NamedTuple):
    """With `on_demand`: no client has connected yet. Immutable."""

    has_come: bool = False

    def is_met(self) -> bool:
        return self.has_come

    def why(self, explain: Explain) -> str:
        return "waits for a connection"


class Schedule(NamedTuple):
    """With `schedule`: its next run has not come. Immutable, while the watcher's run changes."""

    watcher: Watcher

    @classmethod
    def of(cls, watcher: Watcher, find: Find, clock: Clock) -> list[Schedule]:
        """See `OF_OPTIONS`."""
        return [cls(watcher)] if watcher.options.schedule else []

    @property
    def due_at(self) -> float | None:
        """The instant at which to check the watcher; None while it is not known."""
        run = self.watcher.run
        return None if run is None else float(run.at)

    def is_met(self) -> bool:
        return bool(self.watcher.is_due)

    def why(self, explain: Explain) -> str:
        """Name its time, how the last run failed, and the runs that were missed."""
        watcher = self.watcher
        if watcher.run is None:
            return "is about to look when it runs next"
        failed = watcher.reason or (watcher.goal.cause.why if watcher.has_completed else "")
        last = f"; the last one failed: {failed}" if failed else ""
        missed = f"; {watcher.missed}" if watcher.missed else ""
        return f"waits for its next run, at {watcher.run.text}{last}{missed}"


class Dependency(NamedTuple):
    """Another watcher has not reached the state that this one needs. Immutable."""

    name: str  # the other one's; it may not exist yet
    condition: str  # one of `options.checks.CONDITIONS`, "" for the usual one
    find: Find

    @classmethod
    def of(cls, watcher: Watcher, find: Find, clock: Clock) -> list[Dependency]:
        """See `OF_OPTIONS`."""
        return [cls(name, need, find) for name, need in conditions(watcher.options).items()]

    @property
    def need(self) -> str:
        """The state that the other one must reach."""
        watcher = self.find(self.name)
        is_job = watcher is not None and watcher.is_job
        return self.condition or ("succeeded" if is_job else "ready")

    def is_met(self) -> bool:
        watcher, need = self.find(self.name), self.need
        if watcher is None:
            return False
        if need == "started":
            return bool(watcher.is_up) or watcher.has_completed
        failed = watcher.places.failed_exits or watcher.reason
        has_done = bool(watcher.has_completed) and (need == "completed" or not failed)
        if need == "ready":  # a completed process was ready, however short it ran
            return bool(watcher.is_ready and watcher.is_told_ready) or has_done  # its event first
        return has_done

    def last(self) -> tuple[Dependency | None, Watcher | None]:
        """Return the end of the chain: the watcher that all wait for, and its condition.

        The condition is None in a cycle; the watcher is None if it does not exist.
        """
        last, seen = self, set()
        while (watcher := last.find(last.name)) is not None and watcher.life is WAITING:
            if watcher in seen:
                return None, watcher
            following = watcher.unmet()
            if not isinstance(following, Dependency):
                break
            seen.add(watcher)
            last = following
        return last, watcher

    def is_hopeless(self) -> bool:
        """Tell whether only an order can meet it."""
        last, watcher = self.last()
        if last is None or watcher is None:
            return True
        return watcher.life is DOWN and not watcher.goal.up

    def why(self, explain: Explain) -> str:
        """Name the other one, and at the end of a chain the one that all wait for."""
        last, watcher = self.last()
        text = f"waits for {self.name} to {self._verb}"
        if last is None:
            return f"{text}, which waits for itself: a circle of depends_on"
        if last is not self:
            following = self.find(self.name)
            is_next = following is not None and following.unmet() == last
            which = "which waits" if is_next else "and at the end of the chain"
            text += f", {which} for {last.name} to {last._verb}"
        if watcher is None:
            return f"{text}; there is no watcher {last.name}"
        told = explain(watcher)
        if not told and last.is_hopeless():
            told = "it was stopped" + watcher.goal.cause.sentence
        return f"{text}: {told}" if told else f"{text}; it {standing(phase(watcher))}"

    @property
    def _verb(self) -> str:
        return f"{'be' if self.need == 'ready' else 'have'} {self.need}"


OF_OPTIONS = (Schedule, Dependency)
"""The conditions that options of a watcher make, in the order in which they are shown. The `of` of
each returns those of a watcher as its options are now."""

TIMED = (Schedule,)
"""Conditions with a `due_at`."""

LASTING = (Connection, Schedule)
"""Conditions that hold back neither lower priorities nor the answer to `start --waiting`."""


class Question(NamedTuple):
    """A question to a hook, and what the answer is for. Immutable."""

    name: str  # the hook's
    life: int  # the number of the watcher's life in which it was asked
    asked_at: float
    wid: int = 0  # of the process that it is about; 0 where it is about the watcher
    pid: int = 0
    signum: int = 0  # of before_signal
    stops: bool = False  # of before_signal: it is the signal that asks the process to stop


class Gate(NamedTuple):
    """The question whose answer the watcher's next step waits for. Immutable."""

    name: str  # the hook's
    token: int
    answer: str | None = None  # "" for yes, otherwise why not; None while there is none


def dependants(
    watchers: Iterable[Watcher], needed: Callable[[Any], Iterable[str]] = needed_by
) -> dict[str, list[Watcher]]:
    """Return which of some watchers need each other one, keyed by the latter's folded name."""
    found: dict[str, list[Watcher]] = {}
    for watcher in watchers:
        for name in needed(watcher.options):
            found.setdefault(fold(name), []).append(watcher)
    return found
