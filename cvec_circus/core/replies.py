"""Those who wait for what they have ordered: whom to look at, and when their time is up."""

from __future__ import annotations

from collections.abc import Collection

from cvec_circus.core.agenda import Agenda
from cvec_circus.core.ports import Ports
from cvec_circus.core.waiting import Part, Reached, Waiting
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.outcome import Wait


class Replies:
    """The half of a roster that keeps replies waiting. Owned by the supervisor thread."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._parts: dict[Watcher, list[Part]] = {}
        self._agenda: Agenda[Watcher | Waiting | str] = Agenda()

    def touch(self, watcher: Watcher) -> None:
        """Has the watcher looked at in the next turn."""
        raise NotImplementedError

    def _await(
        self,
        order: str,
        reached: Reached,
        watchers: list[Watcher],
        wait: Wait | None,
        replaced: Collection[Watcher] = (),
    ) -> Waiting | None:
        """Keeps a reply waiting for those watchers; all processes of the `replaced` have to go."""
        if wait is None:
            return None
        waiting = Waiting(order, reached, wait)
        parts = [
            waiting.add(watcher, watcher.spawned() if watcher in replaced else ())
            for watcher in watchers
        ]
        self._begin_waiting(waiting, parts)
        return waiting

    def _begin_waiting(self, waiting: Waiting, parts: list[Part]) -> None:
        if not parts:
            waiting.answer(None)
            return
        if waiting.wait.timeout is not None:
            self._agenda.set(waiting, self._ports.now() + waiting.wait.timeout)
        for part in parts:
            self._parts.setdefault(part.watcher, []).append(part)
            self.touch(part.watcher)

    def _settle(self, watcher: Watcher) -> None:
        """Answers those who wait for what this watcher has come to."""
        parts = self._parts.pop(watcher)
        for part in parts:
            part.waiting.look(part)
            if part.waiting.closed:
                self._agenda.set(part.waiting, None)
        still = [part for part in parts if part in part.waiting.open]
        still += self._parts.get(watcher, [])  # who was answered may have given an order
        if still:
            self._parts[watcher] = still

    def refuse_all(self, reason: str) -> None:
        """Answers everybody who still waits, because nothing more will happen."""
        for parts in list(self._parts.values()):
            for part in parts:
                part.waiting.answer(reason)
        self._parts.clear()
