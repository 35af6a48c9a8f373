"""The file that says which process the daemon is."""

from __future__ import annotations

import os

from cvec_circus import exc
from cvec_circus.system import proctable

BOOT_TIME_ERROR = 2.0
"""Seconds by which a start time may be off: the machine's own one is given in whole seconds."""

LARGEST_PID = 2**22
"""Linux never gives a larger one."""


class Pidfile:
    """A file with a pid and a newline in it. Owned by the thread that made it.

    A file left by a daemon that was killed does not keep the next one from starting, even if its
    number is another process's by now: a process that began after the file was written is not the
    one that is meant.

    Attributes:
        path: Where the file is.
        pid: The pid that `create` has put there; None before.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self.pid: int | None = None

    def create(self, pid: int | None = None) -> None:
        """Write the file, at once and whole: nobody ever reads half a pid.

        Args:
            pid: The daemon's; None for this process.

        Raises:
            PidfileError: A daemon that runs has put its pid there, or it cannot be written.
        """
        pid = os.getpid() if pid is None else pid
        try:
            other = self.read()
            if other is not None and other != pid and self._is_alive(other):
                raise exc.PidfileError(
                    f"already running with pid {other}, as {self.path} says: stop it first, "
                    "or remove the file"
                )
            self._write(pid)
        except OSError as error:
            raise exc.PidfileError(
                f"cannot write the pid file {self.path}: {error.strerror}"
            ) from error
        self.pid = pid

    def read(self) -> int | None:
        """Tell the pid in the file; None when there is no file, or no pid in it.

        Raises:
            OSError: It is there and cannot be read.
        """
        try:
            with open(self.path, "rb") as file:
                pid = int(file.read(64))
        except (FileNotFoundError, ValueError):
            return None
        return pid if 0 < pid <= LARGEST_PID else None

    def unlink(self) -> None:
        """Remove the file if it still holds what `create` has put there, else leave it alone."""
        if self.pid is None:
            return
        try:
            if self.read() == self.pid:
                os.unlink(self.path)
        except OSError:
            pass  # it is not ours to read or to remove any more, and leaving it does no harm
        self.pid = None

    def _is_alive(self, pid: int) -> bool:
        found = proctable.row(pid)
        if found is None or not found.runs:
            return False
        ticks = os.sysconf("SC_CLK_TCK")
        began = proctable.boot_time() + found.start_time / ticks
        return began <= os.stat(self.path).st_mtime + BOOT_TIME_ERROR

    def _write(self, pid: int) -> None:
        folder, name = os.path.split(self.path)
        draft = os.path.join(folder, f".{name}.{os.getpid()}")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            with open(fd, "w", encoding="ascii") as file:
                os.fchmod(fd, 0o644)
                file.write(f"{pid}\n")
            os.replace(draft, self.path)
        except BaseException:
            os.unlink(draft)
            raise
