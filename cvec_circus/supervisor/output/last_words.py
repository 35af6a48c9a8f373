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
from cvec_circus.supervisor.output.outputs import OutputDesk
from cvec_circus.supervisor.turn import Backlog

PATIENCE = 1.0
"""Seconds after a death in which the rest of the output has to be read: a pump may hang."""

SHARE = 0.003
"""Seconds of a turn that this may take: thousands may end at once."""

SAID = 3
"""Lines of output that an error shows of the process that it blames."""

_MARKS = " \t\r^~"
"""What a line below a line of source has, which points at a column of it."""

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
        """Let the rest of the output be read."""
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

    def said(self, watcher: Watcher, pid: int) -> str | None:
        """Return the last lines of a process that runs or has ended as one, for a sentence; None if
        it has ended, and `Written` has not come yet."""
        death = next((one for one in reversed(watcher.places.deaths) if one.pid == pid), None)
        if death is not None and death.is_awaited:
            return None
        lines = self.of(watcher, pid) if death is None else death.output or ()
        told = [line.strip() for line in lines if line.strip(_MARKS)]
        return " | ".join(told[-SAID:])
