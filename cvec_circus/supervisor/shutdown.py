"""The end of the daemon, in order and within a bound.

1. Every goal is down at once: no command that is running can delay it.
2. Commands that change something are refused; questions are still answered.
3. All watchers but the helpers are asked to stop at the same time. The helpers follow when those
   are down, or after `shutdown_timeout`, so that a plugin hears the last `stop` of each watcher.
4. The loop ends when all are down, or when the time is up: `shutdown_timeout`, or the longest
   graceful_timeout and 5 s if that is more, and 7 s more for helpers where there are any. What has
   more time than that, from a `kill` with a graceful_timeout of its own, is killed a second
   earlier. Each hook has 2 s, from now or from when it is asked; while one has time left the loop
   goes on, since the hook may ask the daemon something.
5. What remains is `Supervisor._end`: drain pumps, end threads, close sockets.

A further signal only logs how many seconds are left: init scripts repeat SIGTERM, and systemd sends
it as soon as its ExecStop, which may be a `quit`, has returned. A second SIGINT more than a second
after the first, which only a person types, kills what is left and gives hooks no more time.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.core.roster import HELPER_TIMEOUT, Roster
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.announcer import because
from cvec_circus.supervisor.campaign import SHUTDOWN_MARGIN, Campaign
from cvec_circus.supervisor.hooks import HookDesk
from cvec_circus.system.signals import Interrupts
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Quit
from cvec_circus.wire.outcome import Wait

HOOK_TIMEOUT = 2.0
"""Seconds that a hook may take now."""

INTERRUPT = "signal:INT"

QUIET = 1.0
"""Seconds for which no second line about the same signal says how much time is left."""

MARGIN = 2.0
"""Seconds beyond the helpers' time for SIGKILL to do its work, and for the loop to notice."""


class Shutdown:
    """The end of a supervisor. Owned by the supervisor thread.

    Attributes:
        announce: Called when it begins, with the cause and the seconds it takes at most.
    """

    announce: Callable[[str, float], object] | None = None

    def __init__(self, roster: Roster, loop: Loop, hooks: HookDesk, campaign: Campaign) -> None:
        self._roster, self._loop, self._hooks, self._campaign = roster, loop, hooks, campaign
        self._interrupts = Interrupts(loop.clock)
        self._is_down = self._over = self._kills = False
        self._ends_at = 0.0
        self._standing: list[Watcher] = []  # at the end, what may not be down yet
        self._told, self._told_at = "", 0.0  # the last signal that was logged, and when

    @property
    def begun(self) -> bool:
        """Whether the end has begun."""
        return self._roster.closing

    def begin(self, cause: Cause, wait: Wait | None = None) -> None:
        """Begin the end; if it has begun, only wait for it. For signals see above."""
        now = self._loop.clock.monotonic()
        insists = cause.text == INTERRUPT and self._interrupts.insists(signal.SIGINT)
        if self.begun:
            self._roster.give(Quit(cause), wait)
            if insists and not self._kills:
                self._kills = True
                logger.warning("interrupted again (%s): killing what is left", cause.text)
                self._roster.hurry()
                self._hooks.hurry(0.0)
            elif cause.text.startswith("signal:"):
                self._tell_time_left(cause.text, now)
            return
        logger.info("stopping%s", because(cause))
        bound = self._bound()
        self._hooks.hurry(HOOK_TIMEOUT)
        self._roster.give(Quit(cause), wait)
        self._loop.call_later(bound - MARGIN / 2, self._roster.hurry)
        self._loop.call_later(bound, self._give_up)
        self._ends_at = now + bound
        self._standing = self._roster.all_watchers()
        if self.announce is not None:
            self.announce(cause.text, bound)

    def _bound(self) -> float:
        """Return how many seconds the end takes at most."""
        watchers = self._roster.all_watchers()
        asked = [watcher for watcher in watchers if not watcher.kind.is_helper]
        longest = max((watcher.options.graceful_timeout for watcher in asked), default=0.0)
        bound = max(longest + SHUTDOWN_MARGIN, self._campaign.pace.shutdown_timeout or 0.0)
        return bound if len(asked) == len(watchers) else bound + HELPER_TIMEOUT + MARGIN

    def _tell_time_left(self, cause: str, now: float) -> None:
        """Log how long the end takes, unless the same signal has just been logged."""
        if cause != self._told or now - self._told_at >= QUIET:
            self._told, self._told_at = cause, now
            left = max(self._ends_at - now, 0.0)
            can_kill = cause == INTERRUPT and not self._kills
            hint = "; another SIGINT kills what is left" if can_kill else ""
            logger.info("already stopping (%s); done within %.0f s%s", cause, left, hint)

    def look(self) -> None:
        """End the loop when everything is down. Called at the end of every turn.

        Begin the end when an essential watcher has ended for good.
        """
        if self._roster.ended is not None and not self.begun:
            self._loop.post(self.begin, Cause("essential", why=self._roster.ended.why))
        if not self.begun or self._over:
            return
        while self._standing and self._standing[-1].is_gone:  # each is asked about once or twice
            self._standing.pop()
        if self._standing or not self._roster.is_down:
            return
        if not self._hooks.busy():
            self._stop()
        elif not self._is_down:
            self._is_down = True
            self._loop.call_later(HOOK_TIMEOUT, self._stop)

    def _give_up(self) -> None:
        if not self._roster.is_down:
            logger.error("not everything could be stopped in time")
        self._stop()

    def _stop(self) -> None:
        self._over = True
        self._loop.stop()
