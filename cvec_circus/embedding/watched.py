"""A process of a watcher, as the program that embeds them sees it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol

from cvec_circus.compat.errors import GoneProcessError, gone
from cvec_circus.embedding.process import RUNNING, UNEXISTING, Process
from cvec_circus.embedding.promise import Promise
from cvec_circus.exc import GoneError, MessageError
from cvec_circus.options.typed import WatcherOptions

Fields = dict[str, Any]


class Watching(Protocol):
    """What a process of a watcher asks of that."""

    @property
    def name(self) -> str: ...
    @property
    def pids(self) -> list[int]: ...
    def options(self) -> list[tuple[str, Any]]: ...
    def exit_code(self, pid: int) -> int | None: ...
    def info(self) -> dict[int, Fields]: ...
    def send_signal(self, pid: int, signum: int | str) -> None: ...
    def send_signal_child(self, pid: int, child_id: int, signum: int | str) -> None: ...
    def send_signal_children(self, pid: int, signum: int | str, recursive: bool) -> None: ...
    def _order(self, command: str, field: str = "", **properties: Any) -> Promise: ...


class WatchedProcess(Process):
    """A process of a watcher. Safe from any thread.

    The options of its watcher at this moment are attributes, such as `cmd` and `args`.

    Attributes:
        name: The watcher's name.
        pid: Its pid.
        wid: Its number among the watcher's processes: what `$(circus.wid)` is.
        started: When it was started, in seconds since 1970.
        watcher: Its watcher.
        stdout, stderr: None: the daemon reads its output.
    """

    def __init__(
        self, watcher: Watching, pid: int, wid: int, started: float, options: WatcherOptions
    ) -> None:
        self._options = options
        self.watcher: Watching = watcher
        self.name = watcher.name
        self.pid = pid
        self.wid = wid
        self.started = started
        self.stdout = self.stderr = None
        self.pipe_stdout = bool(self._options.stdout_stream)
        self.pipe_stderr = bool(self._options.stderr_stream)
        self.use_fds = self._options.use_sockets

    def __repr__(self) -> str:
        return f"<process {self.pid} of {self.name}, wid {self.wid}>"

    def spawn(self) -> None:
        """Do nothing: it has been started."""

    @property
    def env(self) -> dict[str, str]:
        """Its environment, on top of the program's own if `copy_env` is set."""
        own: Mapping[str, str] = self._options.env
        return {**os.environ, **own} if self._options.copy_env else dict(own)

    # -- state

    @property
    def status(self) -> int:
        """`RUNNING`, or `UNEXISTING` once it has ended: a watcher's process is reaped at once."""
        return RUNNING if self.is_alive() else UNEXISTING

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs, and after many other ends."""
        return self.watcher.exit_code(self.pid)

    def poll(self) -> int | None:
        """Return `returncode`."""
        return self.returncode

    def is_alive(self) -> bool:
        """Tell whether it has not ended."""
        try:
            return self.pid in self.watcher.pids
        except MessageError:
            return False  # the watcher has been removed

    def wait(self, timeout: float | None = None) -> NoReturn:
        """Refuse to wait: its watcher collects it."""
        raise GoneError(
            "process.Process.wait was for its own parent; write process.stop().result(), or a hook "
            "after_reap (docs/embedding.rst)"
        )

    def info(self) -> Fields:
        """Return what `stats` reports of it, {} once it has ended."""
        return self.watcher.info().get(self.pid, {})

    # -- orders

    def send_signal(self, sig: int | str) -> None:
        """Send it a signal, by number or name.

        Raises:
            MessageError: It has ended, which is a ProcessLookupError, too; or there is no such
                signal.
        """
        self._signal(self.watcher.send_signal, self.pid, sig)

    def send_signal_child(self, pid: int, signum: int | str) -> None:
        """Send a signal to one of its children."""
        self._signal(self.watcher.send_signal_child, self.pid, pid, signum)

    def send_signal_children(self, signum: int | str, recursive: bool = False) -> None:
        """Send a signal to its children; `recursive`: and to those below them."""
        self._signal(self.watcher.send_signal_children, self.pid, signum, recursive)

    def _signal(self, send: Callable[..., None], *args: Any) -> None:
        try:
            send(*args)
        except MessageError as error:
            if self.is_alive():
                raise
            raise gone(str(error), self.pid, GoneProcessError) from None

    def stop(self, timeout: float | None = None) -> Promise:  # type: ignore[override]
        """Stop it as the watcher's options say; a new process takes its place.

        Args:
            timeout: Seconds until SIGKILL; None for those of the watcher.
        """
        how: Fields = {} if timeout is None else {"graceful_timeout": timeout}
        return self.watcher._order("kill", pid=self.pid, waiting=True, **how)

    def close_output_channels(self) -> None:
        """Do nothing: the daemon reads its output to the end."""
