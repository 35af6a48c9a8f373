"""Compressing files that were rotated, while the next ones are written."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import shutil
import threading
from typing import BinaryIO

_RENAMING: dict[str, threading.Lock] = {}


def renaming(filename: str) -> threading.Lock:
    """Return the lock that is held while the rotated files of a name are renamed.

    It is never held while anything is read or written. There is one per name, so a hung file system
    holds up no other.
    """
    return _RENAMING.setdefault(filename, threading.Lock())


def pack(filename: str) -> None:
    """Compress every rotated file of that name which is not compressed yet; it becomes `.gz`.

    Call on a thread that may block, one at a time for each name. A file may be rotated further
    meanwhile: it is found again by its inode. If the machine stops in the middle, the file is
    unchanged.

    Raises:
        OSError: One of them cannot be compressed.
    """
    done: set[tuple[int, int]] = set()
    part = f"{filename}.gz-part"
    while True:
        with renaming(filename):
            name = next((n for n in _rotated(filename) if _identity(n) not in done), None)
            if name is None:
                return
            plain = open(name, "rb")
        with plain:
            status = os.fstat(plain.fileno())
            identity = status.st_dev, status.st_ino
            done.add(identity)
            try:
                _compress(plain, part, status)
                with renaming(filename):
                    for name in _rotated(filename):
                        if _identity(name) == identity:
                            os.replace(part, f"{name}.gz")
                            os.unlink(name)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(part)


def _rotated(filename: str) -> list[str]:
    """Return the rotated files of a name that are not compressed, by number or by time."""
    folder, base = os.path.split(filename)
    ours = re.compile(re.escape(base) + r"\.\d+(\.\d+)?")
    return sorted(os.path.join(folder, n) for n in os.listdir(folder) if ours.fullmatch(n))


def _compress(plain: BinaryIO, part: str, status: os.stat_result) -> None:
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as raw:
        os.fchmod(fd, status.st_mode & 0o777)
        with gzip.GzipFile("", "wb", fileobj=raw, mtime=status.st_mtime) as packed:
            shutil.copyfileobj(plain, packed, 256 * 1024)
        raw.flush()
        os.fsync(fd)


def _identity(name: str) -> tuple[int, int]:
    status = os.stat(name)
    return status.st_dev, status.st_ino
