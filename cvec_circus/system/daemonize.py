"""Leaving the terminal, without leaving whoever waits there in the dark.

The process that was started stays until the daemon is up. Until then it hands on to its stderr what
the daemon writes to its own, which is a pipe that long. So everything that keeps a daemon from
coming up is read where it was started, and the exit code tells the rest.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn

from cvec_circus import exc

UP = b"\0"
"""What the daemon writes when it is up: no text has it in it."""

SILENCE = b"the daemon has ended before it was up, and has not said why\n"


def daemonize() -> None:
    """Goes on in the background: returns in a grandchild with a session of its own.

    The process that calls it ends with exit code 0. Standard files become /dev/null; the working
    directory, the umask and other open files stay as they are.

    To be called on the main thread, before there are other threads and zmq contexts.

    Raises:
        CircusError: There are other threads, which a fork would not take along.
        OSError: The system has no process for it.
    """
    detach()
    release()


def detach(title: str = "") -> None:
    """As `daemonize`, but the process that calls it stays until `release`, or the daemon's end.

    Then it ends with 0, or with 1. Until then the daemon's stderr comes out at its.

    Args:
        title: What the line begins with that is said of a daemon that has said nothing.

    Raises:
        CircusError: See `daemonize`.
        OSError: See `daemonize`.
    """
    if threading.active_count() > 1:
        raise exc.CircusError("this process has threads, and cannot go to the background any more")
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()  # or each of the processes would write what is left in there
    read_fd, write_fd = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(read_fd)
        os.close(write_fd)
        raise
    if child:
        os.close(write_fd)
        os.waitpid(child, 0)
        _wait(read_fd, title.encode())
    os.close(read_fd)
    os.dup2(write_fd, 2)
    os.close(write_fd)
    _leave()
    with _null() as null:
        os.dup2(null, 0)
        os.dup2(null, 1)


def release() -> None:
    """Says that the daemon is up: whoever started it goes on, and its stderr is /dev/null."""
    with contextlib.suppress(OSError):  # nobody waits any more
        os.write(2, UP)
    with _null() as null:
        os.dup2(null, 2)


def close_inherited() -> None:
    """Closes every file but the standard ones: a lock or a pipe of whoever started the daemon.

    To be called before the daemon has opened any of its own.
    """
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):  # the one that the listing was made with
                os.close(int(name))


def _leave() -> None:
    """Goes on in a child that cannot get a terminal again, because it leads no session."""
    os.setsid()
    try:
        child = os.fork()
    except OSError as error:
        os.write(2, f"cannot go to the background: {error.strerror}\n".encode())
        os._exit(exc.EXIT_PROBLEM)
    if child:
        os._exit(exc.EXIT_OK)


def _wait(fd: int, title: bytes) -> NoReturn:
    """Hands on what comes, and ends with what it tells. The process that was started."""
    said = False
    while True:
        block = os.read(fd, 65536)
        text, up, _ = block.partition(UP)
        said = said or bool(text)
        if not block and not said:
            text = title + SILENCE
        _write(text)
        if up or not block:
            os._exit(exc.EXIT_OK if up else exc.EXIT_PROBLEM)


def _write(text: bytes) -> None:
    with contextlib.suppress(OSError):  # the daemon comes up without a reader, too
        while text:
            text = text[os.write(2, text) :]


@contextlib.contextmanager
def _null() -> Iterator[int]:
    fd = os.open(os.devnull, os.O_RDWR)
    try:
        yield fd
    finally:
        os.close(fd)
