"""Prints `ready <pid>` from a second thread once the main thread is gone, and waits for TERM.

The process then looks like a zombie, and is none.
"""

import ctypes
import os
import platform
import signal
import threading

EXIT = {"x86_64": 60, "aarch64": 93}.get(platform.machine())  # the call that ends one thread

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])


def state():
    """Read the state letter of this process."""
    with open(f"/proc/{os.getpid()}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def wait():
    """Wait for the main thread's end, then for TERM."""
    while EXIT is not None and state() != "Z":
        os.sched_yield()
    print("ready", os.getpid(), flush=True)
    signal.sigwait([signal.SIGTERM])
    os._exit(0)


thread = threading.Thread(target=wait)
thread.start()
if EXIT is None:
    thread.join()
ctypes.CDLL(None).syscall(EXIT, 0)
