"""Taking over listening sockets from the processes that have them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator, Mapping
from typing import Any

from cvec_circus import exc, logger
from cvec_circus.base.clock import SYSTEM, poll_milliseconds
from cvec_circus.config.socket_diff import why_retuned
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.references import references
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.supervisor.departures import Departures
from cvec_circus.supervisor.survival.heritage import Confirmed, Heritage
from cvec_circus.system import files, pidfd, proctable

KILL_TIMEOUT = 5.0
"""Seconds that SIGKILL may take."""

YAMA = "/proc/sys/kernel/yama/ptrace_scope"

Holders = dict[int, list[tuple[Watcher, Confirmed, int]]]
"""Who has a socket, and under which number, by the inode of the socket."""


Notes = dict[int, tuple[str, list[Any]]]
"""The name of each socket that is noted, and what is, by its inode."""


def take_sockets(departures: Departures, heritage: Heritage) -> None:
    """Take over what processes of an earlier daemon have; the other sockets stay unbound.

    A socket that cannot be had is bound anew. Its address is free only when the processes that have
    it are gone, so they are stopped first. What only processes have stays open until they are gone.
    """
    managed = [one for one in departures.sockets if one.fileno() < 0]
    noted = _noted(heritage)
    holders = _holders(heritage, set(noted))
    taken: dict[int, CircusSocket] = {}
    for one, (inode, note) in _matches(managed, noted):
        holding = holders.get(inode, [])
        reason = _take(one, note, holding) if holding else ""
        if reason:
            _make_room(one, holding, reason)
        else:
            taken[inode] = one
        if reason or not holding:
            one.clear_path(note)
    for inode, (name, note) in noted.items():
        if inode not in taken and inode in holders:
            leaving = CircusSocket(name, **note[0])
            if not _take(leaving, note, holders[inode]):
                taken[inode] = leaving
                departures.leave(leaving, _holding(heritage, holders[inode]))
    _note_others(departures, heritage, managed, taken)


def _noted(heritage: Heritage) -> Notes:
    """Return all sockets that are noted, those that processes are to get first."""
    noted: Notes = {note[1]: (name, note) for name, note in heritage.sockets.items()}
    for left in heritage.watchers:
        for had in left.had.values():
            for name, note, _ in had.values():
                if note is not None:
                    noted.setdefault(note[1], (name, note))
    return noted


def _matches(
    sockets: list[CircusSocket], noted: Notes
) -> Iterator[tuple[CircusSocket, tuple[int, list[Any]]]]:
    """Pair sockets with the noted ones at their addresses, first with those of their names."""
    left, free = list(sockets), dict(noted)
    for is_own in (True, False):
        for one in list(left):
            for inode, (name, note) in free.items():
                is_same = one.name.lower() == name.lower() or not is_own
                if is_same and one.is_the_one_of(note):
                    left.remove(one)
                    del free[inode]
                    yield one, (inode, note)
                    break


def _holding(
    heritage: Heritage, holding: list[tuple[Watcher, Confirmed, int]]
) -> list[ManagedProcess]:
    pids = {confirmed.pid for _, confirmed, _ in holding}
    return [process for _, process, _ in _processes(heritage) if process.pid in pids]


def _processes(
    heritage: Heritage,
) -> Iterator[tuple[Watcher, ManagedProcess, Mapping[str, list[Any]]]]:
    """Yield the processes that are there, and what is noted of their sockets."""
    for left in heritage.watchers:
        for wid in left.confirmed:
            yield left.watcher, left.watcher.places.slots[wid], left.had.get(wid, {})


def _note_others(
    departures: Departures,
    heritage: Heritage,
    managed: list[CircusSocket],
    taken: Mapping[int, CircusSocket],
) -> None:
    """Note which processes have another socket than new ones get, or one with other settings."""
    now = {name.lower(): note for name, note in heritage.sockets.items()}
    for watcher, process, had in _processes(heritage):
        names = references(watcher.options)
        for one in managed:
            key = one.name.lower()
            if key not in names or not (key in had or key in now):
                continue
            name, note, why = had.get(key) or (one.name, now[key], "")
            has = (None if note is None else taken.get(note[1])) or CircusSocket(name)
            if has is one and note is not None:
                why = why or why_retuned(one.name, note[0], one.options())
            if has is not one or why:
                departures.has(process, key, has, why)


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
