"""Who waits for which watchers: every waiting reply, until it is answered."""

from __future__ import annotations

from collections.abc import Callable, Collection

from cvec_circus.core.agenda import Agenda
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.waiting import Part, Reached, Waiting, not_up
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.outcome import Wait


class Replies:
    """Every reply that waits. Owned by the supervisor thread.

    Args:
        now: The clock.
        touch: Has a watcher looked at in the next turn.
    """

    def __init__(self, now: Callable[[], float], touch: Callable[[Watcher], None]) -> None:
        self._now = now
        self._touch = touch
        self._parts: dict[Watcher, list[Part]] = {}
        self._agenda: Agenda[Waiting] = Agenda()

    def add(
        self,
        order: str,
        reached: Reached,
        watchers: list[Watcher],
        wait: Wait | None,
        replaced: Collection[Watcher] = (),
    ) -> Waiting | None:
        """Keeps a reply waiting for those watchers; all processes of the `replaced` have to go.

        To be called before the order is applied.
        """
        if wait is None:
            return None
        waiting = Waiting(order, reached, wait)
        parts = [
            waiting.add(watcher, watcher.spawned() if watcher in replaced else ())
            for watcher in watchers
        ]
        self._begin(waiting, parts)
        return waiting

    def add_processes(
        self,
        order: str,
        reached: Reached,
        watcher: Watcher,
        processes: list[ManagedProcess],
        wait: Wait | None,
    ) -> None:
        """Keeps a reply waiting for those processes of a watcher."""
        if wait is not None:
            waiting = Waiting(order, reached, wait)
            self._begin(waiting, [waiting.add(watcher, processes)])

    def _begin(self, waiting: Waiting, parts: list[Part]) -> None:
        if not parts:
            waiting.answer(None)
            return
        if waiting.wait.timeout is not None:
            self._agenda.set(waiting, self._now() + waiting.wait.timeout)
        for part in parts:
            self._parts.setdefault(part.watcher, []).append(part)
            self._touch(part.watcher)

    def next_at(self) -> float | None:
        """The instant at which the next one runs out of time, None if none does."""
        return self._agenda.next_at()

    def time_out(self, now: float) -> None:
        """Answers those who have run out of time."""
        for waiting in self._agenda.pop_due(now):
            waiting.time_out(now)

    def settle(self, watcher: Watcher) -> None:
        """Answers those who wait for what this watcher has come to."""
        if watcher not in self._parts:
            return
        parts = self._parts.pop(watcher)
        for part in parts:
            part.waiting.look(part)
            if part.waiting.closed:
                self._agenda.set(part.waiting, None)
        still = [part for part in parts if part in part.waiting.open]
        still += self._parts.get(watcher, [])  # who was answered may have given an order
        if still:
            self._parts[watcher] = still

    def abandon(self, watcher: Watcher, done: Waiting | None) -> None:
        """Answers those who wait for a watcher that is let go of; `done` is what was wanted."""
        for part in self._parts.pop(watcher, []):
            part.waiting.answer(None if part.waiting is done else not_up(part))
            self._agenda.set(part.waiting, None)

    def refuse_all(self, reason: str) -> None:
        """Answers everybody who still waits, because nothing more will happen."""
        for parts in list(self._parts.values()):
            for part in parts:
                part.waiting.answer(reason)
        self._parts.clear()
