"""Orders to all watchers: which watcher is asked when.

An order to all reaches every watcher at once, as a goal, so that nothing is lost in between. A
campaign adds the sequence: it gives each watcher a `Turn`, and the turns come stage by stage.

Stopping: all but the helpers are asked at once, the lowest priority first; then the helpers, so
that a plugin hears the last `stop` of each watcher. Starting: the watchers of the highest priority,
in the order in which they were added, `warmup_delay` apart; the next lower priority when each of
these is filled, or has failed once for good of this start, or when nothing of them has moved for
`priority_timeout`. A first spawn is movement, a respawn is not; and so is a hook within its
`hook_timeout`. A stage of a stop is over after `shutdown_timeout` at the latest. So no watcher
holds up another one indefinitely.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import chain
from typing import Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.config.dependencies import folded_needs
from cvec_circus.core.conditions import Dependency, Explain, Stage, Turn, dependants
from cvec_circus.core.life import DOWN, UP, WAITING, Life
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.needs import in_order, knotted
from cvec_circus.wire.topics import fold

SHUTDOWN_MARGIN = 5.0
"""Seconds beyond the longest graceful_timeout that a stop of all takes."""


class Pace(NamedTuple):
    """How long a campaign waits, in seconds. Immutable."""

    warmup_delay: float = 0.0  # between two watchers that are asked to start
    priority_timeout: float = 60.0  # without movement, until the next lower priority is asked
    shutdown_timeout: float | None = None
    """Until the helpers are asked to stop; None for the longest graceful_timeout of those that
    stop, and `SHUTDOWN_MARGIN`."""


class Campaign:
    """An order to all watchers, stage by stage. Owned by the supervisor thread.

    Args:
        pace: How long it waits; it may be changed.
        now: Returns the instant on the monotonic clock.
        note: Called with a watcher that the others no longer wait for, and a sentence about it.
        explain: Returns why a watcher stands where it stands.
    """

    def __init__(
        self,
        pace: Pace,
        now: Callable[[], float],
        note: Callable[[Watcher, str], object],
        explain: Explain,
    ) -> None:
        self.pace = pace
        self._now, self._note, self._explain = now, note, explain
        self._touched: list[Watcher] = []  # to be looked at
        self._line: deque[Turn] = deque()  # what has not come yet, in order
        self._stage: Stage | None = None  # the one under way; None before the first
        self._unsettled: dict[Watcher, tuple[Life, int]] = {}
        """Its watchers that have not got there yet, with where each stood when it last moved."""
        self._over_at = 0.0
        """From then on no other stage waits for this one; when it starts, each movement of its
        watchers puts that off."""
        self._needed: dict[str, list[Watcher]] = {}  # what is to stop before each, by folded name
        self._next_at = 0.0  # the instant from which the warm-up allows another one to be asked

    def begin(self, stops: Iterable[Watcher], starts: Iterable[Watcher]) -> None:
        """Begin anew: stop watchers, then start watchers. What was held back goes at once."""
        self.release_all()
        stopped = list(stops)
        self._needed = _stop_order(stopped)
        self._hold([Turn(self, one, Stage(False, int(one.kind.is_helper))) for one in stopped])
        self._hold(map(self._start, starts))

    def join(self, watchers: Iterable[Watcher]) -> None:
        """Let more watchers start with it, each before the held ones of a lower priority."""
        chosen = dict.fromkeys(watchers)
        for watcher in chosen:
            self._unsettled.pop(watcher, None)
        line = self._line
        self._line = deque(one for one in line if not one.stage.starts or one.watcher not in chosen)
        self._hold(map(self._start, chosen))

    def stop(self, watchers: Iterable[Watcher]) -> None:
        """Stop watchers, what depends on others of them first; what is to start goes on after
        that."""
        stopped = dict.fromkeys(watchers)
        self._line = deque(one for one in self._line if one.watcher not in stopped)
        self._needed = {**self._needed, **_stop_order(stopped)}
        self._stage = None
        self._unsettled.clear()
        self._hold([Turn(self, one, Stage(False, int(one.kind.is_helper))) for one in stopped])

    def _start(self, watcher: Watcher) -> Turn:
        return Turn(self, watcher, Stage(True, -watcher.options.priority))

    def _hold(self, turns: Iterable[Turn]) -> None:
        for turn in turns:
            turn.watcher.conditions.insert(0, turn)
            self._line.append(turn)
        self._line = deque(sorted(self._line, key=_order))
        self._touched.extend(turn.watcher for turn in self._line)

    @property
    def is_over(self) -> bool:
        """Whether every stage has been gone through, and nothing is to be looked at for it."""
        return self._stage is None and not (self._line or self._touched)

    def asks(self, starts: bool) -> bool:
        """Tell whether there are watchers to start, or to stop."""
        stages = (self._stage, *(turn.stage for turn in self._line))
        return any(stage is not None and stage.starts is starts for stage in stages)

    def why(self, turn: Turn, explain: Explain) -> str:
        """Say which watcher that turn waits for, and what this one waits for."""
        if self._stage in (None, turn.stage):
            return "waits for its turn"
        starts = self._stage.starts
        line = (other.watcher for other in self._line if other.stage == self._stage)
        left = (one for one in chain(self._unsettled, line) if not _has_settled(one, starts))
        watcher = next(left, None)
        if watcher is None:
            return "waits for its turn"
        because = f": {reason}" if (reason := explain(watcher)) else ""
        priority = f" (priority {watcher.options.priority})" if starts else ""
        return f"waits for {watcher.name}{priority}, which is {watcher.status}{because}"

    # -- as time goes by

    def saw(self, watcher: Watcher) -> None:
        """Note that a watcher was looked at: it may have moved."""
        mark = self._unsettled.get(watcher)
        if mark is None or self._stage is None:
            return
        starts = self._stage.starts
        if _has_settled(watcher, starts):
            del self._unsettled[watcher]
        elif mark == _mark(watcher):
            return
        else:
            self._unsettled[watcher] = _mark(watcher)
        if starts:
            self._over_at = self._now() + self.pace.priority_timeout

    def advance(self) -> tuple[list[Watcher], float | None]:
        """Let the turns come that may come now.

        Return the watchers to look at, and the instant at which to call this again even if nothing
        has moved, None for never.
        """
        next_at = self._go_on(self._now())
        touched, self._touched = self._touched, []
        return touched, next_at

    def _go_on(self, now: float) -> float | None:
        while self._stage is not None or self._line:
            stage = self._stage
            held: list[Turn] = []  # what others depend on, until these have stopped
            while stage is not None and self._line and self._line[0].stage == stage:
                watcher = self._line[0].watcher
                if not stage.starts and now < self._over_at and self._is_needed(watcher):
                    held.append(self._line.popleft())
                    continue
                if stage.starts and watcher.is_held(True) and not _has_settled(watcher, True):
                    if now < self._next_at:
                        return self._next_at
                    self._next_at = now + self.pace.warmup_delay
                    self._over_at = now + self.pace.priority_timeout
                self._line.popleft()
                watcher.release(stage.starts)
                if not _has_settled(watcher, stage.starts):
                    self._unsettled[watcher] = _mark(watcher)
                self._touched.append(watcher)
            self._line.extendleft(reversed(held))
            if held or (self._unsettled and now < self._over_at):
                return self._over_at
            # A hook that has time beyond that is asked for only now, as there may be a thousand.
            until = self._hooked_until()
            if self._unsettled and now < until:
                return until
            self._next_stage(now)
        return None

    def _is_needed(self, watcher: Watcher) -> bool:
        """Tell whether something that depends on a watcher has been asked to stop and has not."""
        needing = self._needed.get(fold(watcher.name), ())
        return any(not _has_settled(one, False) for one in needing)

    def _hooked_until(self) -> float:
        """Return the instant until which a hook of a starting watcher may answer, 0 for none."""
        waiting = self._unsettled if self._stage is not None and self._stage.starts else ()
        times = (
            question.asked_at + limit
            for watcher in waiting
            if (limit := watcher.options.hook_timeout)
            for question in watcher.questions.values()
            if question.asked_at < self._over_at  # or a row of them would hold it for ever
        )
        return max(times, default=0.0)

    def _next_stage(self, now: float) -> None:
        for watcher in self._unsettled if self._line else ():
            left = f" ({reason})" if (reason := self._explain(watcher)) else ""
            self._note(watcher, f"is {watcher.status}{left}; the others wait for it no longer")
        self._unsettled.clear()
        self._stage = self._line[0].stage if self._line else None
        if self._stage is None:
            self._needed.clear()
        patience = self.pace.priority_timeout
        if self._stage is not None and not self._stage.starts:
            asked = (turn.watcher for turn in self._line if turn.stage == self._stage)
            longest = max(watcher.options.graceful_timeout for watcher in asked)
            limit = self.pace.shutdown_timeout
            patience = longest + SHUTDOWN_MARGIN if limit is None else limit
        self._over_at = now + patience

    def forget(self, watcher: Watcher) -> None:
        """Go on without a watcher, because it is removed."""
        watcher.release(True, False)
        self._unsettled.pop(watcher, None)
        self._line = deque(turn for turn in self._line if turn.watcher is not watcher)

    def release_all(self) -> None:
        """Let every turn come at once."""
        for turn in self._line:
            turn.watcher.release(True, False)
            self._touched.append(turn.watcher)
        self._line.clear()
        self._unsettled.clear()
        self._stage = None

    # -- written down, and read again

    def to_state(self, number: Mapping[Watcher, int]) -> dict[str, Any]:
        """Return all of it in JSON's types; watchers by their numbers."""
        return {
            "pace": self.pace,
            "stage": self._stage,
            "over_at": self._over_at,
            "next_at": self._next_at,
            "unsettled": [number[watcher] for watcher in self._unsettled],
            "line": [
                [number[turn.watcher], turn.stage, turn.watcher.is_held(turn.stage.starts)]
                for turn in self._line
            ],
        }

    def restore(self, state: Mapping[str, Any], watchers: list[Watcher]) -> None:
        """Go on with a campaign that was written down."""
        self._needed = _stop_order([watchers[number] for number, _, _ in state["line"]])
        self.pace = Pace(*state["pace"])
        self._stage = state["stage"] and Stage(*state["stage"])
        self._over_at, self._next_at = state["over_at"], state["next_at"]
        self._unsettled = {watchers[n]: _mark(watchers[n]) for n in state["unsettled"]}
        for number, stage, is_held in state["line"]:
            turn = Turn(self, watchers[number], Stage(*stage))
            self._line.append(turn)
            if is_held:
                turn.watcher.conditions.insert(0, turn)


def _stop_order(watchers: Collection[Watcher]) -> dict[str, list[Watcher]]:
    """Return what is to stop before each of some watchers, by its folded name.

    In a circle each would wait for the others, so these are stopped together.
    """
    needs = {fold(one.name): folded_needs(one.options) for one in watchers}
    together = knotted(needs)
    return {
        name: [one for one in needing if not {name, fold(one.name)} <= together]
        for name, needing in dependants(watchers).items()
    }


def stop_order(watchers: Collection[Watcher]) -> list[Watcher]:
    """Return watchers in the order in which they are stopped."""
    before = _stop_order(watchers)
    there = {fold(one.name): one for one in sorted(watchers, key=_priority)}
    needs = {name: [fold(one.name) for one in before.get(name, ())] for name in there}
    return [there[name] for name in in_order(needs)]


def _priority(watcher: Watcher) -> tuple[int, int]:
    return watcher.options.priority, watcher.place


def _order(turn: Turn) -> tuple[Stage, int, int]:
    """Those to stop first, the lowest priority first; then those to start, the highest first."""
    priority = 0 if turn.stage.starts else turn.watcher.options.priority
    return turn.stage, priority, turn.watcher.place


def _mark(watcher: Watcher) -> tuple[Life, int]:
    """Where a watcher stands: it has moved when this is another."""
    return watcher.life, min(watcher.places.spawns, watcher.goal.numprocesses)


def _has_settled(watcher: Watcher, starts: bool) -> bool:
    """Whether the next stage need not wait for it."""
    if watcher.places.unkillable():
        return True
    if not starts:
        has_other_order = watcher.goal.up and not watcher.is_held(True)
        return watcher.is_gone or has_other_order
    if watcher.life in (DOWN, WAITING):
        waits = isinstance(watcher.unmet(), Dependency)  # for another one, and holds up no other
        return not watcher.goal.up or watcher.rests or waits
    if watcher.places.refused:
        return watcher.is_running or not watcher.goal.up
    return watcher.life is UP and not watcher.goal.cycle
