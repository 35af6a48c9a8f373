"""Who waits for which watchers: every waiting reply, until it is answered."""

from __future__ import annotations

from collections.abc import Callable

from cvec_circus.base.agenda import Agenda
from cvec_circus.core.waiting import Part, Waiting, not_up
from cvec_circus.core.watcher import Watcher


class Replies:
    """Every reply that waits. Owned by the supervisor thread.

    Args:
        touch: Called with a watcher that is to be looked at in the next turn.
    """

    def __init__(self, touch: Callable[[Watcher], None]) -> None:
        self._touch = touch
        self._parts: dict[Watcher, dict[Part, None]] = {}
        self._agenda: Agenda[Waiting] = Agenda()

    def begin(self, waiting: Waiting, now: float) -> None:
        """Keep a reply until its parts are done; one without parts is answered at once."""
        if not waiting.open:
            waiting.answer(None)
            return
        self._agenda.set(waiting, now + waiting.timeout)
        waiting.wait.on_gone(self._forget, waiting)
        for part in waiting.open:
            self._parts.setdefault(part.watcher, {})[part] = None
            self._touch(part.watcher)

    def _forget(self, waiting: Waiting) -> None:
        """Let go of a reply whose client is gone."""
        waiting.closed = True
        self._agenda.set(waiting, None)
        for part in waiting.open:
            parts = self._parts.get(part.watcher)
            if parts is not None:
                parts.pop(part, None)
                if not parts:
                    del self._parts[part.watcher]
        waiting.open.clear()

    def next_at(self) -> float | None:
        """Return the instant at which the next one runs out of time, None for never."""
        return self._agenda.next_at()

    def time_out(self, now: float) -> None:
        """Answer those who have run out of time."""
        for waiting in self._agenda.pop_due(now):
            waiting.time_out(now)

    def settle(self, watcher: Watcher) -> None:
        """Answer those who wait for what this watcher has come to."""
        parts = self._parts.pop(watcher, None)
        if parts is None:
            return
        for part in parts:
            part.waiting.look(part)
            if part.waiting.closed:
                self._agenda.set(part.waiting, None)
        still = {part: None for part in parts if part in part.waiting.open}
        still.update(self._parts.get(watcher, {}))  # an answer may have led to an order
        if still:
            self._parts[watcher] = still

    def abandon(self, watcher: Watcher) -> None:
        """Answer those who wait for a watcher that is let go of."""
        for part in self._parts.pop(watcher, {}):
            part.waiting.close(part, not_up(part))
            if part.waiting.closed:
                self._agenda.set(part.waiting, None)

    def refuse_all(self, reason: str) -> None:
        """Answer all who still wait, because nothing more will happen."""
        for parts in list(self._parts.values()):
            for part in parts:
                part.waiting.answer(reason)
        self._parts.clear()
