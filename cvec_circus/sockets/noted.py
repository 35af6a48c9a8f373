"""What a socket records for the next daemon after a crash, and how that daemon resumes it."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cvec_circus.options.socket import TUNABLE

if TYPE_CHECKING:
    from cvec_circus.sockets.unix import OwnPath


class Noted:
    """The part of a managed socket that survives the daemon. Owned by the supervisor thread."""

    if TYPE_CHECKING:  # of `CircusSocket`
        blocking: bool
        path: str | None
        host: str | None
        port: int | None
        owner: int | str | None
        _own_path: OwnPath | None
        _address: Any

        @property
        def location(self) -> str: ...
        def fileno(self) -> int: ...
        def detach(self) -> int: ...
        def _be(self, opened: socket.socket) -> None: ...
        def options(self) -> dict[str, Any]: ...
        def retune(self, options: Any) -> None: ...
        def _mode(self) -> int: ...
        def _error(self, what: str, error: Exception) -> Exception: ...

    def note(self) -> list[Any]:
        """Return what another daemon needs to recognise this socket, in JSON's types."""
        return [self.options(), os.fstat(self.fileno()).st_ino, self._own_path]

    def is_the_one_of(self, note: Sequence[Any]) -> bool:
        """Return whether a recorded socket has the address of this one."""
        noted, own = note[0], self.options()
        return all(own[name] == noted.get(name) for name in own if name not in TUNABLE)

    def adopt(self, fd: int, note: Sequence[Any], was_ours: bool = False) -> None:
        """Become a recorded socket that is already open and taken over.

        Its path is not checked if this process already had it: the daemon looks after it anyway.

        Raises:
            cvec_circus.exc.SocketError: Its path no longer exists, or it cannot be tuned. The file
                stays the caller's.
        """
        taken = socket.socket(fileno=fd)
        try:
            if note[2] is not None:
                self._own_path = self._noted_path(note[2])
                if not was_ours:
                    self._be_at(self._own_path)
            self._address = taken.getsockname()
            self._be(taken)
            wanted = self.options()
            self.blocking = note[0]["blocking"]
            self.retune(wanted)
        except BaseException as error:
            taken.detach()  # of the two, the one that has it
            self.detach()
            self._own_path = None
            if not isinstance(error, OSError):
                raise
            raise self._error(f"cannot resume it at {self.location}", error) from error
        if self.path is None:
            self.host, self.port = self._address[:2]

    def _be_at(self, path: OwnPath) -> None:
        if not path.is_there():
            raise FileNotFoundError(errno.ENOENT, "its path was removed")
        path.give(self._mode(), self.owner)
        path.keep()

    def clear_path(self, note: Sequence[Any]) -> None:
        """Remove the path of a recorded socket, if it is the same and no process serves it."""
        if note[2] is None:
            return
        from cvec_circus.sockets import unix

        path = self._noted_path(note[2])
        with suppress(OSError):
            if path.is_there() and not unix.is_served(path.path):
                path.unlink()

    def _noted_path(self, noted: Sequence[Any]) -> OwnPath:
        from cvec_circus.sockets import unix

        return unix.OwnPath(*noted)
