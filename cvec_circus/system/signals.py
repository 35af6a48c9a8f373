"""Signals by name and by number."""

from __future__ import annotations

import functools
import re
import signal
from collections.abc import Callable

from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.base.patterns import regex

INSISTENCE = 1.0
"""Seconds after the first SIGINT from which on another one means: end at once."""

LAST = int(signal.SIGRTMAX)
"""The highest signal number there is, 64 on Linux."""

REALTIME = regex(r"(RTMIN|RTMAX)([+-]\d+)?")


ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
"""The first one ends one of our programs in order. Of further ones only a SIGINT that insists ends
it at once: the daemon and a service manager may both send SIGTERM, and a closed terminal sends
SIGHUP twice."""


class Interrupts:
    """Distinguishes a person who insists from a program that repeats itself.

    Init scripts and service managers repeat SIGTERM, and send it to every process they find. Only a
    person sends SIGINT, and again after a while. Owned by the thread that handles the signals.
    """

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._first_at: float | None = None

    def insists(self, signum: int) -> bool:
        """Note a signal that asks for an end; return whether it demands one at once.

        That is a SIGINT more than `INSISTENCE` seconds after the first one.
        """
        if signum != signal.SIGINT:
            return False
        now = self._clock.monotonic()
        if self._first_at is None:
            self._first_at = now
        return now - self._first_at > INSISTENCE


def handle_ending(handler: Callable[[int, object], object]) -> None:
    """Install a handler of the signals that end a program. The main thread."""
    for signum in ENDING:
        if signum == signal.SIGTERM or signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, handler)  # what nohup ignores stays ignored


def to_signum(signum: object) -> int:
    """Convert a signal as people write it to its number, from 1 to SIGRTMAX. Any thread.

    Args:
        signum: 9, "9", "KILL", "SIGKILL" or "sigkill"; real-time signals as "SIGRTMIN+1" too.

    Raises:
        ValueError: It is not a signal.
    """
    if isinstance(signum, int) and not isinstance(signum, bool):
        number = int(signum)
    elif isinstance(signum, str):
        number = _from_text(signum.strip())
    else:
        raise ValueError(f"{signum!r} is not a signal: a name or a number is expected")
    if not 1 <= number <= LAST:
        raise ValueError(f"{signum} is not a signal: their numbers go from 1 to {LAST}")
    return number


@functools.lru_cache(maxsize=128)
def to_name(signum: int) -> str:
    """Return the name of a signal: 15 is "TERM", 35 "RTMIN+1"; a number without one as it is.

    Safe from any thread. Cached, because every death looks up a name.
    """
    try:
        return signal.Signals(signum).name[len("SIG") :]
    except ValueError:
        pass  # only the first and the last of the real-time signals are in the table
    if signal.SIGRTMIN < signum < signal.SIGRTMAX:
        return f"RTMIN+{signum - signal.SIGRTMIN}"
    return str(signum)


def _from_text(text: str) -> int:
    if re.fullmatch(r"[+-]?[0-9]{1,9}", text):
        return int(text)
    name = re.sub("^SIG", "", text.upper())
    realtime = REALTIME.fullmatch(name)
    if realtime:
        return int(signal.Signals["SIG" + realtime[1]]) + int(realtime[2] or 0)
    try:
        return int(signal.Signals["SIG" + name])
    except KeyError:
        raise ValueError(f"{text!r} is not a signal") from None
