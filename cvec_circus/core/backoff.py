"""How long a dead process stays down: the restart policy, for one slot.

A program that lived long enough to be useful is replaced at once. One that keeps dying right after
its start would otherwise be started hundreds of times a second: `/bin/false` without a policy was
respawned 429 times a second and took 57 % of a core.
"""

from __future__ import annotations

from cvec_circus.base.clock import exponential, jittered
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.wire.cause import NONE, Cause

FIRST_DELAY = 0.05
"""Seconds to wait after the second quick death in a row; each further one doubles it."""

FAILED_START_CEILING = 1.0
"""Seconds between two attempts to start a program that cannot be started, with backoff off."""

NEVER = -1.0
"""The lifetime of a process that never executed its program: less than any `min_uptime`."""


class Backoff:
    """The memory of one slot: how quickly its processes died. Owned by the supervisor thread."""

    step: int  # how far the wait has doubled
    deaths: int  # quick ones, in a row
    delay: float  # the wait after the last death, in seconds, without jitter
    ready_at: float  # the instant from which the slot may spawn again
    cause: Cause  # what ended its last process, for the event of the next spawn
    is_respawn: bool  # that process died by itself, so no order waits for the next one
    failed_starts: int  # how many in a row failed, before or after the spawn
    is_doubtful: bool  # the last one failed after it: the next spawn proves nothing yet

    __slots__ = tuple(__annotations__)

    def __init__(self) -> None:
        self.step = self.deaths = self.failed_starts = 0
        self.delay = self.ready_at = 0.0
        self.cause = NONE
        self.is_respawn = self.is_doubtful = False

    def died(self, lived: float, now: float, options: WatcherOptions, random: float) -> None:
        """Work out the wait after a process died by itself.

        Args:
            lived: How many seconds the process ran, or passed its live checks; 0 if it failed these
                from the beginning or was never ready, `NEVER` if it never executed its program.
            now: The instant of its death.
            options: The watcher's.
            random: In [0, 1), for the jitter; `respawn_delay` has none.
        """
        least = options.respawn_delay
        wait = 0.0
        if lived > 0 and lived >= options.min_uptime:
            self.deaths = 0
            self.step = 0 if lived >= options.backoff_reset else max(0, self.step - 1)
        else:
            self.deaths += 1
            if lived == NEVER:
                ceiling = options.backoff_max if options.backoff else 0.0
                wait = exponential(self.deaths, FIRST_DELAY, ceiling or FAILED_START_CEILING)
            elif options.backoff:
                wait = exponential(self.step, FIRST_DELAY, options.backoff_max)
                if wait < options.backoff_max:
                    self.step += 1
        self.delay = max(wait, least)
        self.ready_at = now + max(jittered(wait, random), least)
