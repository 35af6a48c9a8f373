"""Taking over listening sockets from the processes that have them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterable

from cvec_circus import exc, logger
from cvec_circus.base.clock import SYSTEM, poll_milliseconds
from cvec_circus.core.watcher import Watcher
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.supervisor.heritage import Confirmed, Heritage
from cvec_circus.system import files, pidfd, proctable

KILL_TIMEOUT = 5.0
"""Seconds that SIGKILL may take."""

YAMA = "/proc/sys/kernel/yama/ptrace_scope"

Holders = dict[int, list[tuple[Watcher, Confirmed, int]]]
"""Who has a socket, and under which number, by the inode of the socket."""


def take_sockets(sockets: Iterable[CircusSocket], heritage: Heritage) -> frozenset[str]:
    """Take over what processes of an earlier daemon have; the other sockets stay unbound.

    A socket that cannot be had is bound anew. Its address is free only when the processes that have
    it are gone, so they are stopped first.

    Returns:
        The names, in lower case, of the sockets that are to be bound anew though processes have
        another one.
    """
    notes = {name.lower(): note for name, note in heritage.sockets.items()}
    holders = _holders(heritage, {note[1] for note in notes.values()})
    renewed = []
    for managed in sockets:
        note = notes.get(managed.name.lower())
        if note is None or managed.fileno() >= 0:
            continue
        holding = holders.get(note[1], [])
        if not managed.is_the_one_of(note):
            if holding:
                renewed.append(managed.name.lower())
        elif not holding:
            managed.clear_path(note)
        else:
            reason = _take(managed, note, holding)
            if reason:
                renewed.append(managed.name.lower())
                _make_room(managed, holding, reason)
                managed.clear_path(note)
    return frozenset(renewed)


def _holders(heritage: Heritage, wanted: set[int]) -> Holders:
    """Find which processes have which sockets."""
    links = {f"socket:[{inode}]": inode for inode in wanted}
    found: Holders = {}
    for watcher, process in heritage.processes():
        folder = f"/proc/{process.pid}/fd"
        with contextlib.suppress(OSError):  # it has ended, or hides that from us
            for name in os.listdir(folder):
                with contextlib.suppress(OSError):
                    inode = links.get(os.readlink(f"{folder}/{name}"))
                    if inode is not None:
                        found.setdefault(inode, []).append((watcher, process, int(name)))
    return found


def _take(
    managed: CircusSocket, note: list[object], holding: list[tuple[Watcher, Confirmed, int]]
) -> str:
    """Take a socket from any of those that have it; return why not, "" if that was possible."""
    reason = ""
    for _, process, number in holding:
        try:
            fd = files.moved_up(pidfd.take_file(process.fd, number))
        except OSError as error:
            reason = f"{error.strerror}{_hint(error)}"
            continue
        try:
            managed.adopt(fd, note)
        except exc.SocketError as error:
            os.close(fd)
            return str(error)
        logger.info("%s taken over from process %d", managed, process.pid)
        return ""
    return f"socket {managed.name} cannot be taken over: {reason}"


def _hint(error: OSError) -> str:
    """Say what forbids it, if that is known."""
    with contextlib.suppress(OSError, ValueError), open(YAMA, encoding="ascii") as file:
        scope = int(file.read())
        if isinstance(error, PermissionError) and scope:
            return f" (kernel.yama.ptrace_scope is {scope})"
    return ""


def _make_room(
    managed: CircusSocket, holding: list[tuple[Watcher, Confirmed, int]], reason: str
) -> None:
    """Stop the processes that have a socket, each within its graceful_timeout."""
    left = {process.fd: (watcher, process) for watcher, process, _ in holding}
    for watcher, process in left.values():
        row = proctable.row(process.pid)
        command = "" if row is None else f" ({row.command.decode('utf-8', 'replace')})"
        said = "%s: %s; stopping process %d%s, which has it, to open it anew"
        logger.warning(said, watcher.name, reason, process.pid, command)
        _send(process.fd, int(watcher.options.stop_signal))
        _send(process.fd, signal.SIGCONT)
    longest = max(watcher.options.graceful_timeout for watcher, _ in left.values())
    for fd in _wait(set(left), longest):
        _send(fd, signal.SIGKILL)
    _wait(set(left), KILL_TIMEOUT)


def _send(fd: int, signum: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        signal.pidfd_send_signal(fd, signum)


def _wait(left: set[int], timeout: float) -> set[int]:
    """Wait for the end of processes; return those that have not ended."""
    poll = select.poll()
    for fd in left:
        poll.register(fd, select.POLLIN)
    ends_at = SYSTEM.monotonic() + timeout
    while left and SYSTEM.monotonic() < ends_at:
        for fd, _ in poll.poll(poll_milliseconds(ends_at - SYSTEM.monotonic())):
            poll.unregister(fd)
            left = left - {fd}
    return left
