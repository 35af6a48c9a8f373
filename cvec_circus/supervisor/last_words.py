"""What processes wrote before they ended, kept with the record of their deaths.

A pump may not have read the last of it when the death of a process is seen, so it is asked to read
it first. Of each watcher, the last deaths are looked at, all those of a turn at once.
"""

from __future__ import annotations

from collections import deque
from functools import partial

from cvec_circus.base.loop import Loop
from cvec_circus.core.facts import Facts, Written
from cvec_circus.core.places import DEATHS
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.stream import CHANNELS
from cvec_circus.supervisor.outputs import OutputDesk
from cvec_circus.supervisor.turn import Backlog

PATIENCE = 1.0
"""Seconds after a death in which the rest of the output has to be read: a pump may hang."""

SHARE = 0.003
"""Seconds of a turn that this may take: thousands may end at once."""

LINES = 5
LONGEST_LINE = 300
"""What is kept of the output of one process: so many lines, of so many characters each."""


class LastWords:
    """Keeps what processes have written last. Owned by the supervisor thread."""

    def __init__(self, loop: Loop, facts: Facts, outputs: OutputDesk) -> None:
        self._loop, self._facts, self._outputs = loop, facts, outputs
        self._due: dict[Watcher, deque[int]] = {}
        self._backlog = Backlog(loop.clock.monotonic, loop.post, SHARE)

    def keeps(self, watcher: Watcher) -> bool:
        """Tell whether anything is kept of what the processes of a watcher write."""
        return any(self._outputs.size(watcher, channel) for channel in CHANNELS)

    def expect(self, watcher: Watcher, pid: int) -> bool:
        """Report `Written` soon for a process that has just ended; return whether anything of its
        output is kept."""
        if not self.keeps(watcher):
            return False
        if watcher not in self._due:
            self._due[watcher] = deque(maxlen=DEATHS)
            self._loop.post(self._ask, watcher)
        self._due[watcher].append(pid)
        return True

    def _ask(self, watcher: Watcher) -> None:
        """Have the rest of the output read."""
        pids = self._due.pop(watcher)
        gather = partial(self._backlog.add, [partial(self._gather, watcher, pids)])
        timer = self._loop.call_later(PATIENCE, gather)

        def has_read() -> None:
            timer.cancel()
            gather()

        self._outputs.catch_up(watcher, tuple(pids), has_read)

    def _gather(self, watcher: Watcher, pids: deque[int]) -> None:
        while pids:  # they are reported once
            pid = pids.popleft()
            self._facts.append(Written(watcher, pid, self.of(watcher, pid)))

    def of(self, watcher: Watcher, pid: int) -> tuple[str, ...]:
        """Return the last lines of a process, as far as they have been read."""
        if not self.keeps(watcher):
            return ()
        lines = self._outputs.histories.last_output(watcher, pid, LINES)
        return tuple(line[:LONGEST_LINE] for line in lines or ())

    def known(self, watcher: Watcher, pid: int) -> tuple[str, ...] | None:
        """Return the last lines of a process that runs or has ended; None if it has ended, and
        `Written` has not come yet."""
        for death in reversed(watcher.places.deaths):
            if death.pid == pid:
                return None if death.is_awaited else death.output or ()
        return self.of(watcher, pid)
