"""A file to append to, whatever happens to it."""

from __future__ import annotations

import errno
import os
import select
import stat
from collections.abc import Sequence
from typing import Union

from cvec_circus.base.clock import poll_milliseconds
from cvec_circus.compat.file_names import TextFile
from cvec_circus.system import files

Buffer = Union[bytes, bytearray, memoryview]

# O_NONBLOCK also because opening a FIFO without it waits for a reader.
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

# After these the next write may succeed; after any other error the file is opened again.
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EAGAIN})

_MOST_LINKS = 40
"""The most links that the system follows (path_resolution(7))."""

READER_TIMEOUT = 0.1
"""Seconds to wait for the reader of a FIFO or terminal before output is dropped."""


class AppendFile(TextFile):
    """One open file, or none. Owned by the thread that writes. It is opened by `open`.

    Args:
        filename: Its absolute name.
        may_use_reserve: Whether it may take one of the last file descriptors.

    Attributes:
        regular: Whether it is a regular file, no device, FIFO or terminal.
        movable: Whether it can be rotated. The target of /dev/stdout cannot: even if renamed, the
            name leads to it again.
        trouble: The last failure, for people: "No space left on device".
        errno: The number of what kept `open` from it.
    """

    def __init__(self, filename: str, may_use_reserve: bool = False) -> None:
        self._filename = filename
        self._may_use_reserve = may_use_reserve
        self.regular = self.movable = False
        self.trouble = "not open"
        self.errno = 0
        self._fd = -1
        self._stuck = False

    @property
    def is_open(self) -> bool:
        """Whether writing can be tried."""
        return self._fd >= 0

    def fileno(self) -> int:
        """Return the descriptor; -1 when the file is not open."""
        return self._fd

    def open(self) -> bool:
        """Open the file by its name; if that fails, keep the open one and return False."""
        fd = -1
        try:
            fd = os.open(self._filename, _FLAGS, 0o666)
            regular = stat.S_ISREG(os.fstat(fd).st_mode)  # a file on a server may be gone by now
        except OSError as error:
            self.trouble, self.errno = describe(error), error.errno or 0
            if fd >= 0:
                os.close(fd)
            return False
        if files.is_reserved(fd) and not self._may_use_reserve:
            os.close(fd)
            self.trouble, self.errno = os.strerror(errno.EMFILE), errno.EMFILE
            return False
        self.close()
        self._fd = fd
        self.regular = regular
        self.movable = self.regular and not _is_descriptor(self._filename)
        return True

    def target(self) -> str:
        """Return the name that is rotated: the target of a symbolic link, since the link stays."""
        return os.path.realpath(self._filename)

    def close(self) -> None:
        """Close the file, if it is open."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def append(self, buffers: Sequence[Buffer], size: int) -> int:
        """Write buffers of `size` bytes in all; return how many at their end are not written."""
        try:
            size -= os.writev(self._fd, buffers)
        except OSError as error:
            self._fail(error)
        else:
            if not size:
                return 0
        return self._append_rest(b"".join(buffers)[-size:])

    def size(self) -> int:
        """Return the present size of the file, which others may have changed."""
        return os.lseek(self._fd, 0, os.SEEK_END)

    def is_ragged(self) -> bool:
        """Return whether the last line of the file has no end, as far as can be seen."""
        size = self.size() if self.regular else 0
        if not size:
            return False
        try:
            fd = os.open(self._filename, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return False
        try:
            return os.pread(fd, 1, size - 1) not in (b"\n", b"")
        except OSError:
            return False
        finally:
            os.close(fd)

    def is_gone(self) -> bool:
        """Return whether the file has been deleted: what is written to it is lost."""
        try:
            # The target of /dev/stdout may have no name and yet be what that name leads to.
            return self.regular and not os.fstat(self._fd).st_nlink and not self.is_current()
        except OSError:
            return True  # ESTALE: deleted on the server of a network file system

    def is_current(self) -> bool:
        """Return whether the name leads to the open file: it is not moved, not rotated."""
        try:
            named = os.stat(self._filename)
        except OSError:
            return False
        return os.path.samestat(named, os.fstat(self._fd))

    def _append_rest(self, rest: bytes) -> int:
        """Continue after a short or failed write, and find out the reason."""
        while rest and self.is_open:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except OSError as error:
                if not isinstance(error, BlockingIOError) or not self._wait_for_reader():
                    self._fail(error)
                    break
        return len(rest)

    def _wait_for_reader(self) -> bool:
        """Let a slow reader catch up once; later it counts as dead until it reads."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        timeout = 0.0 if self._stuck else READER_TIMEOUT
        self._stuck = not poll.poll(poll_milliseconds(timeout))
        return not self._stuck

    def _fail(self, error: OSError) -> None:
        self.trouble = describe(error)
        if error.errno not in _PASSING:
            self.close()


def _is_descriptor(path: str) -> bool:
    """Tell whether a name leads to a file that a process has open, such as /dev/stdout."""
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(os.path.dirname(path))
        if f"{folder}/".startswith("/proc/"):
            return True
        if not os.path.islink(path):
            break
        path = os.path.join(folder, os.readlink(path))
    return False


def describe(error: OSError) -> str:
    """Return the text of an error without its number and the file's name."""
    return error.strerror or str(error)
