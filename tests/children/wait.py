"""Prints `ready <pid>`, then one line for each signal it gets, and waits.

`wait.py exit TERM 3`: ends with status 3 on TERM. `wait.py ignore TERM`: goes on after it.
`wait.py fork`: has a child of its own, told by the line `child <pid>` before it is ready.
"""

import os
import signal
import sys

ARGS = sys.argv[1:]
SIGNALS = ("HUP", "INT", "QUIT", "USR1", "USR2", "TERM")


def take(name, default=None):
    """Take an argument off the list."""
    return ARGS.pop(0) if ARGS else default


ends, ignored, forks = {"TERM": 0}, set(), 0
while ARGS:
    word = take("word")
    if word == "exit":
        signal_name = take("signal")
        ends[signal_name] = int(take("status"))
    elif word == "ignore":
        ignored.add(take("signal"))
    elif word == "fork":
        forks += 1

numbers = {name: getattr(signal, "SIG" + name) for name in SIGNALS}
signal.pthread_sigmask(signal.SIG_BLOCK, numbers.values())
for _ in range(forks):
    child = os.fork()
    if not child:
        break
    print("child", child, flush=True)
else:
    print("ready", os.getpid(), flush=True)

names = {number: name for name, number in numbers.items()}
while True:
    name = names[signal.sigwait(numbers.values())]
    print("signal", name, flush=True)
    if name in ends and name not in ignored:
        os._exit(ends[name])
