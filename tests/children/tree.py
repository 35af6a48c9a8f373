"""`tree.py N`: N generations below it, each with one child. Prints `ready <pid>`, and waits."""

import os
import signal
import sys

top = os.getpid()
for _ in range(int(sys.argv[1])):
    if os.fork():
        break
else:
    print("ready", top, flush=True)
signal.pause()
