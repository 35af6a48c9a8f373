"""Where the output of processes goes: the desk between the core and the pumps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.stream import CHANNELS, history_size, is_captured
from cvec_circus.stream.base import Context, Source
from cvec_circus.stream.pumps import Pumps
from cvec_circus.stream.search import Search, Sought

if TYPE_CHECKING:
    from cvec_circus.base.loop import Loop
    from cvec_circus.supervisor.chores import Chore
    from cvec_circus.supervisor.histories import Histories

WRITE_PATIENCE = 5.0
"""Seconds for which the threads that write output may get nowhere at the end: the journal of a busy
file system is often written for that long."""

WRITE_TIMEOUT = 20.0
"""Seconds that the end waits for them in all. A pipe holds 64 KiB, so that the output of a hundred
processes needs 0.3 MB/s; and with the default graceful_timeout the whole end stays within the 90 s
that systemd allows."""


class OutputDesk:
    """The streams of watchers, and the pipes of their processes. Owned by the supervisor thread.

    It gives orders to the pumps and waits for none of them. No method touches a file.

    Args:
        loop: The supervisor's loop.
        chore: For what takes long, such as compressing.
    """

    def __init__(self, loop: Loop, chore: Chore) -> None:
        self._loop = loop
        self._chore = chore
        self.pumps = Pumps(Context(loop.clock, do=self._do), self._later)
        self._open: set[tuple[Watcher, str]] = set()
        self._captured: dict[ManagedProcess, tuple[int, list[str]]] = {}
        self._histories: Histories | None = None

    @property
    def histories(self) -> Histories:
        """What was written last; most daemons keep nothing."""
        if self._histories is None:
            from cvec_circus.supervisor.histories import Histories

            self._histories = Histories(self._loop)
        return self._histories

    def open(self, watcher: Watcher) -> None:
        """Make a watcher's streams ready, and take over changed options of theirs.

        What is captured already goes where the options say, or nowhere; what is not is captured
        from the next start of a process on.
        """
        for channel in CHANNELS:
            key = watcher, channel
            size = history_size(watcher.options, channel)
            kept = size or self._histories is not None
            history = self.histories.keep(watcher, channel, size) if kept else None
            conf = watcher.options[f"{channel}_stream"]
            if history is not None or is_captured(watcher.options, channel):
                self._open.add(key)
                self.pumps.open(key, conf, _source(watcher, channel), history)
            else:
                self._close(key)

    def close(self, watcher: Watcher) -> None:
        """Drain and close a watcher's streams. What is written after that is discarded."""
        for channel in CHANNELS:
            self._close((watcher, channel))

    def _close(self, key: tuple[Watcher, str]) -> None:
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
    ) -> None:
        """Read the pipe of a process that was just started; the desk closes the read end `fd`.

        Texts that are `sought` are looked for in it.
        """
        known, channels = self._captured.get(process, (pid, []))
        self._captured[process] = pid, [*(channels if known == pid else ()), channel]
        search = None if sought is None else Search(sought)
        self.pumps.add((watcher, channel), fd, pid, _source(watcher, channel), search)

    def release(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Discard soon what is left in the pipes of a process that is gone, or is not waited for
        any longer: only strays can hold them open now."""
        pid, channels = self._captured.pop(process, (0, []))
        for channel in channels:
            self.pumps.release((watcher, channel), pid)

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
        return hanging

    def _do(self, fn: Callable[..., object], *args: object) -> None:
        """On a pump thread."""
        self._loop.post(self._chore.do_soon, fn, *args)

    def _later(self, delay: float, fn: Callable[[], object]) -> None:
        """On any thread."""
        self._loop.post(partial(self._loop.call_later, delay, fn))


def _source(watcher: Watcher, channel: str) -> Source:
    return Source(watcher.name, channel, watcher.options["env"].get("PYTHONPATH", ""))
