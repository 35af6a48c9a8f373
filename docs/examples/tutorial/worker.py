"""The queue worker: does one job after the other, and ends between two of them."""

import os
import signal
import time
from pathlib import Path

JOBS = Path("jobs")


def take():
    """Make a job this process's own, by a new name: JOB.job becomes JOB.PID."""
    for job in sorted(JOBS.glob("*.job")):
        mine = job.with_suffix(f".{os.getpid()}")
        try:
            job.rename(mine)
        except FileNotFoundError:
            continue  # another worker was quicker
        return mine
    return None


def work(job):
    """What the work of this example is: to take a moment."""
    time.sleep(0.3)
    print(job.read_text(), "is done", flush=True)
    job.unlink()


JOBS.mkdir(exist_ok=True)
# SIGTERM waits until somebody asks for it: no job is ever interrupted by it.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
while not signal.sigtimedwait({signal.SIGTERM}, 0.05):
    job = take()
    if job is not None:
        work(job)
