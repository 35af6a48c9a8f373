"""Orders to all watchers: who is asked when.

An order to all is given to every watcher at once, as a goal, so that nothing can get lost in
between.
What a campaign adds is the sequence: it holds watchers back and releases them stage by stage.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Callable

from cvec_circus.core.states import WatcherState
from cvec_circus.core.watcher import Watcher


class Stage:
    """Watchers that are asked together. Owned by the supervisor thread.

    Attributes:
        starts: Whether they are to start; otherwise they are to stop.
        held: Those not asked yet, the next one last.
        unsettled: Those that have not got there yet.
    """

    def __init__(self, starts: bool, watchers: list[Watcher]) -> None:
        self.starts = starts
        self.held = watchers[::-1]
        self.unsettled = dict.fromkeys(watchers)


class Campaign:
    """An order to all watchers, stage by stage. Owned by the supervisor thread.

    Stopping: first everybody but the helpers, all in parallel, then the helpers, so that a plugin
    hears the last `stop` of each watcher. Starting: those of the highest priority first, equal ones
    by name, `warmup_delay` seconds apart; the next lower priority when these are active or have
    given up. Nobody waits for a process that cannot be killed.

    Args:
        stops: The watchers to stop.
        starts: The watchers to start (with `stops`: when those are down).
        warmup_delay: Seconds between two watchers that are asked to start.
        touch: Called with each watcher that is released.
    """

    def __init__(
        self,
        stops: Iterable[Watcher],
        starts: Iterable[Watcher],
        warmup_delay: float,
        touch: Callable[[Watcher], None],
    ) -> None:
        self._warmup_delay = warmup_delay
        self._touch = touch
        self._next_at = 0.0
        self._stages: list[Stage] = []
        for _, group in groupby(sorted(stops, key=stop_order), key=_is_helper):
            self._add_stage(False, list(group))
        for _, group in groupby(sorted(starts, key=_start_order), key=_priority):
            self._add_stage(True, list(group))

    def _add_stage(self, starts: bool, watchers: list[Watcher]) -> None:
        for watcher in watchers:
            if starts:
                watcher.start_held = True
            else:
                watcher.stop_held = True
        self._stages.append(Stage(starts, watchers))

    @property
    def is_over(self) -> bool:
        """Whether every stage has been gone through."""
        return not self._stages

    @property
    def is_restarting(self) -> bool:
        """Whether there is somebody to stop, and then to start."""
        return len({stage.starts for stage in self._stages}) > 1

    def join(self, watchers: Iterable[Watcher], warmup_delay: float) -> None:
        """Has more watchers start with it, each before the held ones of a lower priority."""
        self._warmup_delay = warmup_delay
        chosen = set(watchers)
        begun = []
        for stage in self._stages:
            if not stage.starts:
                begun.append(stage)
                continue
            chosen.update(stage.held)
        if self._stages and self._stages[0].starts:
            first = self._stages[0]  # some of it have been asked, and are waited for
            first.unsettled = {w: None for w in first.unsettled if w not in chosen}
            first.held = []
            begun.append(first)
        self._stages = begun
        for _, group in groupby(sorted(chosen, key=_start_order), key=_priority):
            self._add_stage(True, list(group))
        for watcher in chosen:
            self._touch(watcher)

    def saw(self, watcher: Watcher) -> None:
        """Notes that a watcher has moved."""
        if self._stages and watcher in self._stages[0].unsettled:
            if _has_settled(watcher, self._stages[0].starts):
                del self._stages[0].unsettled[watcher]

    def advance(self, now: float) -> float | None:
        """Releases whoever may go now.

        Returns:
            The instant at which the next one may, None if that hangs on a watcher.
        """
        while self._stages:
            stage = self._stages[0]
            while stage.held:
                if stage.starts and now < self._next_at:
                    if not _has_settled(stage.held[-1], True):
                        return self._next_at
                self._release(stage.held.pop(), stage, now)
            if stage.unsettled:
                return None
            self._stages.pop(0)
            if self._stages:
                # Those that were let go may have settled long ago.
                for watcher in self._stages[0].unsettled:
                    self._touch(watcher)
        return None

    def _release(self, watcher: Watcher, stage: Stage, now: float) -> None:
        if not stage.starts:
            watcher.stop_held = False
        else:
            watcher.start_held = False
            if not _has_settled(watcher, True):
                self._next_at = now + self._warmup_delay
        self._touch(watcher)

    def let_go(self, watcher: Watcher) -> None:
        """Holds a watcher back no longer, because it got an order of its own.

        The others still wait until it has settled.
        """
        watcher.stop_held = watcher.start_held = False
        for stage in self._stages:
            if watcher in stage.held:
                stage.held.remove(watcher)

    def forget(self, watcher: Watcher) -> None:
        """Goes on without a watcher, because it is removed."""
        self.let_go(watcher)
        for stage in self._stages:
            stage.unsettled.pop(watcher, None)

    def release_all(self) -> None:
        """Lets everybody go at once."""
        for stage in self._stages:
            for watcher in stage.held:
                watcher.stop_held = watcher.start_held = False
                self._touch(watcher)
        self._stages.clear()


def stop_order(watcher: Watcher) -> tuple[bool, int, str]:
    """Helpers last; among the others, who starts last is asked to stop first."""
    return watcher.helper, int(watcher.options["priority"]), watcher.name


def _is_helper(watcher: Watcher) -> bool:
    return watcher.helper


def _priority(watcher: Watcher) -> int:
    return -int(watcher.options["priority"])


def _start_order(watcher: Watcher) -> tuple[int, str]:
    return _priority(watcher), watcher.name


def _has_settled(watcher: Watcher, starts: bool) -> bool:
    """Whether nobody has to wait for it any more."""
    if watcher.unkillable():
        return True
    if not starts:
        has_other_order = watcher.goal_up and not watcher.start_held
        return watcher.state is WatcherState.STOPPED or has_other_order
    if watcher.state is WatcherState.STOPPED:
        return not watcher.goal_up or watcher.listens
    return watcher.state is WatcherState.ACTIVE and not watcher.must_cycle
