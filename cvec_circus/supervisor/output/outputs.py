"""Where the output of processes goes: the desk between the core and the pumps."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.base.figures import counted
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.stream import CHANNELS, history_size, is_captured
from cvec_circus.stream.base import FINISHED, PASSED, Context, Source, Unfinished
from cvec_circus.stream.output import Pipe
from cvec_circus.stream.pumps import Pumps
from cvec_circus.stream.search import Search, Sought

if TYPE_CHECKING:
    from cvec_circus.base.loop import Loop
    from cvec_circus.stream.passing import Outlet, Outlets
    from cvec_circus.supervisor.chores import Chore
    from cvec_circus.supervisor.output.all_outputs import AllOutputs
    from cvec_circus.supervisor.output.histories import Histories
    from cvec_circus.system.handover import Handover, Inherited

WRITE_PATIENCE = 5.0
"""Seconds for which the threads that write output may get nowhere at the end: the journal of a busy
file system is often written for that long."""

WRITE_TIMEOUT = 20.0
"""Seconds that the end waits for them in all. A pipe holds 64 KiB, so that the output of a hundred
processes needs 0.3 MB/s; and with the default graceful_timeout the whole end stays within the 90 s
that systemd allows."""

FLUSH_TIMEOUT = 1.0
"""Seconds at the end for what is still to be passed on."""


class OutputDesk:
    """The streams of watchers, and the pipes of their processes. Owned by the supervisor thread.

    It gives orders to the pumps and waits for none of them. No method touches a file.

    Args:
        loop: The supervisor's loop.
        chore: For what takes long, such as compressing.
        default_size: How many bytes are kept of each output of a watcher that does not say; None
            for `HISTORY_SIZE` of what has a stream, and nothing else.
        captures_all: Whether output without a stream is captured anyway, to be passed on with the
            name of its watcher. That of helpers is not: it goes to the daemon's log.
    """

    def __init__(
        self,
        loop: Loop,
        chore: Chore,
        default_size: int | None = None,
        captures_all: bool = False,
    ) -> None:
        self._loop = loop
        self._chore = chore
        self._default_size = default_size
        self._captures_all = captures_all
        self._context = Context(loop.clock, do=self._do)
        self.pumps = Pumps(self._context, self._later)
        self._watchers: set[Watcher] = set()  # those that are open
        self._open: set[tuple[Watcher, str]] = set()
        self._passed: set[tuple[Watcher, str]] = set()
        self._outlets: Outlets | None = None
        self._all: AllOutputs | None = None
        self._captured: dict[ManagedProcess, tuple[int, list[str]]] = {}
        self._histories: Histories | None = None

    @property
    def histories(self) -> Histories:
        """What was written last; most daemons keep nothing."""
        if self._histories is None:
            from cvec_circus.supervisor.output.histories import Histories

            self._histories = Histories(self._loop, self.size, self.is_read)
        return self._histories

    @property
    def all(self) -> AllOutputs:
        """The same of many watchers, in one order."""
        if self._all is None:
            from cvec_circus.supervisor.output.all_outputs import AllOutputs

            self._all = AllOutputs(self._loop, self.histories)
        return self._all

    def last_output(self, watcher: Watcher, pid: int, count: int) -> list[str] | None:
        """See `Histories.last_output`."""
        if self._histories is None:
            return None
        return self._histories.last_output(watcher, pid, count)

    def size(self, watcher: Watcher, channel: str) -> int:
        """Return how many bytes are kept of an output."""
        return history_size(watcher.options, channel, *self._of_all(watcher))

    def is_captured(self, watcher: Watcher, channel: str) -> bool:
        """Tell whether the processes that start now get a pipe for an output."""
        return is_captured(watcher.options, channel, *self._of_all(watcher))

    def _of_all(self, watcher: Watcher) -> tuple[int | None, bool]:
        """Return what the daemon's options say of the outputs of a watcher."""
        return (None, False) if watcher.kind.is_helper else (self._default_size, self._captures_all)

    def reads(self, process: ManagedProcess) -> bool:
        """Tell whether any output of a process comes by a pipe."""
        return process in self._captured

    def is_read(self, watcher: Watcher, channel: str) -> bool:
        """Tell whether an output is read of all processes that run, for a stream or to be kept."""
        captured = [self._captured.get(one, (0, ()))[1] for one in watcher.places.leaders()]
        is_captured = bool(captured) and all(channel in one for one in captured)
        return is_captured or bool(watcher.options[f"{channel}_stream"])

    def unread(self, watcher: Watcher, channels: Collection[str]) -> str:
        """Say which processes write where nothing is read of it, because they are older than the
        option that has it kept; "" if there is none."""
        pids = [
            str(process.pid)
            for process in watcher.places.leaders()
            if any(
                self.size(watcher, channel)
                and channel not in self._captured.get(process, (0, ()))[1]
                for channel in channels
            )
        ]
        if not pids:
            return ""
        name = shlex.quote(watcher.name)
        which = f"process {pids[0]}" if len(pids) == 1 else counted(len(pids), "process")
        return (
            f"{watcher.name}: {which} started before the output was kept; it is kept from the next "
            f"start on: `cvec_circusctl restart {name}`"
        )

    def troubles(self, watcher: Watcher) -> dict[str, str]:
        """Return why outputs of a watcher are lost now, by channel."""
        open_now = (channel for channel in CHANNELS if (watcher, channel) in self._open)
        found = {channel: self.pumps.trouble((watcher, channel)) for channel in open_now}
        return {channel: text for channel, text in found.items() if text}

    def set_default_size(self, size: int | None) -> None:
        """Keep another number of bytes for watchers that do not say how many."""
        self._default_size = size
        for watcher in list(self._watchers):
            self.open(watcher)

    def open(self, watcher: Watcher) -> None:
        """Make a watcher's streams ready, and take over changed options of theirs.

        What is captured already goes where the options say. Without a stream it is passed on to
        where the daemon's own output goes; but if it went to a stream until now, and is not kept,
        nowhere. What is not captured is from the next start of a process on.
        """
        self._watchers.add(watcher)
        for channel in CHANNELS:
            key = watcher, channel
            size = self.size(watcher, channel)
            kept = size or self._histories is not None
            history = self.histories.keep(watcher, channel, size) if kept else None
            conf = watcher.options[f"{channel}_stream"]
            if conf:
                self._passed.discard(key)
                conf = self._labelled(conf)
            elif key in self._passed or self.is_captured(watcher, channel):
                self._passed.add(key)
                conf = {PASSED: self._outlet(channel)}
            if conf:
                self._open.add(key)
                self.pumps.open(key, conf, _source(watcher, channel), history)
            else:
                self._close(key)

    def _labelled(self, conf: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the options of a stream, for a StdoutStream where lines bear the names of watchers
        those that pass them on."""
        if conf.get("class") != "StdoutStream" or not _prints():
            return conf
        outlet = self._outlet("stdout")
        return {PASSED: outlet} if outlet.label is not None else conf

    def _outlet(self, channel: str) -> Outlet:
        if self._outlets is None:
            from cvec_circus.stream.passing import Outlets

            self._outlets = Outlets(self._context, self._captures_all)
        return self._outlets.to(channel)

    def close(self, watcher: Watcher) -> None:
        """Drain and close a watcher's streams. What is written after that is discarded."""
        self._watchers.discard(watcher)
        for channel in CHANNELS:
            self._close((watcher, channel))

    def _close(self, key: tuple[Watcher, str]) -> None:
        self._passed.discard(key)
        if key in self._open:
            self._open.discard(key)
            self.pumps.close(key)

    def reopen(self, watchers: Iterable[Watcher] | None) -> None:
        """Open the files of watchers, or of all, anew: they may have been moved away."""
        if watchers is None:
            self.pumps.reopen()
            return
        for watcher in watchers:
            for channel in CHANNELS:
                if (watcher, channel) in self._open:
                    self.pumps.reopen((watcher, channel))

    def add(
        self,
        watcher: Watcher,
        process: ManagedProcess,
        channel: str,
        fd: int,
        pid: int,
        sought: Sought | None = None,
        is_adopted: bool = False,
        line: Unfinished = FINISHED,
    ) -> None:
        """Read the pipe of a process that was just started, or adopted; the desk closes the read
        end `fd`.

        Texts that are `sought` are looked for in it. Before an upgrade a `line` was begun.
        """
        known, channels = self._captured.get(process, (pid, []))
        self._captured[process] = pid, [*(channels if known == pid else ()), channel]
        if (watcher, channel) not in self._open:
            self.open(watcher)  # it is closed no longer (close_child_stdout)
        source = _source(watcher, channel)
        several = watcher.options.numprocesses > 1
        source = source._replace(wid=process.wid, has_others=several, is_adopted=is_adopted)
        search = None if sought is None else Search(sought)
        self.pumps.add((watcher, channel), fd, pid, source, search, line)

    def release(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Discard soon what is left in the pipes of a process that is gone, or is not waited for
        any longer: only strays can hold them open now."""
        pid, channels = self._captured.pop(process, (0, []))
        for channel in channels:
            self.pumps.release((watcher, channel), pid)

    def catch_up(self, watcher: Watcher, pids: Iterable[int], then: Callable[[], object]) -> None:
        """Call `then` when all has been read that processes which have ended have written.

        That never comes while a pump hangs. Streams that are being closed are read, too: the last
        process of a watcher that stops with it has ended in the same turn.
        """
        left = set(CHANNELS)

        def has_read(channel: str) -> None:
            left.discard(channel)
            if not left:
                then()

        for channel in list(left):
            done = partial(self._loop.post, has_read, channel)
            self.pumps.catch_up((watcher, channel), pids, done)

    def forget(self, watcher: Watcher) -> None:
        """Let go of what the processes of a removed watcher have written."""
        if self._histories is not None:
            self._histories.forget(watcher)

    def end(self) -> None:
        """Drain and close everything. Does not wait."""
        self.pumps.stop()

    def join(self) -> list[str]:
        """Wait for the end of the pumps after `end`, and answer the last followers of outputs.

        Returns:
            What hangs, as "THREAD (STREAMS; not written: NUMBER bytes of OUTPUT)".
        """
        hanging = [] if self.pumps.join(WRITE_PATIENCE, WRITE_TIMEOUT) else self.pumps.hanging
        if self._histories is not None:
            self._histories.end()
        if self._all is not None:
            self._all.end()
        if self._outlets is not None and (rest := self._outlets.end(FLUSH_TIMEOUT)):
            logger.warning("output of watchers was not passed on in time: %s", rest)
        return hanging

    # -- an upgrade

    def surrender(self, timeout: float) -> list[Pipe] | None:
        """End the pumps after what they write just now, and return all pipes, unread.

        For an owner who knows that none of them hangs: see `Pumps.reach`. `go_on` undoes it.

        Returns:
            None if one of them hangs all the same. Its pipes are read again when it goes on.
        """
        pumps, pipes = self.pumps, list[Pipe]()
        is_late = False

        def take(some: list[Pipe]) -> None:
            if is_late:
                self._loop.post(self.go_on, some)
            else:
                pipes.extend(some)

        is_needed = pumps.surrender(take)
        self.pumps = Pumps(self._context, self._later)
        if is_needed and not pumps.join(timeout, timeout):
            is_late = True
            self.go_on(pipes)
            return None
        if self._outlets is not None:
            self._outlets.end(FLUSH_TIMEOUT)
            self._outlets = None
        return pipes

    def go_on(self, pipes: Iterable[Pipe]) -> None:
        """Open all streams again, and read pipes that were surrendered."""
        for watcher in list(self._watchers):
            self.open(watcher)
        for pipe in pipes:
            if pipe.key in self._open and pipe.part_at is None:
                self.pumps.add(pipe.key, pipe.fd, pipe.pid, pipe.source, pipe.search, pipe.line)
            else:
                self.pumps.discard(pipe)

    def discard(self, name: str, channel: str, fd: int, pid: int) -> None:
        """Read a pipe of a watcher to its end that only strays have, and drop what comes."""
        self.pumps.discard(Pipe((name, channel), fd, pid, Source(name, channel)))

    def hand_over(self, out: Handover, number: Mapping[Watcher, int]) -> dict[str, Any]:
        """Hand what was written last to the program that is to be executed.

        Args:
            out: Takes it.
            number: The numbers of the watchers; what is of no other one is left out.
        """
        if self._histories is None:
            return {}
        return {**self._histories.hand_over(out, number), "places": self.all.run}

    def take_over(
        self, inherited: Inherited, state: Mapping[str, Any], watchers: Mapping[int, Watcher]
    ) -> None:
        """Go on with what was written last, before anything is open."""
        if state:
            self.histories.take_over(inherited, state, watchers)
            self.all.run = state["places"]

    def dismiss(self) -> None:
        """Answer all followers with what there is: they ask again."""
        if self._histories is not None:
            self._histories.dismiss()
        if self._all is not None:
            self._all.dismiss()

    def _do(self, fn: Callable[..., object], *args: object) -> None:
        """On a pump thread."""
        self._loop.post(self._chore.do_soon, fn, *args)

    def _later(self, delay: float, fn: Callable[[], object]) -> None:
        """On any thread."""
        self._loop.post(partial(self._loop.call_later, delay, fn))


def _source(watcher: Watcher, channel: str) -> Source:
    return Source(watcher.name, channel, watcher.options["env"].get("PYTHONPATH", ""))


def _prints() -> bool:
    """Tell whether what this program prints goes to its standard output, and not elsewhere."""
    try:
        return sys.stdout.fileno() == 1
    except (AttributeError, OSError, ValueError):  # there is none, it has no number, it is closed
        return False
