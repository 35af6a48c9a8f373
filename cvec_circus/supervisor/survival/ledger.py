"""The ledger: a dictionary in a file, which survives the daemon.

Each change is a line: a JSON array of the key and the value, or of the key alone where it is taken
away. The last line for a key counts; the first line of the file is its head. What each entry
means is known to `bookkeeper`, which writes them, and `heritage`, which reads them.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import threading
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from cvec_circus import logger
from cvec_circus.base.complaints import SHORTAGES
from cvec_circus.base.named import NamedTuple
from cvec_circus.base.thread import Worker
from cvec_circus.system.statedir import StateDir, judge

FILE, NEW_FILE = "ledger", "ledger.new"

VERSION = 1

TOO_LONG = 4
"""It is written anew when it is so many times as long as the lines that count, and `SLACK`."""

SLACK = 64 * 1024

MOST_UNWRITTEN = 1 << 20
"""Characters that may wait for a file system that hangs, beside as many as count at the moment:
each of thousands of watchers may be written in one turn."""

SETTLE_TIMEOUT = 0.01
"""Seconds that the supervisor waits for a line on a disk."""

END_TIMEOUT = 1.0
"""Seconds that the end of the daemon waits for such a file system."""

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

    When it can no longer be written, that is logged, once, and the file is put aside.

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
        self._head = line("ledger", head._asdict())
        self._live = {key: line(key, value) for key, value in entries.items()}
        self.pending: list[str] = []
        self._size = self._limit = 0  # of the file, and when it is written anew
        self._given = self._taken = 0  # characters given to the thread, and those it is done with
        self._lags = False  # the thread was still writing when it was given the last ones
        self._fd = -1
        self._has_ended = False
        self._worker: Worker | None = None
        self.is_on = True
        self._replace(self._whole())
        if not folder.is_in_memory:
            self._worker = Worker("ledger", self._crashed)
        self.is_prompt = self._worker is None

    def put(self, key: str, text: str) -> None:
        """Set an entry, as `line` writes it, with the next flush."""
        if not self.is_on:
            return
        self._live[key] = text
        self.pending.append(text)

    def drop(self, key: str) -> None:
        """Take an entry away, if it is there, with the next flush."""
        if self._live.pop(key, None) is not None:
            self.pending.append(f"[{quoted(key)}]\n")

    def entries(self) -> Entries:
        """Return the entries as they are by now; none where it is not written any more."""
        return {key: json.loads(text)[1] for key, text in self._live.items()}

    def flush(self) -> None:
        """Write what is new."""
        if not self.pending:
            return
        text = "".join(self.pending)
        self.pending.clear()
        self._size += len(text)
        write = self._append
        if self._size > self._limit:
            self._limit = TOO_LONG * self._live_size() + SLACK
            if self._size > self._limit:
                text, write = self._whole(), self._replace
        if self._worker is not None:
            self._do_later(self._worker, write, text)
            return
        try:
            write(text)
        except OSError as error:
            self._fail(error.strerror or str(error))

    def _whole(self) -> str:
        text = "".join((self._head, *self._live.values()))
        self._size = len(text)
        return text

    def _live_size(self) -> int:
        """Count the characters of the lines that count: not at each change, which takes longer."""
        return sum(map(len, self._live.values()))

    def _do_later(self, worker: Worker, write: Callable[[str], None], text: str) -> None:
        unwritten = self._given - self._taken
        self._lags = unwritten > 0
        excess = unwritten + len(text) - MOST_UNWRITTEN
        if unwritten and excess > 0 and excess > self._live_size():
            self._fail("its file system hangs")
            return
        self._given += len(text)
        try:
            worker.do(self._write_later, write, text)
        except RuntimeError as error:
            self._fail(f"no thread: {error}")

    def settle(self) -> None:
        """Wait a moment until what was flushed is in the file, unless its thread lags already: a
        crash right after the answer to an order would undo that."""
        if self._worker is not None and self.is_on and not self._lags:
            written = threading.Event()
            if self._worker.do(written.set):
                written.wait(SETTLE_TIMEOUT)

    def _write_later(self, write: Callable[[str], None], text: str) -> None:
        """On the thread."""
        try:
            write(text)
        except OSError as error:
            self._post(self._fail, error.strerror or str(error))
        self._taken += len(text)  # not posted: that would wake the supervisor for nothing

    def _crashed(self, error: BaseException, description: str) -> None:
        """On the thread."""
        self._post(self._fail, f"{description} failed: {error!r}")

    def _append(self, text: str) -> None:
        """On the thread, if there is one."""
        encoded = text.encode("ascii")
        if os.write(self._fd, encoded) != len(encoded):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _replace(self, text: str) -> None:
        """On the thread, if there is one."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_EXCL
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._new)
        fd = os.open(self._new, flags, 0o600)
        try:
            before, self._fd = self._fd, fd
            self._append(text)
            os.rename(self._new, self._path)
        except BaseException:
            self._fd = before
            os.close(fd)
            with contextlib.suppress(OSError):
                os.unlink(self._new)
            raise
        if before >= 0:
            os.close(before)

    def _fail(self, reason: str) -> None:
        if not self.is_on:
            return
        self.is_on = False
        self._live.clear()
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


def read(folder: StateDir) -> tuple[Head, Entries] | None:
    """Read the ledger of a folder; None if there is none.

    Raises:
        LedgerError: It is not to be trusted, or of another version.
        OSError: The system is short of something: later it may be possible.
    """
    try:
        content = _content(folder.file(FILE))
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in SHORTAGES:
            raise
        raise LedgerError(error.strerror or str(error)) from error
    whole, _, _ = content.rpartition(b"\n")  # what follows was being written
    first, _, rest = whole.partition(b"\n")
    head = _head(first)
    entries: Entries = {}
    for number, one in enumerate(rest.splitlines(), 2):
        try:
            key, *value = json.loads(one)
        except (ValueError, TypeError):
            raise LedgerError(f"line {number} cannot be read") from None
        if value:
            entries[key] = value[0]
        else:
            entries.pop(key, None)
    return head, entries


def _content(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", path)
        judge(found, path)
        return file.read()


def _head(text: bytes) -> Head:
    try:
        key, fields = json.loads(text)
        version = fields["version"]
    except (ValueError, TypeError, KeyError):
        raise LedgerError("its first line cannot be read") from None
    if key != "ledger" or version != VERSION:
        raise LedgerError(f"it is of version {version}, and this daemon reads {VERSION}")
    try:
        return Head(**fields)
    except TypeError:
        raise LedgerError("its first line cannot be read") from None
