"""Signals to a program whose main thread an arbiter holds."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Union

from cvec_circus.embedding.reach import Reach
from cvec_circus.system.signals import to_name

Choice = Union[str, bool]
"""What an arbiter takes: "auto", True or False; see `Arbiter`."""

AUTO = "auto"

TAKEN = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)
"""SIGINT comes first: until it is taken, Python's handler raises in the middle of anything."""

_UNHANDLED = (signal.SIG_DFL, signal.default_int_handler)


class TakenSignals:
    """Handles signals for as long as it is entered. Owned by the main thread.

    What was there before is put back at the end, but for a signal that the program has given
    another handler meanwhile.
    """

    def __init__(self, choice: Choice, reach: Reach, stop: Callable[[str, str], object]) -> None:
        """Prepare.

        Args:
            choice: Which signals to take.
            reach: The way to the supervisor.
            stop: Called in a signal handler, in the middle of anything that the main thread does,
                with a cause and an actor; begins the end.

        Raises:
            ValueError: There is no such choice.
        """
        if choice not in (AUTO, True, False):
            raise ValueError(f'signals: {choice!r} is not "auto", True or False')
        self._choice = choice
        self._reach = reach
        self._stop = stop
        self._before: list[tuple[signal.Signals, object]] = []

    def __enter__(self) -> None:
        for signum in TAKEN if self._choice else ():
            before = signal.getsignal(signum)
            # None is a handler that a library in C has installed, which Python cannot put back.
            if before in _UNHANDLED or (self._choice is True and before is not None):
                self._before.append((signum, before))
                signal.signal(signum, self._hear)

    def __exit__(self, *exception: object) -> None:
        for signum, before in reversed(self._before):
            if signal.getsignal(signum) == self._hear:
                signal.signal(signum, before)  # type: ignore[arg-type]
        self._before.clear()

    def _hear(self, signum: int, frame: FrameType | None) -> None:
        actor = f"signal:{to_name(signum)}"
        if signum == signal.SIGHUP:
            self._reach.post(lambda supervisor: self._reach.order_as(actor, "reload"))
        else:
            self._stop(actor, actor)

    def require_main_thread(self) -> None:
        """Refuse to take all signals where none arrives; raises RuntimeError."""
        if self._choice is True:
            text = "signals=True: only an arbiter that blocks the main thread can take them"
            raise RuntimeError(text)
