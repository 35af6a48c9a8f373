"""The folder with what survives the daemon, and the lock that keeps a second daemon out."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import zlib
from collections.abc import Mapping
from typing import Any

from cvec_circus import exc
from cvec_circus.system import mounts, paths
from cvec_circus.system.handover import Handover, Inherited

SYSTEM_FOLDER = "/run/cvec_circus"

LOCK = "lock"

IN_MEMORY = ("tmpfs", "ramfs")
"""The kinds of file systems to which a write cannot hang."""


def default_path(name: str | None, config: str, environ: Mapping[str, str]) -> str:
    """Return the folder of a daemon that names none.

    Args:
        name: What the daemon is called; None to derive that from its configuration.
        config: The configuration file.
        environ: The environment.
    """
    if name is None:
        path = os.path.realpath(config)
        stem = os.path.basename(path).partition(".")[0][:32] or "circus"
        plain = "".join(one if one.isascii() and one.isalnum() else "_" for one in stem)
        name = f"{plain}-{zlib.crc32(os.fsencode(path)):08x}"
    if os.geteuid() == 0:
        return f"{SYSTEM_FOLDER}/{name}"
    state = environ.get("XDG_STATE_HOME", "")
    if not state.startswith("/"):
        state = os.path.join(os.path.expanduser("~"), ".local", "state")
    if not state.startswith("/"):  # a user without an entry in passwd, as in some containers
        return f"/tmp/cvec_circus-{os.geteuid()}-{name}"
    return os.path.join(state, "cvec_circus", name)


class StateDir:
    """A folder of the daemon's own, locked as long as the process lives. Owned by its maker.

    The lock is one of fcntl(2): a child does not inherit it, and it is lost when any descriptor of
    the file is closed. So the file is opened here and nowhere else, and stays open.

    Args:
        path: Where it is.

    Attributes:
        path: The same, absolute.
        is_in_memory: Whether a write there cannot hang.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self.is_in_memory = False
        self._lock = -1

    def hold(self) -> None:
        """Make the folder, and lock it.

        Raises:
            PidfileError: Another daemon has it.
            OSError: It cannot be used; the text says why.
        """
        self._make()
        self._look()
        path = self.file(LOCK)
        while self._lock < 0:
            fd = open_own(path, os.O_RDWR | os.O_CREAT)
            try:
                fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_there(fd, path):  # else its owner has just removed it
                    self._lock, fd = fd, -1
            except (BlockingIOError, PermissionError) as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
                raise self._taken_by(os.pread(fd, 32, 0)) from None
            finally:
                if fd >= 0:
                    os.close(fd)
        text = b"%d\n" % os.getpid()
        try:
            os.pwrite(self._lock, text, 0)  # over another pid, which a full disk has room for
        except OSError:
            text = b""  # the lock counts without it
        os.ftruncate(self._lock, len(text))

    def hand_over(self, out: Handover) -> list[Any]:
        """Hand over the lock, which is this process' and so lasts over an exec."""
        return [self.path, out.file(self._lock)]

    def take_over(self, inherited: Inherited, fd: int) -> None:
        """Go on with the lock of the program that was here before an exec."""
        self._look()
        self._lock = inherited.file(fd)

    def _look(self) -> None:
        with contextlib.suppress(OSError):  # without /proc
            found = mounts.find(self.path, mounts.read())
            self.is_in_memory = found is not None and found.kind in IN_MEMORY

    def _make(self) -> None:
        os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(self.path, 0o700)
        _judge_folder(self.path)

    def _taken_by(self, content: bytes) -> exc.PidfileError:
        pid = content.strip().decode("ascii", "replace")
        who = f"with pid {pid}" if pid.isdecimal() else "or just starting"
        return exc.PidfileError(
            f"already running {who}, which holds {self.file(LOCK)}; to run another daemon beside "
            "it, give that one a [circus] name of its own"
        )

    def file(self, name: str) -> str:
        """Return the path of a file in it."""
        return os.path.join(self.path, name)

    def put_aside(self, name: str) -> str:
        """Rename a file that is of no use, for people to look at; return its new path.

        Raises:
            OSError: It cannot be renamed.
        """
        aside = self.file(f"{name}.aside")
        os.rename(self.file(name), aside)
        return aside

    def remove(self, name: str) -> None:
        """Remove a file, if that is possible."""
        with contextlib.suppress(OSError):
            os.unlink(self.file(name))

    def close(self) -> None:
        """Let go of the lock, and remove the folder if nothing else is in it."""
        if self._lock >= 0:
            self.remove(LOCK)
            with contextlib.suppress(OSError):
                os.rmdir(self.path)
            os.close(self._lock)
            self._lock = -1


def why_none(path: str) -> str:
    """Return why this user can have no such folder at a path, "" if it can. It may block."""
    try:
        _judge_folder(path)
    except FileNotFoundError:
        folder = os.path.dirname(path)
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        return paths.why_no_folder(folder) or paths.why_not_within(folder)
    except OSError as error:
        return f"{path}: {error.strerror}"
    return ""


def _judge_folder(path: str) -> None:
    """Refuse what is no folder of this user's.

    Raises:
        OSError: It is not there, or not to be trusted; its text says why.
    """
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "it is a symbolic link", path)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "it is not a folder", path)
    judge(found, path)


def judge(found: os.stat_result, path: str) -> None:
    """Refuse what others could change: they would decide which processes are signalled.

    Raises:
        OSError: It is not to be trusted; its text says why.
    """
    if found.st_uid != os.geteuid():
        raise OSError(errno.EPERM, f"it belongs to uid {found.st_uid}", path)
    if found.st_mode & 0o022:
        mode = stat.S_IMODE(found.st_mode)
        raise OSError(errno.EPERM, f"others may write to it (mode {mode:o})", path)


def open_own(path: str, flags: int) -> int:
    """Open a regular file that others cannot change.

    Raises:
        OSError: It cannot be opened, or is not to be trusted; its text says why.
    """
    flags |= os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        fd = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a symbolic link", path) from None
        raise
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", path)
        judge(found, path)
    except OSError:
        os.close(fd)
        raise
    return fd


def _is_there(fd: int, path: str) -> bool:
    """Return whether a file that is open still has its name."""
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False
