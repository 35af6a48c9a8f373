"""What a process says of itself by datagrams: the receiving side of sd_notify(3)."""

from __future__ import annotations

import array
import contextlib
import os
import socket
import struct
from collections.abc import Iterator

from cvec_circus.base.named import NamedTuple

LONGEST = 4096
"""Bytes of a datagram; a longer one is not read."""

LONGEST_STATUS = 200
"""Characters of a status that are kept."""

_CREDENTIALS = struct.Struct("3i")
_SPACE = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(4 * array.array("i").itemsize)
"""Room for the sender and a few files. The kernel closes what does not fit."""


class Message(NamedTuple):
    """One datagram. Immutable."""

    sender: int  # its pid; 0 if unknown, such as one in another namespace
    fields: dict[str, str]


class NotifySocket:
    """A socket with a path of its own, for the datagrams of one process. Owned by one thread.

    Args:
        path: Where; what is there already is replaced.
        uid, gid: Whose the file becomes, who alone may write to it; None for ours.

    Raises:
        OSError: It cannot be made. Nothing is left.
    """

    @classmethod
    def taken_over(cls, path: str, fd: int) -> NotifySocket:
        """Go on with the socket of the program that was here before an exec."""
        found = cls.__new__(cls)
        found.path, found._socket = path, socket.socket(fileno=fd)
        found._uid = found._gid = None
        with contextlib.suppress(FileNotFoundError):  # it is made again as ours then
            there = os.stat(path)
            found._uid, found._gid = there.st_uid, there.st_gid
        return found

    def __init__(self, path: str, uid: int | None, gid: int | None) -> None:
        self.path = path
        self._uid, self._gid = uid, gid
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            self._socket.bind(path)
            os.chmod(path, 0o600)
            if uid is not None or gid is not None:
                os.chown(path, -1 if uid is None else uid, -1 if gid is None else gid)
        except BaseException:
            self.close()
            raise

    def make_again(self) -> None:
        """Make the file again, which was deleted: with another socket, under the same number.

        Raises:
            OSError: It cannot be made.
        """
        fresh = NotifySocket(self.path, self._uid, self._gid)
        try:
            os.dup2(fresh.fileno(), self.fileno(), inheritable=False)
        finally:
            fresh._socket.close()

    def fileno(self) -> int:
        """Return the file to poll."""
        return self._socket.fileno()

    def receive(self, limit: int) -> Iterator[Message]:
        """Yield messages that have come, `limit` at most; files that came with them are closed."""
        for _ in range(limit):
            try:
                content, ancillary, flags, _ = self._socket.recvmsg(
                    LONGEST, _SPACE, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            sender = _take(ancillary)
            is_cut = flags & socket.MSG_TRUNC
            yield Message(sender, {} if is_cut else parse(content))

    def close(self) -> None:
        """Take the file away."""
        self._socket.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)


def _take(ancillary: list[tuple[int, int, bytes]]) -> int:
    """Close the files in control messages, and return the sender."""
    sender = 0
    for level, kind, data in ancillary:
        if level != socket.SOL_SOCKET:
            continue
        if kind == socket.SCM_RIGHTS:
            fds: array.array[int] = array.array("i")
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
            for fd in fds:
                os.close(fd)  # the sender of BARRIER=1 goes on
        elif kind == socket.SCM_CREDENTIALS and len(data) >= _CREDENTIALS.size:
            sender = _CREDENTIALS.unpack_from(data)[0]
    return sender


def parse(content: bytes) -> dict[str, str]:
    """Return the assignments in a datagram; what is none is left out."""
    fields = {}
    for line in content.decode("utf-8", "replace").split("\n"):
        name, equals, value = line.partition("=")
        if equals and name:
            fields[name] = value
    return fields


def one_line(text: str, longest: int = LONGEST_STATUS) -> str:
    """Return text that a process has written as people may see it: a line, without controls."""
    plain = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return plain if len(plain) <= longest else f"{plain[:longest]}..."


def microseconds(text: str, longest: float) -> float | None:
    """Return a time that a process gives, in seconds, `longest` at most; None if it is none."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):
        return None
    return min(int(text) / 1e6, longest)


def variables(path: str, watchdog: float | None) -> dict[str, str]:
    """Return what tells a process of its socket, and after how many seconds it counts as hung."""
    env = {"NOTIFY_SOCKET": path}
    if watchdog is not None:
        env["WATCHDOG_USEC"] = str(max(1, round(watchdog * 1e6)))
    return env
