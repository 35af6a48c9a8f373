"""`levels.py WORD...`: a generation for each word, each the parent of the next, all in one group.

A word says what TERM does to its generation: `exit` or `ignore`. Prints `level <pid>` for each,
then `ready <pid>` for the first, and waits.
"""

import os
import signal
import sys

top = os.getpid()
words = sys.argv[1:]
for number, word in enumerate(words, 1):
    action = signal.SIG_IGN if word == "ignore" else lambda signum, frame: os._exit(0)
    signal.signal(signal.SIGTERM, action)
    print("level", os.getpid(), flush=True)
    if number < len(words) and os.fork():
        break
else:
    print("ready", top, flush=True)
while True:
    signal.pause()
