"""Prints `<pid> <n>` for n = 0, 1, 2 ..., a hundred a second, each line at once."""

import itertools
import os
import select

for n in itertools.count():
    print(os.getpid(), n, flush=True)
    select.select([], [], [], 0.01)
