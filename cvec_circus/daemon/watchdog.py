"""The watchdog: a thread that says what every thread does when the supervisor thread hangs.

Nothing else could: a daemon whose owner waits for a lock answers no client and logs no line. The
messages to the service manager's watchdog come from the owner's own loop (`systemd.Unit`), so they
stop by themselves, and the service manager ends the daemon; by then the log has the stacks. What
holds the interpreter itself keeps this thread from running, too. (The module `faulthandler` would
show the stacks even then. But it has all signal handlers run on a small stack of its own, where a
dozen signals at once overflow it: a flood of signals ended the daemon.)
"""

from __future__ import annotations

import sys
import threading
import traceback

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.base.thread import Thread
from cvec_circus.base.wakeup import Wakeup

LOOK = 5.0
"""Seconds between two looks at a turn, twice as many while there is none: where nothing happens,
nothing else wakes the daemon."""

LOOKS = 2
"""How often the same turn is seen again, until it hangs. Looks are counted and not seconds: while
the whole daemon is stopped (SIGSTOP, a frozen container) nothing looks."""

JOIN_TIMEOUT = 1.0
"""Seconds that the end of the daemon waits for the thread."""

DEEPEST = 30
"""Calls of a stack that are shown, the last ones."""

MOST = 100
"""Threads that are shown: where there are no pidfds, each process has one."""


class Watchdog:
    """Watches a loop from a thread of its own. Owned by the main thread.

    Args:
        loop: The loop whose turns should end.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._ended = Wakeup()
        self._thread = Thread(self._watch, "watchdog")

    def start(self) -> None:
        """Begin to watch; without a thread for it, the log says so."""
        try:
            self._thread.start()
        except RuntimeError as error:
            logger.warning("no thread for the watchdog: %s", error)

    def stop(self) -> None:
        """End the thread, unless it waits for the disk that it reads lines of source from."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(JOIN_TIMEOUT)
        if not self._thread.is_alive():
            self._ended.close()

    # -- the thread

    def _watch(self) -> None:
        seen, times = 0, 0
        while not self._ended.wait(LOOK if seen % 2 else 2 * LOOK):
            beats = self._loop.beats
            if not (beats % 2 and beats == seen):
                if times >= LOOKS:
                    logger.warning("the supervisor thread runs again")
                seen, times = beats, 0
                continue
            times += 1
            if times == LOOKS:
                self._tell()

    def _tell(self) -> None:
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        names[self._loop.thread_id] = self._loop.name
        stacks = sys._current_frames()
        del stacks[threading.get_ident()]
        shown = [_shown(names.get(ident, "?"), stacks[ident]) for ident in list(stacks)[:MOST]]
        stacks.clear()
        logger.critical(
            "the supervisor thread has been stuck for %g s; what every thread is doing:\n%s",
            LOOK * LOOKS,
            "\n".join(shown),
        )


def _shown(name: str, frame: object) -> str:
    lines = traceback.format_stack(frame, limit=-DEEPEST)  # type: ignore[arg-type]
    return f"thread {name}:\n{''.join(lines).rstrip()}"
