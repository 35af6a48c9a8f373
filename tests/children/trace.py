"""Traces a process until its standard input ends: `trace.py PID`. Prints `ready` once it does.

While it traces, and does not wait for it, nobody else can collect that process.
"""

import ctypes
import os
import sys

PTRACE_SEIZE = 0x4206

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
pid = int(sys.argv[1])
if libc.ptrace(PTRACE_SEIZE, pid, None, None) != 0:
    print("refused:", os.strerror(ctypes.get_errno()), flush=True)
else:
    print("ready", os.getpid(), flush=True)
    sys.stdin.read()
