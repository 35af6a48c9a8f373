"""The path of a unix socket: made with the right mode and owner, taken away only if it is ours."""

from __future__ import annotations

import errno
import os
import pwd
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class OwnPath(NamedTuple):
    """A path that a socket of ours has made. Immutable.

    Attributes:
        path: The path, absolute, because the working directory may change.
        device: The file system that it is on.
        inode: Its number there: what tells it from a path that somebody else makes in its place.
    """

    path: str
    device: int
    inode: int

    def unlink(self) -> None:
        """Take it away, unless it is somebody else's by now, or gone."""
        try:
            if self._is_there():
                os.unlink(self.path)
        except OSError:
            pass  # it is gone, or the directory is, or may not be written to any more

    def give(self, mode: int, owner: int | str | None) -> None:
        """Give it that mode, and that owner, None for us. Nothing if it is somebody else's by now.

        Raises:
            OSError: It is gone, or may not be given.
        """
        uid = os.geteuid() if owner is None else user(owner)
        with _holding(self.path) as held:
            found = os.fstat(held)
            if (found.st_dev, found.st_ino) == (self.device, self.inode):
                _give(held, mode, uid)

    def moved(self, path: str) -> OwnPath:
        """Give it another name; itself if it is somebody else's by now.

        Raises:
            OSError: It cannot be done.
        """
        if not self._is_there():
            return self
        os.rename(self.path, path)
        return self._replace(path=path)

    def _is_there(self) -> bool:
        found = os.lstat(self.path)
        return (found.st_dev, found.st_ino) == (self.device, self.inode)


def bind(
    opened: socket.socket,
    path: str,
    mode: int,
    owner: int | str | None = None,
    replace: bool = False,
) -> OwnPath:
    """Bind a socket to a path that has its mode and owner before anybody can connect.

    The mask of the process is left alone, because other threads make files meanwhile. A socket has
    a mode even before it has a path (socket(7) does not tell, but `fchmod` works on Linux): with
    none at first, nobody but root gets through until all is as it should be.

    Args:
        opened: The socket; it does not listen yet.
        path: Where.
        mode: The mode of the path.
        owner: Who owns it, by name or number; None for us.
        replace: Whether a socket that is there already is removed first.

    Returns:
        What to take away in the end.

    Raises:
        OSError: It cannot be done. Nothing of ours is left there.
    """
    path = os.path.abspath(path)
    uid = -1 if owner is None else user(owner)
    _make_room(path, replace)
    os.fchmod(opened.fileno(), 0)
    opened.bind(path)
    with _holding(path) as held:
        made = os.fstat(held)
        if not stat.S_ISSOCK(made.st_mode):
            raise OSError(errno.EEXIST, "somebody has put something else there")
        own = OwnPath(path, made.st_dev, made.st_ino)
        try:
            _give(held, mode, uid)
        except OSError:
            own.unlink()
            raise
    return own


@contextmanager
def _holding(path: str) -> Iterator[int]:
    """What is at a path, be it a link, as a descriptor: it stays the same whoever renames what.

    Who may write to the folder could otherwise put a link there in time, and have root change the
    mode of any file.
    """
    held = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield held
    finally:
        os.close(held)


def _give(held: int, mode: int, uid: int) -> None:
    """Give what is held that mode and that owner, -1 for the one it has (open(2), O_PATH)."""
    name = f"/proc/self/fd/{held}"
    os.chmod(name, mode)
    if uid not in (-1, os.fstat(held).st_uid):
        os.chown(name, uid, -1)


def user(owner: int | str) -> int:
    """Return a user's number.

    Raises:
        OSError: There is no user of that name.
    """
    if isinstance(owner, int):
        return owner
    try:
        return pwd.getpwnam(owner).pw_uid
    except KeyError:
        raise OSError(f"there is no user {owner}") from None


def _make_room(path: str, replace: bool) -> None:
    """Remove the socket at a path, if that is wanted."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "the file there is no socket")
    if not replace:
        text = "a socket is there already; remove it, or set replace = True"
        raise FileExistsError(errno.EEXIST, text)
    os.unlink(path)


def umask() -> int:
    """Return the mask of this process, which Linux tells without changing it (proc_pid_status)."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o022
