"""The test suite: python -m unittest.

Signals do what they do, wherever it is run: a shell that starts it in the background has SIGINT
ignored, and nohup SIGHUP. Whatever a test starts would inherit that, and not be ended by them.
"""

import signal
import sys

DEFAULTS = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGQUIT: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}

if "unittest" in sys.modules:  # and not in a process of a test, which imports its plugins from here
    for signum, disposition in DEFAULTS.items():
        if signal.getsignal(signum) == signal.SIG_IGN:
            signal.signal(signum, disposition)
