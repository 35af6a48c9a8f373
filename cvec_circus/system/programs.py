"""Running a program to its end, on a thread that may wait for it."""

from __future__ import annotations

import os
import select
import signal
from typing import NamedTuple

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
    pipes: dict[str, int] = {}
    theirs: dict[str, int] = {}
    report: dict[str, int] = {}
    try:
        for name in ("stderr", "stdout") if wants_output else ("stderr",):
            pipes[name], theirs[name] = os.pipe()
            os.set_blocking(pipes[name], False)
        with_pipes = spec._replace(
            stderr=theirs["stderr"], stdout=theirs.get("stdout", spec.stdout)
        )
        watcher = exits.choose()
        try:
            launched = launch(with_pipes)
            _close(theirs)
            if launched.report_fd is not None:
                report["report"] = launched.report_fd
            ended = _attend(launched.pid, watcher, pipes, cancel)
        finally:
            watcher.close()
        for fd in report.values():
            failed, _ = explain(spec, os.read(fd, REPORT_SIZE))
            if failed is not None:
                raise failed
        return ended
    finally:
        _close(report)
        _close(theirs)
        _close(pipes)


def _attend(pid: int, watcher: exits.ExitWatcher, pipes: dict[str, int], cancel: Wakeup) -> Ended:
    """Wait for the end of a child, which nothing else knows of, and collect it in any case."""
    texts = {name: bytearray() for name in pipes}
    killed = False
    try:
        watcher.add(pid)
        poll = select.poll()
        for fd in (watcher.fileno(), cancel.fd, *pipes.values()):
            poll.register(fd, select.POLLIN)
        names = {fd: name for name, fd in pipes.items()}
        while pid not in watcher.ready():
            for fd, _ in poll.poll():
                if fd == cancel.fd:
                    killed = True
                    poll.unregister(fd)
                    # Its leader is not collected, so its number belongs to no other group.
                    os.killpg(pid, signal.SIGKILL)
                elif fd in names and not _read(fd, names[fd], texts):
                    poll.unregister(fd)
    except BaseException:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    for name, fd in pipes.items():
        _drain(fd, name, texts)
    ended = collecting.collect(pid)
    errors = bytes(texts["stderr"]).decode("utf-8", "replace")
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return Ended(ended.exit_code, lines, bytes(texts.get("stdout", b"")), killed)


def _read(fd: int, name: str, texts: dict[str, bytearray]) -> bool:
    """Read what is in a pipe; return whether there may be more."""
    try:
        block = os.read(fd, BLOCK)
    except BlockingIOError:
        return True
    text = texts[name]
    if name == "stderr":
        text += block
        del text[:-TAIL]
    else:
        text += block[: LONGEST_OUTPUT - len(text)]
    return bool(block)


def _drain(fd: int, name: str, texts: dict[str, bytearray]) -> None:
    """Read what was written before the end, with a bound: others may still write to the pipe."""
    for _ in range(LONGEST_OUTPUT // BLOCK):
        before = len(texts[name])
        if not _read(fd, name, texts) or len(texts[name]) == before:
            return


def _close(fds: dict[str, int]) -> None:
    while fds:
        os.close(fds.popitem()[1])
