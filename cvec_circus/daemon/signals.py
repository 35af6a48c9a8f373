"""Signals to the daemon."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cvec_circus.base.loop import Loop

STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
RELOAD = signal.SIGHUP
MEANINGLESS = (signal.SIGUSR1, signal.SIGUSR2)
"""These mean something to many daemons, and would be the end of one that does not know them."""
HEARD = (*STOP, RELOAD, *MEANINGLESS)

KEPT = frozenset({signal.SIGPIPE, signal.SIGXFSZ})
"""Python ignores these for its own good, and a child gets the default back when it is spawned."""


def reset() -> None:
    """Gives every signal its default disposition, and blocks none.

    Called on the main thread before anything else. A daemon that was started with SIGCHLD ignored
    would never learn how a child ended, and what is ignored or blocked is inherited by children.
    SIGINT loses Python's handler, so that a Ctrl-C this early shows no traceback.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for signum in signal.valid_signals() - KEPT:
        if signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def hold() -> None:
    """Puts off every signal to the daemon until `install`.

    Called on the main thread before anything is made that has to be taken away again.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)


def install(
    loop: Loop,
    on_signal: Callable[[signal.Signals], None],
    on_child: Callable[[], None],
) -> None:
    """Handle signals on the loop. Called on the main thread, which is the loop's.

    Exits of our own children are seen by their pidfds. SIGCHLD tells of those that only became ours
    when their parent ended; however many there are at once, `on_child` is posted once.

    The handler only posts. What wakes the loop is the byte that Python writes when the signal
    arrives, before any Python code runs: waiting on an Event or a queue would lose wake-ups, or
    deadlock with the handler (measured: a hang after some thirty waits).
    """

    def handle(signum: int, frame: FrameType | None) -> None:
        loop.post(on_signal, signal.Signals(signum))

    is_posted = False

    def child(signum: int, frame: FrameType | None) -> None:
        nonlocal is_posted
        if not is_posted:
            is_posted = True
            loop.post(look)

    def look() -> None:
        nonlocal is_posted
        is_posted = False
        on_child()

    signal.set_wakeup_fd(loop.wakeup.write_fd, warn_on_full_buffer=False)
    for signum in HEARD:
        signal.signal(signum, handle)
    signal.signal(signal.SIGCHLD, child)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def uninstall() -> None:
    """Ends that; called before the loop's wake-up is closed."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for signum in HEARD:
        signal.signal(signum, signal.SIG_IGN)
