"""The desk of cgroups: one for each watcher, whether it is empty, what was killed for memory."""

from __future__ import annotations

import contextlib
import os
import re
import select
from collections.abc import Sequence
from functools import partial
from typing import Any

from cvec_circus import logger
from cvec_circus.base.figures import counted
from cvec_circus.base.loop import Loop
from cvec_circus.base.patterns import regex
from cvec_circus.base.readers import Readers
from cvec_circus.core.facts import Facts, Vacated
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.cgroup import LIMITS, limit_files
from cvec_circus.supervisor.announcer import named
from cvec_circus.supervisor.chores import Chore
from cvec_circus.supervisor.ending.cgroups import Cgroups
from cvec_circus.system import cgroup, files, proctable
from cvec_circus.system.cgroup import Tree

CLAIM_TIMEOUT = 5.0
"""Seconds after the kernel has killed for memory in which the death of a leader may be that one."""

SHOWN = 5
"""So many processes are named in a line."""

_UNUSUAL = regex(r"[^\w.@:+-]", re.ASCII)
_LONGEST = 100


class _Cgroup:
    """The cgroup of one watcher. Owned by the supervisor thread."""

    def __init__(self, name: str, folder: str, fd: int) -> None:
        self.name, self.folder = name, folder
        self.fd = fd  # its cgroup.events
        self.memory_fd = -1  # its memory.events, if it has that
        self.kills = 0  # of those for memory, how many have been seen
        self.unclaimed: list[float] = []  # when those were seen that no death was put down to
        self.limits: dict[str, str] = {}  # what the kernel was told
        self.is_leaving = False


class WatcherCgroups(Cgroups):
    """A cgroup for each watcher. Owned by the supervisor thread, but for `watcher_of`.

    The kernel says at each change whether one holds processes: epoll reports it, and nothing is
    polled.

    Args:
        tree: The daemon's.
        limits: Does what may take a while.
    """

    def __init__(
        self, loop: Loop, facts: Facts, readers: Readers, limits: Chore, tree: Tree
    ) -> None:
        super().__init__("")
        self._loop, self._facts, self._readers = loop, facts, readers
        self._limits, self._tree = limits, tree
        self._kept: dict[Watcher, _Cgroup] = {}
        self._names: dict[str, str] = {}  # of watchers, by the names of their cgroups
        self._inside = f"/{os.path.basename(tree.folder)}/"
        self._reasons: dict[str, str] = {}  # why there is no such controller, "" if there is
        self._reasons["memory"] = tree.enable("memory")

    @property
    def lack(self) -> str:
        """What cannot be seen, and why, to follow a sentence."""
        why = self._reasons["memory"]
        return f"; what the kernel kills for memory is not told apart: {why}" if why else ""

    # -- one for each watcher

    def prepare(self, watcher: Watcher) -> str | None:
        """See `Cgroups.prepare`; the limits are set before it holds anything."""
        kept = self._kept.get(watcher)
        if kept is not None and not os.path.isdir(kept.folder):
            self._let_go(watcher, kept)  # another program has removed it
            kept = None
        if kept is None:
            kept = self._make(watcher)
        for name, text in self._wanted(watcher, kept):
            cgroup.write(kept.folder, name, text)
            kept.limits[name] = text
        return kept.folder

    def adopt(self, watcher: Watcher, pid: int) -> None:
        """See `Cgroups.adopt`. What it holds moves to the cgroup of this daemon."""
        try:
            before = cgroup.own_folder(pid)
            folder = self.prepare(watcher)
            above = os.path.basename(os.path.dirname(before))
            if folder is None or before == folder:
                return
            is_ours = above.startswith(cgroup.PREFIX)
            for one in _held(before) if is_ours else [pid]:
                with contextlib.suppress(ProcessLookupError):  # it has ended
                    cgroup.write(folder, "cgroup.procs", str(one))
        except OSError as error:
            text = "%s: process %d stays in the cgroup that it has: %s"
            logger.warning(text, watcher.name, pid, error.strerror)

    def adopted(self) -> None:
        """See `Cgroups.adopted`."""
        for folder in cgroup.clean(self._tree.above):
            _tell_left(folder)

    def _make(self, watcher: Watcher) -> _Cgroup:
        folder = self._folder(watcher)
        name = os.path.basename(folder)
        os.makedirs(folder, exist_ok=True)
        kept = _Cgroup(name, folder, self._open(folder, "cgroup.events"))
        self._kept[watcher] = kept
        self._names[name] = watcher.name
        try:
            self._readers.add(kept.fd, partial(self._changed, watcher, kept), select.EPOLLPRI)
            if not self._reasons["memory"]:
                kept.memory_fd = self._open(folder, "memory.events")
                see = partial(self._see_kills, watcher, kept)
                self._readers.add(kept.memory_fd, see, select.EPOLLPRI)
        except BaseException:
            self._let_go(watcher, kept)
            raise
        return kept

    @staticmethod
    def _open(folder: str, name: str) -> int:
        return files.moved_up(os.open(os.path.join(folder, name), os.O_RDONLY | os.O_CLOEXEC))

    def _wanted(self, watcher: Watcher, kept: _Cgroup) -> list[tuple[str, str]]:
        """Return the files whose texts are not what the options say, with what these say."""
        changed = []
        for option, (name, text) in limit_files(watcher.options).items():
            is_given = watcher.options[option] is not None
            if kept.limits.get(name, text if not is_given else "") == text:
                continue
            controller = LIMITS[option]
            if controller not in self._reasons:
                self._reasons[controller] = self._tree.enable(controller)
            if self._reasons[controller]:
                self._has_none(watcher, option, self._reasons[controller])
                continue
            changed.append((name, text))
        return changed

    def limit(self, watcher: Watcher) -> None:
        """See `Cgroups.limit`. Lowering one may take a while, so another thread does it."""
        kept = self._kept.get(watcher)
        if kept is None and watcher.places.slots:
            kept = self._found(watcher)
        if kept is not None:
            for name, text in self._wanted(watcher, kept):
                kept.limits[name] = text
                self._limits.do_soon(self._set, watcher.name, kept.folder, name, text)

    def hand_over(self) -> Any:
        """See `Cgroups.hand_over`."""
        return self._tree.hand_over()

    def take_over(self, state: Any) -> None:
        """See `Cgroups.take_over`."""
        if state is not None:
            self._tree.take_over(state)

    def _found(self, watcher: Watcher) -> _Cgroup | None:
        """Go on with the cgroup of a watcher that the program before an upgrade has made."""
        if not os.path.isdir(self._folder(watcher)):
            return None
        try:
            return self._make(watcher)
        except OSError as error:
            logger.warning("%s: cannot keep using its cgroup: %s", watcher.name, error.strerror)
            return None

    def _folder(self, watcher: Watcher) -> str:
        own = _UNUSUAL.sub("_", watcher.name)[:_LONGEST]
        name = f"{own}-{watcher.place}"  # the place makes it unlike all others
        return os.path.join(self._tree.folder, name)

    @staticmethod
    def _set(watcher: str, folder: str, name: str, text: str) -> None:
        """On the thread of the limits."""
        try:
            cgroup.write(folder, name, text)
        except FileNotFoundError:
            pass  # it ends anyway
        except OSError as error:
            logger.warning("%s: cannot write %s to %s: %s", watcher, text, name, error.strerror)

    def watcher_of(self, pid: int) -> str | None:
        """See `Cgroups.watcher_of`."""
        try:
            with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
                path = cgroup.own_path(file.read()) or ""
        except OSError:
            return None
        _, found, inside = path.partition(self._inside)
        return self._names.get(inside.partition("/")[0]) if found else None

    # -- whether one is empty

    def is_empty(self, watcher: Watcher) -> bool | None:
        """See `Cgroups.is_empty`."""
        kept = self._kept.get(watcher)
        return True if kept is None else not _numbers(kept.fd).get("populated", 0)

    def _changed(self, watcher: Watcher, kept: _Cgroup) -> None:
        if not _numbers(kept.fd).get("populated", 0):
            if kept.is_leaving:
                self._let_go(watcher, kept)
            else:
                self._facts.append(Vacated(watcher))

    def pids(self, watcher: Watcher) -> list[int]:
        """See `Cgroups.pids`."""
        kept = self._kept.get(watcher)
        return [] if kept is None else _held(kept.folder)

    def kill(self, watcher: Watcher, pids: Sequence[int]) -> bool:
        """See `Cgroups.kill`."""
        kept = self._kept.get(watcher)
        if kept is None or not cgroup.kill(kept.folder):
            return False
        if pids:
            logger.warning("%s: killing everything in its cgroup: %s", watcher.name, _named(pids))
        return True

    # -- what the kernel kills for memory

    def claim(self, watcher: Watcher) -> bool:
        """See `Cgroups.claim`."""
        kept = self._kept.get(watcher)
        if kept is None:
            return False
        self._see_kills(watcher, kept)
        if not kept.unclaimed:
            return False
        kept.unclaimed.pop(0)
        return True

    def _see_kills(self, watcher: Watcher, kept: _Cgroup) -> None:
        if kept.memory_fd < 0:
            return
        kills = _numbers(kept.memory_fd).get("oom_kill", 0)
        more, kept.kills = max(0, kills - kept.kills), max(kills, kept.kills)
        if more:
            now = self._loop.clock.monotonic()
            kept.unclaimed += [now] * more
            self._loop.call_later(CLAIM_TIMEOUT, self._give_up, watcher, kept, now)

    def _give_up(self, watcher: Watcher, kept: _Cgroup, seen_at: float) -> None:
        """Say what was killed that is not a leader: no death of a process tells of it."""
        others = [at for at in kept.unclaimed if at <= seen_at]
        if others:
            del kept.unclaimed[: len(others)]
            many = counted(len(others), "process")
            text = "%s: for lack of memory, the kernel has killed %s that a process had started"
            logger.warning(text, watcher.name, many)

    # -- the end

    def forget(self, watcher: Watcher) -> None:
        """See `Cgroups.forget`."""
        super().forget(watcher)
        kept = self._kept.get(watcher)
        if kept is not None:
            kept.is_leaving = True
            if self.is_empty(watcher):
                self._let_go(watcher, kept)

    def _let_go(self, watcher: Watcher, kept: _Cgroup) -> None:
        for fd in (kept.fd, kept.memory_fd):
            if fd >= 0:
                self._readers.remove(fd)
                os.close(fd)
        self._names.pop(kept.name, None)
        if self._kept.get(watcher) is kept:
            del self._kept[watcher]
        with contextlib.suppress(OSError):  # the end of the tree tries once more, and says so
            cgroup.remove(kept.folder)

    def close(self) -> None:
        """See `Cgroups.close`."""
        held = {kept.folder: watcher.name for watcher, kept in self._kept.items()}
        for watcher, kept in list(self._kept.items()):
            self._let_go(watcher, kept)
        for folder in self._tree.close():
            _tell_left(folder, held.get(folder, ""))


def _held(above: str) -> list[int]:
    """List the processes in a cgroup, and below."""
    found = []
    for folder, _, _ in os.walk(above):
        try:
            found += cgroup.pids(folder)
        except OSError:
            pass  # gone meanwhile, or one with threads alone
    return found


def _numbers(fd: int) -> dict[str, int]:
    """Read a file of names and numbers from its beginning; {} when its cgroup is gone."""
    try:
        return cgroup.counts(os.pread(fd, 4096, 0).decode())
    except OSError:
        return {}


def _named(pids: Sequence[int]) -> str:
    rows = [(pid, proctable.row(pid)) for pid in pids[:SHOWN]]
    words = [named(pid, row.command.decode("utf-8", "replace")) for pid, row in rows if row]
    more = f" and {len(pids) - SHOWN} more" if len(pids) > SHOWN else ""
    return (", ".join(words) or counted(len(pids), "process")) + more


def _tell_left(folder: str, watcher: str = "") -> None:
    """Name a cgroup that cannot be removed, and what is in it."""
    try:
        pids = cgroup.pids(folder)
    except OSError:
        pids = []
    whose = f"{watcher}: " if watcher else ""
    logger.warning("%sthe cgroup %s stays: it holds %s", whose, folder, _named(pids))


def choose(
    wanted: str,
    loop: Loop,
    facts: Facts,
    readers: Readers,
    limits: Chore,
    run: str,
    moves: bool,
    adopts: bool,
) -> Cgroups:
    """Make the desk that the daemon's option asks for, or say why it cannot be had.

    Args:
        wanted: The option `cgroup` of the daemon, which is not off.
        run: The id of the daemon's life.
        moves: Whether this process may be moved: never in a program that embeds us.
        adopts: Whether what an earlier daemon has left is taken over; `adopted` follows then.
    """
    try:
        tree = Tree(cgroup.base(wanted), run, moves)
    except OSError as error:
        logger.warning("cgroup = %s: there are none: %s", wanted, error.strerror)
        return Cgroups(f"there are no cgroups: {error.strerror}")
    for folder in () if adopts else tree.left:
        _tell_left(folder)
    made = WatcherCgroups(loop, facts, readers, limits, tree)
    logger.info("each watcher has a cgroup below %s%s", tree.folder, made.lack)
    return made
