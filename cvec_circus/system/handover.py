"""What a program hands to the one that it executes in its place: a document in memory, and files.

The document is JSON, on the first line of a file in memory, with blocks of bytes behind it, which
the document names by their places. Files keep their numbers over an exec, so the document names
them by these; it also lists them all, so that the program that comes can close what it has no use
for. `VARIABLE` has the number of the file in memory.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, MutableMapping
from typing import Any

VARIABLE = "CVEC_CIRCUS_HANDOVER"

FORMAT = 2
"""The version of the document; a program takes over from no other one."""

Place = list[int]
"""Where a block is: its offset and its size."""


class HandoverError(Exception):
    """What was handed over cannot be taken over; the text says why."""


class Handover:
    """Puts together what is handed over. Owned by one thread.

    Attributes:
        files: The files that stay open over the exec.
    """

    def __init__(self) -> None:
        self.files: list[int] = []
        self._blocks: list[bytes] = []
        self._size = 0

    def file(self, fd: int) -> int:
        """Hand over a file; return its number, for the document."""
        self.files.append(fd)
        return fd

    def block(self, content: bytes) -> Place:
        """Hand over bytes; return their place, for the document."""
        place = [self._size, len(content)]
        self._blocks.append(content)
        self._size += len(content)
        return place

    def write(self, document: Mapping[str, Any]) -> int:
        """Write the document and the blocks; return the file, which the caller closes.

        Raises:
            OSError: There is no memory or no descriptor for it.
        """
        head = {"format": FORMAT, "files": self.files, **document}
        text = json.dumps(head, separators=(",", ":")).encode()
        fd = os.memfd_create("cvec_circus-handover", os.MFD_CLOEXEC)
        try:
            with open(fd, "wb", closefd=False) as file:
                file.writelines([text, b"\n", *self._blocks])
        except BaseException:
            os.close(fd)
            raise
        return fd


class Inherited:
    """What was handed over. Owned by one thread.

    Args:
        content: What `Handover.write` has written.

    Attributes:
        document: The document.

    Raises:
        HandoverError: It is of another format, or is none.
    """

    def __init__(self, content: bytes) -> None:
        head, _, self._blocks = content.partition(b"\n")
        try:
            self.document: dict[str, Any] = json.loads(head)
            found = self.document["format"]
            self._left = dict.fromkeys(self.document["files"])
        except (ValueError, TypeError, KeyError):
            raise HandoverError("its first line cannot be read") from None
        if found != FORMAT:
            raise HandoverError(f"it is of format {found}, and this version reads {FORMAT}")

    def hold(self) -> None:
        """Let no child inherit the files."""
        for fd in self._left:
            with contextlib.suppress(OSError):  # it was closed between
                os.set_inheritable(fd, False)

    def file(self, fd: int) -> int:
        """Take over a file, which is the caller's now.

        Raises:
            HandoverError: It is not there, or is taken already.
        """
        try:
            del self._left[fd]
        except KeyError:
            raise HandoverError(f"file {fd} was not handed over, or is in use twice") from None
        return fd

    def block(self, place: Place) -> bytes:
        """Return a block by its place."""
        offset, size = place
        return self._blocks[offset : offset + size]

    def again(self, **changes: Any) -> int:
        """Write it anew, with changes of the document; return the file, which the caller closes.

        For a program that takes over instead, so nothing of it may have been used.

        Raises:
            OSError: See `Handover.write`.
        """
        out = Handover()
        out.block(self._blocks)
        return out.write({**self.document, **changes})

    def close(self) -> None:
        """Close the files that were not taken over, and drop the blocks."""
        for fd in self._left:
            with contextlib.suppress(OSError):
                os.close(fd)
        self._left.clear()
        self._blocks = b""


def pending(environ: Mapping[str, str]) -> bool:
    """Return whether something was handed over to this program."""
    return VARIABLE in environ


def receive(environ: MutableMapping[str, str]) -> Inherited | None:
    """Take what was handed over out of the environment; None if nothing was.

    The file in memory is read wherever it stands, and closed: another process may share it.

    Raises:
        HandoverError: It cannot be read.
    """
    number = environ.pop(VARIABLE, "")
    if not number:
        return None
    try:
        fd = int(number)
        try:
            content = os.pread(fd, os.fstat(fd).st_size, 0)
        finally:
            os.close(fd)
    except (OSError, ValueError) as error:
        raise HandoverError(f"{VARIABLE}={number}: {error}") from None
    return Inherited(content)
