"""Going to the background, with start-up errors still shown in the terminal.

The process that was started stays until the daemon is up. Until then the daemon's stderr is a pipe,
which this process copies to its own stderr; its exit code says whether the daemon came up.
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
"""What the daemon writes when it is up: no text contains it."""

SILENCE = b"the daemon ended during its start without a message\n"


def daemonize() -> None:
    """Go to the background: return in a grandchild with a session of its own.

    The calling process ends with exit code 0. Standard files become /dev/null; the working
    directory, the umask and other open files stay as they are. For the main thread, before there
    are other threads or zmq contexts.

    Raises:
        CircusError: There are other threads, which a fork would not copy.
        OSError: The system has no process for it.
    """
    detach()
    release()


def detach(title: str = "") -> None:
    """As `daemonize`, but the calling process stays until `release` or the daemon's end.

    It then exits with 0 or 1. Until then it copies the daemon's stderr to its own.

    Args:
        title: The beginning of the line about a daemon that ends without a message.

    Raises:
        CircusError: See `daemonize`.
        OSError: See `daemonize`.
    """
    if threading.active_count() > 1:
        raise exc.CircusError("cannot go to the background: this process has other threads")
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()  # or each of the processes would write what is buffered
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
    """Report that the daemon is up; its stderr becomes /dev/null."""
    with contextlib.suppress(OSError):  # the process that waited is gone
        os.write(2, UP)
    with _null() as null:
        os.dup2(null, 2)


def close_inherited() -> None:
    """Close every file but the standard ones: locks or pipes of the daemon's parent.

    For the time before the daemon has opened any of its own.
    """
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):  # the file of the listing itself
                os.close(int(name))


def _leave() -> None:
    """Go on in a child that cannot get a terminal again, because it leads no session."""
    os.setsid()
    try:
        child = os.fork()
    except OSError as error:
        os.write(2, f"cannot go to the background: {error.strerror}\n".encode())
        os._exit(exc.EXIT_PROBLEM)
    if child:
        os._exit(exc.EXIT_OK)


def _wait(fd: int, title: bytes) -> NoReturn:
    """Copy the daemon's stderr until it is up or ends; exit accordingly. In the calling process."""
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
    with contextlib.suppress(OSError):  # a daemon also comes up where stderr is closed
        while text:
            text = text[os.write(2, text) :]


@contextlib.contextmanager
def _null() -> Iterator[int]:
    fd = os.open(os.devnull, os.O_RDWR)
    try:
        yield fd
    finally:
        os.close(fd)
