"""`die.py FILE`: ends within a second with a code at random, which it first writes to the file.

A line there is `<pid> <code>`; a negative code is the signal that it sends itself.
"""

import os
import random
import select
import signal
import sys

chance = random.Random(os.getpid())
select.select([], [], [], chance.random())
code = chance.choice([0, 1, 7, 255, -signal.SIGKILL, -signal.SIGTERM])
truth = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
os.write(truth, b"%d %d\n" % (os.getpid(), code))
if code < 0:
    os.kill(os.getpid(), -code)
os._exit(code)
