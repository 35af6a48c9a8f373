"""Orders to all watchers: who is asked when.

An order to all is given to every watcher at once, as a goal, so that nothing can get lost in
between. What a campaign adds is the sequence: it gives each watcher a `Turn` and lets the turns
come stage by stage.

Stopping: all but the helpers are asked at once, the lowest priority first; then the helpers, so
that a plugin hears the last `stop` of each watcher. Starting: the watchers of the highest priority,
in the order in which they were added, `warmup_delay` apart; the next lower priority when each of
these is filled, or has failed once for good of this start, or when nothing of them has moved for
`priority_timeout`. A first spawn is movement, a respawn is not; and so is a hook within its
`hook_timeout`. A stage of a stop is over after `shutdown_timeout` at the latest. So no watcher
holds up another one for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from cvec_circus.core.conditions import Explain, Turn
from cvec_circus.core.life import Life
from cvec_circus.core.reason import why
from cvec_circus.core.watcher import Watcher

SHUTDOWN_MARGIN = 5.0
"""Seconds beyond the longest graceful_timeout that a stop of all takes."""


class Pace(NamedTuple):
    """How long a campaign waits, in seconds. Immutable."""

    warmup_delay: float = 0.0  # between two watchers that are asked to start
    priority_timeout: float = 60.0  # without movement, until the next lower priority is asked
    shutdown_timeout: float | None = None
    """Until the helpers are asked to stop; None for the longest graceful_timeout of those that
    stop, and `SHUTDOWN_MARGIN`."""


class Stage:
    """Watchers that are asked together. Owned by the supervisor thread."""

    starts: bool  # they are to start; otherwise they are to stop
    asks: list[Watcher]  # those not asked yet, the next one last
    unsettled: dict[Watcher, tuple[Life, int]]
    """Those that have not got there yet, with where each stood when it last moved."""
    over_at: float | None
    """The instant from which no other stage waits for this one; each movement of a stage that
    starts puts it off."""
    line: list[Stage]  # those of the campaign that are left, in order

    __slots__ = tuple(__annotations__)

    def __init__(self, starts: bool, watchers: list[Watcher], line: list[Stage]) -> None:
        self.starts = starts
        self.asks = watchers[::-1]
        self.unsettled = {watcher: _mark(watcher) for watcher in watchers}
        self.over_at = None
        self.line = line

    def why(self, explain: Explain) -> str:
        """Say which watcher the stage waits for, and what that one waits for."""
        first = self.line[0]
        left = (w for w in first.unsettled if not _has_settled(w, first.starts))
        watcher = next(left, None) if first is not self else None
        if watcher is None:
            return "waits for its turn"
        reason = explain(watcher)
        because = f": {reason}" if reason else ""
        priority = f" (priority {watcher.options.priority})" if first.starts else ""
        return f"waits for {watcher.name}{priority}, which is {watcher.status}{because}"


class Campaign:
    """An order to all watchers, stage by stage. Owned by the supervisor thread.

    Args:
        pace: How long it waits; it may be changed.
        touch: Called with each watcher whose turn has come.
        note: Called with a watcher that the others wait for no longer, and with the reason.
    """

    def __init__(
        self,
        pace: Pace,
        touch: Callable[[Watcher], None],
        note: Callable[[Watcher, str], object],
    ) -> None:
        self.pace = pace
        self._touch = touch
        self._note = note
        self._next_at = 0.0
        self._stages: list[Stage] = []

    def begin(self, stops: Iterable[Watcher], starts: Iterable[Watcher]) -> None:
        """Begin anew: stop watchers, then start watchers. What was held back goes at once.

        Args:
            stops: Those to stop, by `stop_order`.
            starts: Those to start.
        """
        self.release_all()
        for _, group in groupby(stops, key=attrgetter("is_helper")):
            self._add_stage(False, list(group))
        self._add_starts(starts)

    def _add_starts(self, starts: Iterable[Watcher], asked: Collection[Watcher] = ()) -> None:
        ordered = sorted([*starts, *asked], key=_start_order)
        for _, group in groupby(ordered, key=attrgetter("options.priority")):
            self._add_stage(True, list(group), asked)

    def _add_stage(
        self, starts: bool, watchers: list[Watcher], asked: Collection[Watcher] = ()
    ) -> None:
        stage = Stage(starts, watchers, self._stages)
        stage.asks = [watcher for watcher in stage.asks if watcher not in asked]
        for watcher in stage.asks:
            watcher.hold(Turn(stage))
        self._stages.append(stage)

    @property
    def is_over(self) -> bool:
        """Whether every stage has been gone through."""
        return not self._stages

    @property
    def starts(self) -> bool:
        """Whether there are watchers to start."""
        return any(stage.starts for stage in self._stages)

    @property
    def is_restarting(self) -> bool:
        """Whether there are watchers to stop, and then to start."""
        return len({stage.starts for stage in self._stages}) > 1

    def join(self, watchers: Iterable[Watcher]) -> None:
        """Let more watchers start with it, each before the held ones of a lower priority."""
        chosen = dict.fromkeys(watchers)
        asked: dict[Watcher, None] = {}  # by an order of its own, and waited for nevertheless
        begun = [stage for stage in self._stages if not stage.starts]
        for stage in self._stages[len(begun) :]:
            chosen.update(dict.fromkeys(reversed(stage.asks)))
            asked.update(dict.fromkeys(stage.unsettled))
        if self._stages and self._stages[0].starts:
            first = self._stages[0]  # some of it have been asked, and are waited for
            first.unsettled = {w: _mark(w) for w in first.unsettled if w not in chosen}
            first.asks = []
            begun.append(first)
        self._stages[:] = begun
        waited_for = {watcher for stage in begun for watcher in stage.unsettled}
        self._add_starts(chosen, asked.keys() - chosen.keys() - waited_for)
        for watcher in chosen:
            self._touch(watcher)

    def saw(self, watcher: Watcher, now: float) -> None:
        """Note that a watcher was looked at: it may have moved."""
        if not self._stages or watcher not in self._stages[0].unsettled:
            return
        stage = self._stages[0]
        if _has_settled(watcher, stage.starts):
            del stage.unsettled[watcher]
        elif stage.unsettled[watcher] == _mark(watcher):
            return
        else:
            stage.unsettled[watcher] = _mark(watcher)
        if stage.starts:
            stage.over_at = now + self.pace.priority_timeout

    def advance(self, now: float) -> float | None:
        """Let the turns come that may come now.

        Returns:
            The instant at which to call it again though nothing has moved, None for never.
        """
        while self._stages:
            stage = self._stages[0]
            if stage.over_at is None:
                self._begin_stage(stage, now)
            while stage.asks:
                if stage.starts and now < self._next_at and not _has_settled(stage.asks[-1], True):
                    return self._next_at
                self._ask(stage.asks.pop(), stage, now)
            over_at = self._over_at(stage)
            if stage.unsettled and now < over_at:
                return over_at
            self._end_stage(stage, now)
        return None

    def _begin_stage(self, stage: Stage, now: float) -> None:
        if stage.starts:
            patience = self.pace.priority_timeout
        elif self.pace.shutdown_timeout is not None:
            patience = self.pace.shutdown_timeout
        else:
            longest = max((w.options.graceful_timeout for w in stage.unsettled), default=0.0)
            patience = longest + SHUTDOWN_MARGIN
        stage.over_at = now + patience

    def _over_at(self, stage: Stage) -> float:
        """The instant from which the others do not wait for it: later, while a hook has time."""
        assert stage.over_at is not None
        if not stage.starts:
            return stage.over_at
        return max([stage.over_at, *map(_hooked_until, stage.unsettled)])

    def _ask(self, watcher: Watcher, stage: Stage, now: float) -> None:
        watcher.let_go(stage.starts)
        if stage.starts and not _has_settled(watcher, True):
            self._next_at = now + self.pace.warmup_delay
            stage.over_at = now + self.pace.priority_timeout
        self._touch(watcher)

    def _end_stage(self, stage: Stage, now: float) -> None:
        self._stages.pop(0)
        if not self._stages:
            return
        for watcher in stage.unsettled:
            left = f" ({reason})" if (reason := why(watcher, now)) else ""
            self._note(watcher, f"is {watcher.status}{left}; the others wait for it no longer")
        # Those that were let go may have settled long ago.
        for watcher in self._stages[0].unsettled:
            self._touch(watcher)

    def let_go(self, watcher: Watcher) -> None:
        """Hold a watcher back no longer, because it got an order of its own.

        The others still wait until it has settled.
        """
        watcher.release()
        for stage in self._stages:
            if watcher in stage.asks:
                stage.asks.remove(watcher)

    def forget(self, watcher: Watcher) -> None:
        """Go on without a watcher, because it is removed."""
        self.let_go(watcher)
        for stage in self._stages:
            stage.unsettled.pop(watcher, None)

    def release_all(self) -> None:
        """Let every turn come at once."""
        for stage in self._stages:
            for watcher in stage.asks:
                watcher.release()
                self._touch(watcher)
        self._stages.clear()

    # -- written down, and read again

    def to_state(self, number: Mapping[Watcher, int]) -> dict[str, Any]:
        """Return all of it in JSON's types; watchers by their numbers."""
        stages = [
            {
                "starts": stage.starts,
                "asks": [number[watcher] for watcher in stage.asks],
                "unsettled": [number[watcher] for watcher in stage.unsettled],
                "over_at": stage.over_at,
            }
            for stage in self._stages
        ]
        return {"pace": self.pace, "next_at": self._next_at, "stages": stages}

    def restore(self, state: Mapping[str, Any], watchers: list[Watcher]) -> None:
        """Go on with a campaign that was written down."""
        self.pace = Pace(*state["pace"])
        self._next_at = state["next_at"]
        for row in state["stages"]:
            self._add_stage(row["starts"], [watchers[number] for number in reversed(row["asks"])])
            stage = self._stages[-1]
            waited_for = [watchers[number] for number in row["unsettled"]]
            stage.unsettled = {watcher: _mark(watcher) for watcher in waited_for}
            stage.over_at = row["over_at"]


def stop_order(watcher: Watcher) -> tuple[bool, int, int]:
    """Helpers last; of the others, the lowest priority first."""
    return watcher.is_helper, watcher.options.priority, watcher.place


def _start_order(watcher: Watcher) -> tuple[int, int]:
    """The highest priority first; of one priority, in the order in which they were added."""
    return -watcher.options.priority, watcher.place


def _hooked_until(watcher: Watcher) -> float:
    """The instant until which one of its hooks has time to answer; 0 for none."""
    limit = watcher.options.hook_timeout
    return max((one.asked_at + limit for one in watcher.questions.values() if limit), default=0.0)


def _mark(watcher: Watcher) -> tuple[Life, int]:
    """Where a watcher stands: it has moved when this is another."""
    return watcher.life, watcher.places.spawns - watcher.places.restarts


def _has_settled(watcher: Watcher, starts: bool) -> bool:
    """Whether the next stage need not wait for it."""
    if watcher.places.unkillable():
        return True
    if not starts:
        has_other_order = watcher.goal.up and not watcher.is_held(True)
        return watcher.is_gone or has_other_order
    if watcher.life in (Life.DOWN, Life.WAITING):
        return not watcher.goal.up or watcher.listens
    if watcher.places.refused:
        return watcher.is_running or not watcher.goal.up
    return watcher.life is Life.UP and not watcher.goal.cycle
