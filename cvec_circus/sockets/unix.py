"""The path of a unix socket: made with the right mode and owner, removed only if it is ours.

Or, if asked to, a path that no process serves any longer.

Any user who may write to the folder can delete a path, and a socket cannot be bound again: its
listeners would wait in vain, and a new socket would not help them. So each socket has a second
name, a hidden link beside its path, from which a deleted path can be restored.
"""

from __future__ import annotations

import errno
import os
import pwd
import re
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from cvec_circus import exc
from cvec_circus.base.named import NamedTuple
from cvec_circus.options.address import spare_of
from cvec_circus.sockets.holders import holders
from cvec_circus.system.own_file import Finding, made_again, not_made, taken
from cvec_circus.system.paths import why_no_socket


class OwnPath(NamedTuple):
    """A path that one of our sockets has created. Immutable."""

    path: str
    """Absolute, because the working directory may change."""
    device: int
    inode: int
    """Its inode tells it from a path that another process creates in its place."""

    def unlink(self) -> None:
        """Remove it, unless it is gone, or another process has put its own there."""
        # The thread that looks after them may restore either from the other between two of these
        # steps.
        for name in (self.spare, self.path, self.spare):
            with suppress(OSError):  # it is gone, or its directory is, or cannot be written to
                if self._is_at(name):
                    os.unlink(name)

    @property
    def spare(self) -> str:
        """The second name."""
        return spare_of(self.path)

    def keep(self) -> None:
        """Give it the second name, unless it has it, or the system refuses."""
        with suppress(OSError):
            with suppress(FileNotFoundError):
                if self._is_at(self.spare):
                    return
                self._make_room(self.spare)
            os.link(self.path, self.spare, follow_symlinks=False)

    def restore(self) -> bool:
        """Restore the deleted path; return whether there was a second name.

        Raises:
            OSError: It is there, or the system refuses.
        """
        try:
            if self._is_at(self.spare):
                os.link(self.spare, self.path, follow_symlinks=False)
                return True
        except FileNotFoundError:
            pass
        return False

    def give(self, mode: int, owner: int | str | None) -> None:
        """Set mode and owner, None for our user, unless another process has put its own there.

        Raises:
            OSError: It is gone, or this process may not do that.
        """
        uid = os.geteuid() if owner is None else user(owner)
        with _holding(self.path) as held:
            found = os.fstat(held)
            if (found.st_dev, found.st_ino) == (self.device, self.inode):
                _give(held, mode, uid)

    def moved(self, path: str) -> OwnPath:
        """Rename it, unless another process has put its own there; return what it is now.

        Raises:
            OSError: The system refuses, or something else is there.
        """
        if not self._is_at(self.path):
            return self
        there = self._replace(path=path)
        self._make_room(path)
        os.rename(self.path, path)
        with suppress(OSError):
            if self._is_at(self.spare):
                self._make_room(there.spare)
                os.rename(self.spare, there.spare)
        return there

    def _make_room(self, name: str) -> None:
        """Remove our own or a predecessor's socket at another name; raise OSError for others.

        A predecessor's may still be served, by processes that go on. It was bound to our path.
        """
        ours = os.path.basename(self.path)
        bound = os.path.basename(bound_to(name) or "")
        _make_room(name, True, bound in {ours, re.sub(r"\.old\Z", "", ours)})  # moved aside

    def look_after(
        self, what: str, anew: Callable[[OwnPath], Callable[[], object]]
    ) -> Finding | None:
        """See `OwnFile.look_after`.

        Args:
            what: What the path is, for the log.
            anew: Makes a new socket, and returns what the owner calls to take it; called where
                there is no second name either.
        """
        try:
            if not self._is_at(self.path):
                return taken(what, self.path)
            self.keep()
            return None
        except FileNotFoundError:
            pass
        except OSError as error:
            return Finding(f"{what}: {self.path} cannot be looked at: {error.strerror}")
        try:
            renew = None if self.restore() else anew(self)
        except (OSError, exc.SocketError) as error:
            return not_made(what, self.path, getattr(error, "strerror", None) or str(error))
        return made_again(what, self.path, renew)

    def is_there(self) -> bool:
        """Return whether it exists, and no other one in its place; restore it from its second name
        if it was deleted. Raises OSError if it cannot be checked."""
        if not os.path.lexists(self.path):
            return self.restore()
        return self._is_at(self.path)

    def _is_at(self, name: str) -> bool:
        found = os.lstat(name)
        return (found.st_dev, found.st_ino) == (self.device, self.inode)


def bind(
    opened: socket.socket,
    path: str,
    mode: int,
    owner: int | str | None = None,
    replace: bool = False,
) -> OwnPath:
    """Bind a socket to a path that has its mode and owner before a client can connect.

    The mask of the process is not changed, because other threads create files meanwhile. A socket
    has a mode even before it has a path (socket(7) does not say so, but `fchmod` works on Linux):
    with mode 0 at first, only root gets through until mode and owner are right.

    Args:
        opened: The socket; it does not listen yet.
        path, mode: The path and its mode.
        owner: Its owner, by name or number; None for our user.
        replace: Whether an existing socket that no process serves is removed first.

    Raises:
        OSError: The system refuses. Nothing is left behind.
    """
    path = os.path.abspath(path)
    uid = -1 if owner is None else user(owner)
    _make_room(path, replace)
    os.fchmod(opened.fileno(), 0)
    opened.bind(path)
    try:
        with _holding(path) as held:
            made = os.fstat(held)
            if not stat.S_ISSOCK(made.st_mode):
                raise OSError(errno.EEXIST, "another process has put something else there")
            _give(held, mode, uid)
    except BaseException:
        _take_away(path)
        raise
    own = OwnPath(path, made.st_dev, made.st_ino)
    own.keep()
    return own


def _take_away(path: str) -> None:
    """Remove the socket that we just created at a path, but nothing put there since."""
    with suppress(OSError):
        there = os.lstat(path)
        if stat.S_ISSOCK(there.st_mode) and there.st_uid == os.geteuid():
            os.unlink(path)


@contextmanager
def _holding(path: str) -> Iterator[int]:
    """Yield a descriptor of what is at a path, even a link: it stays the same through renames.

    Otherwise a user who may write to the folder could put a link there in time, and make root
    change the mode of any file.
    """
    held = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield held
    finally:
        os.close(held)


def _give(held: int, mode: int, uid: int) -> None:
    """Set the mode and the owner, -1 for the one it has, of what is held (open(2), O_PATH)."""
    name = f"/proc/self/fd/{held}"
    os.chmod(name, mode)
    if uid not in (-1, os.fstat(held).st_uid):
        os.chown(name, uid, -1)


def user(owner: int | str) -> int:
    """Return a user's number. Raises OSError if there is no user of that name."""
    if isinstance(owner, int):
        return owner
    try:
        return pwd.getpwnam(owner).pw_uid
    except KeyError:
        raise OSError(f"there is no user {owner}") from None


def _make_room(path: str, replace: bool, is_ours: bool = False) -> None:
    """Remove the socket at a path, if `replace` says so, or a killed daemon has left it, and no
    process serves it but ours."""
    reason = why_no_socket(path)
    if not os.path.lexists(path):
        if reason:
            raise FileNotFoundError(errno.ENOENT, reason)
        return
    if reason:
        raise FileExistsError(errno.EEXIST, reason)
    if not is_ours and is_served(path):
        text = f"{server_of(path)} serves the socket there; stop it first, or use another path"
        raise FileExistsError(errno.EEXIST, text)
    if not (replace or _was_left(path)):
        text = "a socket is there already; remove it, or set replace = True"
        raise FileExistsError(errno.EEXIST, text)
    os.unlink(path)


def _was_left(path: str) -> bool:
    """Tell whether a daemon has made the socket at a path: it has the second name."""
    try:
        return os.path.samestat(os.lstat(path), os.lstat(spare_of(path)))
    except FileNotFoundError:
        return False


def is_served(path: str) -> bool:
    """Tell whether a process listens on the socket at a path, or reads from it. Waits a second.

    A socket without a server refuses connections, and so does a file that is not a socket.
    """
    return bound_to(path) is not None


def bound_to(path: str) -> str | None:
    """Return what the socket at a path was bound to, as a link is to another one; "" if that is
    unknown, None if no process serves it: see `is_served`."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_UNIX, kind) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(path)
                return os.fsdecode(probe.getpeername())
            except (FileNotFoundError, ConnectionRefusedError):
                return None
            except PermissionError:
                return path if _inodes(path) else None
            except OSError as error:
                if error.errno == errno.EPROTOTYPE:  # it is a socket of another type
                    continue
            return ""
    return ""


def server_of(path: str) -> str:
    """Name the processes that have the socket at a path open, as far as permitted."""
    return holders(_inodes(path))


def _inodes(path: str) -> list[str]:
    """Return the numbers of the open sockets that were bound to a path: see proc_net(5)."""
    with open("/proc/net/unix", "rb") as table:
        rows = (row.rstrip(b"\n").split(b" ") for row in table)
        name = os.fsencode(path)
        found = [[cell for cell in row if cell] for row in rows if row[-1] == name]
    return [os.fsdecode(cells[6]) for cells in found]


def umask() -> int:
    """Return this process' mask, which Linux shows without changing it (proc_pid_status(5))."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        return next((int(line[6:], 8) for line in status if line.startswith("Umask:")), 0o022)
