"""Signals that do what they do, wherever the tests are run."""

from __future__ import annotations

import signal
import unittest

DEFAULTS = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGQUIT: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}


def heed_signals(case: unittest.TestCase) -> None:
    """Undo what nohup, and a shell that starts something in the background, have had ignored.

    Processes that the test starts inherit it, and would not be ended by the signals they get.
    """
    for signum, disposition in DEFAULTS.items():
        if signal.getsignal(signum) == signal.SIG_IGN:
            signal.signal(signum, disposition)
            case.addCleanup(signal.signal, signum, signal.SIG_IGN)
