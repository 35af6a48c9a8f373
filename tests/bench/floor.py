"""The floor: a supervisor without configuration, control or policy. What is possible in Python.

Usage: floor.py PROGRAMS, a JSON file with [{"argv": [...], "count": 1, "log": null}, ...].
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from typing import Any

EPOLL = select.epoll()
RUNNING: dict[int, tuple[int, dict[str, Any]]] = {}  # by pidfd: the pid, and what it runs
PIPES: dict[int, int] = {}  # by the read end: the file


def spawn(program: dict[str, Any]) -> None:
    """Start a process and watch it."""
    ours, theirs = os.pipe() if program["log"] else (-1, None)
    process = subprocess.Popen(
        program["argv"], stdin=subprocess.DEVNULL, stdout=theirs, env={}, start_new_session=True
    )
    process.returncode = 0  # collected below, by its pid
    if theirs is not None:
        os.close(theirs)
        PIPES[ours] = os.open(program["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        EPOLL.register(ours, select.EPOLLIN)
    fd = os.pidfd_open(process.pid)
    EPOLL.register(fd, select.EPOLLIN)
    RUNNING[fd] = (process.pid, program)


def collect(fd: int) -> dict[str, Any]:
    """Take leave of a process."""
    EPOLL.unregister(fd)
    os.close(fd)
    pid, program = RUNNING.pop(fd)
    os.waitpid(pid, 0)
    return program


def turn(respawns: bool) -> None:
    """Handle what has happened."""
    for fd, _ in EPOLL.poll(-1 if respawns else 0.1, 1024):
        if fd in RUNNING:
            program = collect(fd)
            if respawns:
                spawn(program)
        elif fd in PIPES:
            block = os.read(fd, 65536)
            os.write(PIPES[fd], block)
            if not block:
                EPOLL.unregister(fd)
                os.close(fd)
                os.close(PIPES.pop(fd))


def main() -> None:
    """Supervise until SIGTERM."""
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda signum, frame: stopping.append(signum))
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    signal.set_wakeup_fd(write_fd)
    EPOLL.register(read_fd, select.EPOLLIN)
    with open(sys.argv[1], encoding="utf-8") as file:
        for program in json.load(file):
            for _ in range(program["count"]):
                spawn(program)
    while not stopping:
        turn(respawns=True)
    for fd, (_, _) in list(RUNNING.items()):
        signal.pidfd_send_signal(fd, signal.SIGTERM)
    while RUNNING:
        turn(respawns=False)


if __name__ == "__main__":
    main()
