"""Reading the text of one file, whatever is there: it may be a pipe, a picture, or gone."""

from __future__ import annotations

import codecs
import errno
import os
import stat

LARGEST_FILE = 16 * 1024 * 1024

_SAVE = "save the file as UTF-8 text"


class UnreadableError(Exception):
    """A file has no text that can be used."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason  # a sentence: what is wrong, and what to do
        self.line = line  # where; 0 for the file as a whole


def text_of(path: str) -> str:
    """Return the text of a regular file. It may block: the file is read.

    Raises:
        UnreadableError: There is none, it cannot be read, or it is not UTF-8.
    """
    try:
        content = _content(path)
        if len(content) > LARGEST_FILE:
            raise UnreadableError("larger than 16 MiB; is it the right file?")
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise UnreadableError(f"this is UTF-16; {_SAVE}", 1)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        wrong = f"byte 0x{error.object[error.start]:02x} is not UTF-8; {_SAVE}"
        raise UnreadableError(wrong, line) from None
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UnreadableError(f"cannot be read: {reason}") from None
    nul = text.find("\0")
    if nul >= 0:
        raise UnreadableError(f"unexpected NUL character; {_SAVE}", text.count("\n", 0, nul) + 1)
    return text


def identity(path: str) -> tuple[int, ...]:
    """Return what is the same for all names of a file, two numbers, and what a change changes."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # reading it will say why
        return ()
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _content(path: str) -> bytes:
    """Return what is in a regular file, as much of it as may be.

    Opening a FIFO would wait for a writer, and opening a device may start it.

    Raises:
        OSError: It cannot be read, or is something else.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file")
    # What has become something else by now does not block.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    with open(fd, "rb") as file:
        # A buffer of the size of the file: read() allocates all that it is asked for.
        return file.read(min(os.fstat(fd).st_size, LARGEST_FILE) + 1)
