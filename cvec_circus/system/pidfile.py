"""The file with the pid of the daemon."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import tempfile

from cvec_circus import exc, logger
from cvec_circus.system import proctable
from cvec_circus.system.own_file import Finding, made_again, not_made, taken

BOOT_TIME_ERROR = 2.0
"""Seconds by which a start time may be off: the time of boot is given in whole seconds."""

MODE = 0o644

LARGEST_PID = 2**22
"""The largest that Linux assigns."""

OURS = ("cvec_circusd", "cvec_circus.daemon.main")
"""Endings of one of the first words of a daemon's command line."""

WITHOUT_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})


class Pidfile:
    """A file with a pid and a newline. Owned by the thread that made it.

    The process that creates it holds a lock on it until it ends; the kernel releases that in any
    case. So a file left by a killed daemon prevents no start, whatever process has its pid by now,
    and of two daemons that start at once one gets it.

    Attributes:
        path: Where the file is.
        pid: The pid that `create` has written; None before.
        perm_mode: The mode of the file.
    """

    perm_mode = MODE

    def __init__(self, fname: str | None) -> None:
        """Prepare; without a name, `create` makes a temporary file."""
        self.path = os.path.abspath(fname) if fname else ""
        self.pid: int | None = None
        self._fd = -1

    def create(self, pid: int | None = None) -> None:
        """Write the file, or overwrite a stale one with a warning.

        Args:
            pid: The daemon's; None for this process.

        Raises:
            PidfileError: It belongs to a running daemon, or cannot be written.
        """
        pid = os.getpid() if pid is None else pid
        self.pid = None
        if not self.path:
            fd, self.path = tempfile.mkstemp(suffix=".pid")
            os.close(fd)
        try:
            while not self._take(pid):
                pass  # its owner has removed it meanwhile; there may be another one
        except OSError as error:
            raise exc.PidfileError(
                f"cannot write the pid file {self.path}: {error.strerror}"
            ) from error
        finally:
            if self.pid is None:
                self._release()

    def read(self) -> int | None:
        """Return the pid in the file; None when there is no file, or no pid in it.

        Raises:
            OSError: It exists and cannot be read.
        """
        if not self.path:
            return None
        try:
            with open(self.path, "rb") as file:
                return _parsed(file.read(64))
        except FileNotFoundError:
            return None

    @property
    def fname(self) -> str:
        """Its `path`, under its name in Circus."""
        return self.path

    def validate(self) -> int | None:
        """Return the pid in the file if that process runs; None otherwise.

        Raises:
            OSError: The file exists and cannot be read.
        """
        pid = self.read()
        found = None if pid is None else proctable.row(pid)
        return pid if found is not None and found.runs else None

    def rename(self, path: str) -> None:
        """Remove the file, and write the same pid to another one.

        Raises:
            PidfileError: That belongs to a running daemon, or cannot be written.
        """
        pid = self.pid
        self.unlink()
        self.path = os.path.abspath(path)
        self.create(pid)

    def unlink(self) -> None:
        """Remove the file if it contains what `create` has written, or else our own pid."""
        try:
            if self.read() == (os.getpid() if self.pid is None else self.pid):
                os.unlink(self.path)
        except OSError:
            pass  # no longer ours to read or remove; leaving it does no harm
        self.pid = None
        self._release()

    @property
    def file(self) -> str:
        """See `OwnFile.file`."""
        return "" if self.pid is None else self.path

    def look_after(self) -> Finding | None:
        """See `OwnFile.look_after`."""
        pid = self.pid
        try:
            os.lstat(self.path)
            return None if self.read() == pid else taken("pid file", self.path)
        except FileNotFoundError:
            pass
        except OSError as error:
            return Finding(f"pid file: {self.path} cannot be looked at: {error.strerror}")
        try:
            self.create(pid)
        except exc.PidfileError as error:
            self.pid = pid  # the next look tries again
            return not_made("pid file", self.path, str(error))
        return made_again("pid file", self.path)

    def _take(self, pid: int) -> bool:
        """Lock the file and write to it; return False if it no longer is the file of that name."""
        self._release()
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
        is_locked = self._lock(pid)
        try:
            if not os.path.samestat(os.stat(self.path), os.fstat(self._fd)):
                return False
        except FileNotFoundError:
            return False
        self._judge(pid, is_locked)
        self._write(pid)
        self.pid = pid
        return True

    def _lock(self, pid: int) -> bool:
        """Lock the file; return whether the lock is ours.

        It is not where another Pidfile of this process has it, or on file systems without locks.
        """
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = self._content()[1]
            if other == pid:
                return False
            if other is None or not self._is_alive(other):
                raise exc.PidfileError(
                    f"already running, or just starting: {self.path} is locked"
                ) from None
            raise self._taken_by(other) from None
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
            return False
        return True

    def _judge(self, pid: int, is_locked: bool) -> None:
        """Warn of a stale file; raise for that of a running daemon."""
        text, other = self._content()
        if not text or other == pid:
            return
        if other is None:
            logger.warning("%s contains no pid; overwriting it", self.path)
        elif not self._is_alive(other):
            logger.warning("%s names process %d, which is gone; overwriting it", self.path, other)
        elif is_locked and not _is_ours(other):
            logger.warning(
                "%s names process %d, which is not a cvec_circusd; overwriting it", self.path, other
            )
        else:
            raise self._taken_by(other)

    def _taken_by(self, pid: int) -> exc.PidfileError:
        return exc.PidfileError(f"already running with pid {pid}, as {self.path} says")

    def _is_alive(self, pid: int) -> bool:
        """Return whether a process runs, and did when its pid was written."""
        found = proctable.row(pid)
        if found is None or not found.runs:
            return False
        ticks = os.sysconf("SC_CLK_TCK")
        began = proctable.boot_time() + found.start_time / ticks
        return began <= os.fstat(self._fd).st_mtime + BOOT_TIME_ERROR

    def _content(self) -> tuple[bytes, int | None]:
        """Return the beginning of the file, and the pid in it."""
        text = os.pread(self._fd, 64, 0)
        return text, _parsed(text)

    def _write(self, pid: int) -> None:
        """Replace the contents in one write that covers the old pid: no reader sees half of one."""
        is_regular = stat.S_ISREG(os.fstat(self._fd).st_mode)
        text = b"%d\n" % pid
        os.pwrite(self._fd, text.ljust(64 if is_regular else 0, b"\n"), 0)
        if is_regular:
            os.ftruncate(self._fd, len(text))
            os.fchmod(self._fd, MODE)

    def _release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _parsed(text: bytes) -> int | None:
    try:
        pid = int(text)
    except ValueError:
        return None
    return pid if 0 < pid <= LARGEST_PID else None


def _is_ours(pid: int) -> bool:
    """Return whether a process looks like a cvec_circusd, which holds the lock of another file."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = os.fsdecode(file.read(4096)).split("\0")[:4]
    except OSError:
        return False
    return any(word.endswith(OURS) for word in words)
