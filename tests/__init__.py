"""The test suite: python -m unittest.

Signals do what they do, wherever it is run: a shell that starts it in the background has SIGINT
ignored, and nohup SIGHUP. Whatever a test starts would inherit that, and not be ended by them.

Bytecode is written once, even under PYTHONDONTWRITEBYTECODE: the suite starts hundreds of programs,
and each of them would compile all that it imports.
"""

import compileall
import signal
import sys
from pathlib import Path

DEFAULTS = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGQUIT: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}

if "unittest" in sys.modules:  # and not in a process of a test, which imports its plugins from here
    for signum, disposition in DEFAULTS.items():
        if signal.getsignal(signum) == signal.SIG_IGN:
            signal.signal(signum, disposition)
    compileall.compile_dir(Path(__file__).resolve().parent.parent / "cvec_circus", quiet=2)
