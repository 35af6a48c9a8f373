"""Running a program to its end, on a thread that may wait for it."""

from __future__ import annotations

import os
import select
import signal
from contextlib import ExitStack

from cvec_circus.base.named import NamedTuple
from cvec_circus.base.wakeup import Wakeup
from cvec_circus.system import collecting, exits
from cvec_circus.system.launch import REPORT_SIZE, LaunchSpec, explain, launch

BLOCK = 65536
TAIL = 8192
"""How many of the last bytes of standard error are kept."""

LONGEST_OUTPUT = 1 << 20
"""How many of the first bytes of standard output are kept."""


class Ended(NamedTuple):
    """How a program ended. Immutable."""

    exit_code: int  # negative for the signal that killed it
    errors: list[str]  # the last lines of its standard error
    output: bytes  # its standard output, if wanted
    killed: bool  # whether it was cancelled


def run(spec: LaunchSpec, cancel: Wakeup, wants_output: bool = False) -> Ended:
    """Run a program in a session of its own, and wait for its end on the calling thread.

    Processes that it leaves behind live on; they are not waited for even if they hold the pipes.

    Args:
        spec: The program. Its standard error is read, whatever the spec says.
        cancel: When another thread sets this, the program and its process group are killed.
        wants_output: Whether its standard output is read too.

    Raises:
        OSError: It could not be started, or there are no files left to watch it with.
        ValueError: Something in the spec, such as a null byte, cannot be passed to a program.
    """
    with ExitStack() as ours, ExitStack() as theirs:

        def pipe() -> tuple[int, int]:
            read_fd, write_fd = os.pipe()
            ours.callback(os.close, read_fd)
            theirs.callback(os.close, write_fd)
            os.set_blocking(read_fd, False)
            return read_fd, write_fd

        errors, stderr = pipe()
        output, stdout = pipe() if wants_output else (-1, spec.stdout)
        watcher = exits.choose()
        ours.callback(watcher.close)
        launched = launch(spec._replace(stderr=stderr, stdout=stdout))
        theirs.close()
        if launched.report_fd is not None:
            ours.callback(os.close, launched.report_fd)
        ended = _attend(launched.pid, watcher, errors, output, cancel)
        if launched.report_fd is not None:
            failed, _ = explain(spec, os.read(launched.report_fd, REPORT_SIZE))
            if failed is not None:
                raise failed
        return ended


def _attend(
    pid: int, watcher: exits.ExitWatcher, errors: int, output: int, cancel: Wakeup
) -> Ended:
    """Wait for the end of a child, which nothing else knows of, and collect it in any case."""
    texts = {fd: bytearray() for fd in (errors, output) if fd >= 0}
    killed = False
    try:
        watcher.add(pid)
        poll = select.poll()
        for fd in (watcher.fileno(), cancel.fd, *texts):
            poll.register(fd, select.POLLIN)
        while pid not in watcher.ready():
            for fd, _ in poll.poll():
                if fd == cancel.fd:
                    killed = True
                    poll.unregister(fd)
                    # Its leader is not collected, so its number belongs to no other group.
                    os.killpg(pid, signal.SIGKILL)
                elif fd in texts and not _read(fd, texts[fd], fd == errors):
                    poll.unregister(fd)
    except BaseException:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    for fd, text in texts.items():
        _drain(fd, text, fd == errors)
    ended = collecting.collect(pid)
    lines = texts[errors].decode("utf-8", "replace").splitlines()
    kept = [line.strip() for line in lines if line.strip()]
    return Ended(ended.exit_code, kept, bytes(texts.get(output, b"")), killed)


def _read(fd: int, text: bytearray, is_tail: bool) -> bool:
    """Read what is in a pipe, keeping its tail or its head; return whether there may be more."""
    try:
        block = os.read(fd, BLOCK)
    except BlockingIOError:
        return True
    if is_tail:
        text += block
        del text[:-TAIL]
    else:
        text += block[: LONGEST_OUTPUT - len(text)]
    return bool(block)


def _drain(fd: int, text: bytearray, is_tail: bool) -> None:
    """Read what was written before the end, with a bound: others may still write to the pipe."""
    for _ in range(LONGEST_OUTPUT // BLOCK):
        before = len(text)
        if not _read(fd, text, is_tail) or len(text) == before:
            return
