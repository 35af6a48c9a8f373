"""The ledger: a dictionary in a file, which survives the daemon.

Each change is a line: a JSON array of the key and the value, or of the key alone where it is taken
away. The last line for a key counts; the first line of the file is its head. What each entry
means is known to `bookkeeper`, which writes them, and `heritage`, which reads them.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import threading
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from cvec_circus import logger
from cvec_circus.base.complaints import SHORTAGES
from cvec_circus.base.named import NamedTuple
from cvec_circus.base.patterns import regex
from cvec_circus.base.thread import Worker
from cvec_circus.system.statedir import StateDir, open_own
from cvec_circus.wire.cause import Cause

FILE, NEW_FILE = "ledger", "ledger.new"

VERSION = 1

TOO_LONG = 4
"""It is written anew when it is so many times as long as it was then, and `SLACK`."""

SLACK = 256 * 1024

MOST_UNWRITTEN = 1 << 20
"""Characters that may wait for a file system that hangs, beside as many as one turn has ever given:
each of thousands of watchers may be written in one."""

PIECE = 500
"""Lines that are written together: after a large block, the allocator keeps more for itself."""

SETTLE_TIMEOUT = 0.01
"""Seconds that the supervisor waits for a line on a disk."""

END_TIMEOUT = 1.0
"""Seconds that the end of the daemon waits for such a file system."""

_KEY = regex(r'\["((?:[^"\\]|\\.)*)"(,?)')
"""The key of a line, and whether it has a value."""

HANGS = "its file system hangs"

Entries = dict[str, Any]


class Head(NamedTuple):
    """The first line: what the entries are about. Immutable."""

    version: int
    boot: str  # the id of the boot: pids and instants mean nothing after the next one
    namespace: int  # of pids
    runs: list[str]  # the lives of the daemon whose processes it may name, the last one first
    pid: int  # the daemon's


class LedgerError(Exception):
    """A ledger that cannot be read; the text says why."""


class Ledger:
    """Writes the dictionary. Owned by the supervisor thread.

    Args:
        folder: Where the file is.
        head: Its first line.
        entries: What is in it at first, as lines by key.
        post: Calls a function on the supervisor thread, in the next turn of its loop.

    What it says is in the file alone: the lines of a thousand watchers take a megabyte. When it can
    no longer be written, that is logged, once, and the file is put aside.

    Attributes:
        is_on: Whether it is written.
        pending: The lines that wait for a flush.
        is_prompt: Whether what is flushed is in the file when `flush` returns.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(
        self,
        folder: StateDir,
        head: Head,
        entries: Mapping[str, Any],
        post: Callable[..., object],
    ) -> None:
        self._folder, self._post = folder, post
        self._path, self._new = folder.file(FILE), folder.file(NEW_FILE)
        self.pending: list[str] = []
        self._size = self._limit = 0  # of the file, and when it is written anew
        self._given = self._taken = 0  # characters given to the thread, and those it is done with
        self._largest = 0  # how many of them at once
        self._lags = False  # the thread was still writing when it was given the last ones
        self._fd = -1
        self._has_ended = False
        self._worker: Worker | None = None
        self.is_on = True
        first = line("ledger", head._asdict())
        self._replace([first, *(line(key, value) for key, value in entries.items())])
        if not folder.is_in_memory:
            self._worker = Worker("ledger", self._crashed)
        self.is_prompt = self._worker is None

    def put(self, text: str) -> None:
        """Set an entry, as `line` writes it, with the next flush."""
        if self.is_on:
            self.pending.append(text)

    def drop(self, key: str) -> None:
        """Take an entry away, if it is there, with the next flush."""
        self.put(f"[{quoted(key)}]\n")

    def entries(self) -> Entries:
        """Return the entries as they are by now; none where it is not written any more."""
        self.flush()
        if not self._has_written(END_TIMEOUT):
            self._fail(HANGS)
        try:
            return _read(os.pread(self._fd, self._size, 0))[1] if self.is_on else {}
        except (OSError, LedgerError) as error:
            self._fail(str(error))
            return {}

    def flush(self) -> None:
        """Write what is new."""
        if not self.pending:
            return
        lines, self.pending = self.pending, []
        if self._worker is not None:
            self._do_later(self._worker, lines)
            return
        try:
            self._append(lines)
        except OSError as error:
            self._fail(error.strerror or str(error))
        except ValueError as error:
            self._fail(str(error))

    def _do_later(self, worker: Worker, lines: list[str]) -> None:
        size = sum(map(len, lines))
        unwritten = self._given - self._taken
        self._lags = unwritten > 0
        self._largest = max(self._largest, size)
        if unwritten and unwritten + size > MOST_UNWRITTEN + self._largest:
            self._fail(HANGS)
            return
        self._given += size
        try:
            worker.do(self._write_later, lines, size)
        except RuntimeError as error:
            self._fail(f"no thread: {error}")

    def settle(self) -> None:
        """Wait a moment until what was flushed is in the file, unless its thread lags already: a
        crash right after the answer to an order would undo that."""
        if not self._lags:
            self._has_written(SETTLE_TIMEOUT)

    def _has_written(self, timeout: float) -> bool:
        """Wait for the thread, and return whether all that it was given is in the file."""
        written = threading.Event()
        if self._worker is None or not self.is_on or not self._worker.do(written.set):
            return True
        return written.wait(timeout)

    def _write_later(self, lines: list[str], size: int) -> None:
        """On the thread."""
        try:
            self._append(lines)
        except OSError as error:
            self._post(self._fail, error.strerror or str(error))
        self._taken += size  # not posted: that would wake the supervisor for nothing

    def _crashed(self, error: BaseException, description: str) -> None:
        """On the thread."""
        self._post(self._fail, f"{description} failed: {error!r}")

    def _append(self, lines: list[str]) -> None:
        """On the thread, if there is one; the next three too."""
        self._size += _write(self._fd, lines)
        if self._size > self._limit:
            self._replace(self._without_what_is_over())

    def _without_what_is_over(self) -> list[str]:
        """Return the last line for each key."""
        lines: dict[str, str] = {}
        with open(os.dup(self._fd), encoding="ascii", newline="\n") as file:
            file.seek(0)
            for one in file:
                found = _KEY.match(one)
                if found is None:
                    raise ValueError("others have written to it")
                if found[2]:
                    lines[found[1]] = one
                else:
                    lines.pop(found[1], None)
        return list(lines.values())

    def _replace(self, lines: list[str]) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_EXCL
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._new)
        fd = os.open(self._new, flags, 0o600)
        try:
            size = _write(fd, lines)
            os.rename(self._new, self._path)
        except BaseException:
            os.close(fd)
            with contextlib.suppress(OSError):
                os.unlink(self._new)
            raise
        before, self._fd = self._fd, fd
        if before >= 0:
            os.close(before)
        self._size = size
        self._limit = TOO_LONG * self._size + SLACK

    def _fail(self, reason: str) -> None:
        if not self.is_on:
            return
        self.is_on = False
        self.pending.clear()
        with contextlib.suppress(OSError):
            self._folder.put_aside(FILE)
        logger.error("%s", off(self._path, reason))

    def end(self, is_needed: bool) -> None:
        """Write what is left, or remove everything if nothing is left to adopt; only the first call
        counts."""
        if self._has_ended:
            return
        self._has_ended = True
        self.flush()
        if self._worker is not None:
            self._worker.stop()
            if not self._worker.join(END_TIMEOUT):
                return  # it may write yet, so its file stays open
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self.is_on and not is_needed:
            self._folder.remove(FILE)


def off(path: str, reason: str) -> str:
    """Say that nothing will be adopted, and why."""
    return (
        f"{path}: {reason}; adoption is off: a daemon that comes after a crash of this one will "
        "start its processes beside those that still run"
    )


def line(key: str, value: Any) -> str:
    """Return the line of an entry."""
    return f"{json.dumps([key, value], separators=(',', ':'))}\n"


def written_number(value: float | None) -> str:
    """Write a number or null."""
    return "null" if value is None else repr(value)


@functools.lru_cache(maxsize=256)
def dumped(value: str | Cause) -> str:
    """Write a text or a cause. Remembered, because the same few recur."""
    return json.dumps(value)


def _write(fd: int, lines: list[str]) -> int:
    """Write lines, and return how many bytes that was."""
    size = 0
    for at in range(0, len(lines), PIECE):
        block = "".join(lines[at : at + PIECE]).encode("ascii")
        if os.write(fd, block) != len(block):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        size += len(block)
    return size


def read(folder: StateDir) -> tuple[Head, Entries] | None:
    """Read the ledger of a folder; None if there is none.

    Raises:
        LedgerError: It is not to be trusted, or of another version.
        OSError: The system is short of something: later it may be possible.
    """
    try:
        return _read(_content(folder.file(FILE)))
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in SHORTAGES:
            raise
        raise LedgerError(error.strerror or str(error)) from error


def _read(content: bytes) -> tuple[Head, Entries]:
    whole, _, _ = content.rpartition(b"\n")  # what follows was being written
    first, _, rest = whole.partition(b"\n")
    head = _head(first)
    entries: Entries = {}
    for count, one in enumerate(rest.splitlines(), 2):
        try:
            key, *value = json.loads(one)
        except (ValueError, TypeError, RecursionError):
            raise LedgerError(f"line {count} cannot be read") from None
        if value:
            entries[key] = value[0]
        else:
            entries.pop(key, None)
    return head, entries


def _content(path: str) -> bytes:
    with open(open_own(path, os.O_RDONLY), "rb") as file:
        return file.read()


def _head(text: bytes) -> Head:
    try:
        key, fields = json.loads(text)
        version = fields["version"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise LedgerError("its first line cannot be read") from None
    if key != "ledger" or version != VERSION:
        raise LedgerError(f"it is of version {version}, and this daemon reads {VERSION}")
    try:
        return Head(**fields)
    except TypeError:
        raise LedgerError("its first line cannot be read") from None
