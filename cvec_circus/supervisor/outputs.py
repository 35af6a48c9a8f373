"""Where the output of processes goes: the desk between the core and the pumps."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from cvec_circus.base.clock import Clock
from cvec_circus.base.loop import Loop
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.stream import history_size
from cvec_circus.stream.pumps import Pumps
from cvec_circus.stream.source import Source
from cvec_circus.supervisor.chores import Chores
from cvec_circus.system.launch import LaunchError

if TYPE_CHECKING:
    from cvec_circus.supervisor.histories import Histories

CHANNELS = ("stdout", "stderr")


class OutputDesk:
    """The streams of watchers, and the pipes of their processes. Owned by the supervisor thread.

    Args:
        loop: The supervisor's loop.
        clock: The time.
        chores: For what takes long, such as compressing.
    """

    def __init__(self, loop: Loop, clock: Clock, chores: Chores) -> None:
        self._loop = loop
        self._clock = clock
        self._chores = chores
        self.pumps = Pumps(clock, do=self._do)
        self._open: set[tuple[Watcher, str]] = set()
        self._unopened: set[Watcher] = set()
        self._histories: Histories | None = None

    @property
    def histories(self) -> Histories:
        """What was written last; most daemons keep nothing."""
        if self._histories is None:
            from cvec_circus.supervisor.histories import Histories

            self._histories = Histories(self._loop, self._clock)
        return self._histories

    def open(self, watcher: Watcher) -> None:
        """Make a watcher's streams ready, and take over changed options of theirs."""
        try:
            self._open_all(watcher)
        except OSError:
            self._unopened.add(watcher)  # none of its processes starts until there are streams

    def ready(self, watcher: Watcher) -> None:
        """Open the streams that could not be opened before.

        Raises:
            OSError: They cannot be opened now either.
        """
        if watcher in self._unopened:
            self._open_all(watcher)

    def _open_all(self, watcher: Watcher) -> None:
        for channel in CHANNELS:
            size = history_size(watcher.options, channel)
            kept = size or self._histories is not None
            history = self.histories.keep(watcher, channel, size) if kept else None
            conf = watcher.options[f"{channel}_stream"]
            if conf or history is not None:
                self._open_one(watcher, channel, conf, history)
            else:
                self._close(watcher, channel)
        self._unopened.discard(watcher)

    def _open_one(self, watcher: Watcher, channel: str, conf: Any, history: Any) -> None:
        source = Source(watcher.name, channel, watcher.options.env.get("PYTHONPATH", ""))
        try:
            self.pumps.open((watcher, channel), conf, source, history)
        except (OSError, RuntimeError) as error:
            # The pump has no thread yet, and gets none now.
            text = f"cannot start a process: nothing to read what it writes: {error}"
            raise LaunchError(errno.EAGAIN, text) from error
        self._open.add((watcher, channel))

    def close(self, watcher: Watcher) -> None:
        """Drain and close a watcher's streams."""
        self._unopened.discard(watcher)
        for channel in CHANNELS:
            self._close(watcher, channel)

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
        self, watcher: Watcher, process: ManagedProcess, channel: str, fd: int, pid: int
    ) -> None:
        """Read the pipe of a process that was just started; the read end is the desk's now."""
        self.pumps.add((watcher, channel), fd, pid)

    def forget(self, watcher: Watcher) -> None:
        """Let go of what the processes of a removed watcher have written."""
        if self._histories is not None:
            self._histories.forget(watcher)

    def end(self) -> None:
        """Drain and close everything. Does not wait."""
        self.pumps.stop()

    def join(self, timeout: float) -> list[str]:
        """Wait for the end of the pumps after `end`, and tell those who follow an output.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            What hangs.
        """
        hanging = [] if self.pumps.join(timeout) else list(self.pumps.hanging)
        if self._histories is not None:
            self._histories.end()
        return hanging

    def _close(self, watcher: Watcher, channel: str) -> None:
        if (watcher, channel) in self._open:
            self._open.discard((watcher, channel))
            self.pumps.close((watcher, channel))

    def _do(self, fn: Callable[..., object], *args: object) -> None:
        """On a pump thread."""
        self._loop.post(self._chores.do, fn, *args)
