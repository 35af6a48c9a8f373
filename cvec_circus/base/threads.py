"""Starting a thread without waiting for it."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable


def start(thread: threading.Thread, refused: Callable[[Exception], object]) -> None:
    """Start a thread and return at once. Safe from any thread.

    `Thread.start` waits until the new thread reports itself. A thread that dies of MemoryError
    before it does keeps its starter waiting for ever, so here a thread waits that has nothing else
    to do.

    Args:
        thread: One that has not been started.
        refused: Called on another thread when the system has no thread after all. It must not log:
            `threading` does not know the thread that it is called on.

    Raises:
        RuntimeError: The system has no thread.
    """
    _thread.start_new_thread(_start, (thread, refused))


def _start(thread: threading.Thread, refused: Callable[[Exception], object]) -> None:
    try:
        thread.start()
    except (RuntimeError, MemoryError) as error:
        refused(error)
