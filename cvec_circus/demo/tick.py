"""A worker of the demonstration: a line a second, until SIGTERM or SIGINT."""

from __future__ import annotations

import os
import signal
import sys

STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}


def main(delay: float = 1.0) -> int:
    """Print a line every `delay` seconds; the wait between two lines is a wait for the signal."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    count = 0
    asked = None
    while asked is None:
        count += 1
        print(f"tick {count} of pid {os.getpid()}", flush=True)
        asked = signal.sigtimedwait(STOP_SIGNALS, delay)
    print(f"{signal.Signals(asked.si_signo).name} after {count} ticks", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
