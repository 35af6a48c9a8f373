"""Calls of the system that fail at one place of the source: the daemon in tests/children/refusing.

Where strace refuses what the kernel is asked for, by the number of the call, this refuses what one
line of cvec_circus asks for. So each line that can fail does, once, and a life has them all.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
from pathlib import Path
from typing import NamedTuple

from tests.support.daemon import folder
from tests.support.leaks import LeakCheckedTestCase

PROGRAM = Path(__file__).resolve().parents[1] / "children" / "refusing.py"

NO_FILE = ("EMFILE", "ENOMEM")
FILE = (*NO_FILE, "EACCES")
NAME = ("EACCES", "ENOSPC")
WRITE = ("ENOSPC", "EIO")

ERRORS: dict[str, tuple[str, ...]] = {
    "open": (*FILE, "MemoryError"),
    "os.open": (*FILE, "EIO"),
    "os.read": ("MemoryError",),  # of pipes; of a file, only what is short in us
    "os.pread": ("EIO",),
    "os.write": (*WRITE, "EAGAIN"),
    "os.writev": WRITE,
    "os.pwrite": WRITE,
    "os.ftruncate": WRITE,
    "os.pipe": NO_FILE,
    "os.pipe2": NO_FILE,
    "os.dup": NO_FILE,
    "os.memfd_create": NO_FILE,
    "os.stat": ("EACCES", "ENOMEM"),
    "os.lstat": ("EACCES", "ENOMEM"),
    "os.fstat": ("EIO",),
    "os.statvfs": ("EIO",),
    "os.listdir": (*FILE, "EIO"),
    "os.scandir": FILE,
    "os.readlink": ("EACCES", "ENOMEM"),
    "os.unlink": ("EACCES", "EROFS"),
    "os.rename": NAME,
    "os.replace": NAME,
    "os.link": NAME,
    "os.mkdir": NAME,
    "os.makedirs": NAME,
    "os.rmdir": ("EACCES", "ENOTEMPTY"),
    "os.chmod": ("EPERM",),
    "os.fchmod": ("EPERM",),
    "os.chown": ("EPERM",),
    "os.fchown": ("EPERM",),
    "os.kill": ("EPERM",),
    "os.killpg": ("EPERM",),
    "os.pidfd_open": NO_FILE,
    "signal.pidfd_send_signal": ("EPERM",),
    "fcntl.fcntl": ("EMFILE",),
    "fcntl.ioctl": ("EINVAL",),
    "fcntl.flock": ("ENOLCK",),
    "fcntl.lockf": ("ENOLCK", "EACCES"),
    "select.epoll": NO_FILE,
    "epoll.register": ("ENOMEM", "ENOSPC"),
    "epoll.modify": ("ENOMEM",),
    "socket.init": NO_FILE,
    "socket.bind": ("EADDRINUSE", "EACCES"),
    "socket.listen": ("ENOMEM",),
    "socket.accept": ("EMFILE", "ECONNABORTED"),
    "socket.connect": ("ECONNREFUSED", "EACCES"),
    "socket.connect_ex": ("EACCES",),
    "socket.send": ("ENOBUFS",),
    "socket.sendto": ("ENOBUFS", "ECONNREFUSED"),
    "socket.sendmsg": ("ENOBUFS",),
    "socket.recv": ("ENOMEM",),
    "socket.recv_into": ("ENOMEM",),
    "socket.recvmsg": ("ENOMEM",),
    "socket.setsockopt": ("ENOMEM",),
    "socket.getsockname": ("ENOBUFS",),
    "Popen.init": ("EAGAIN", "ENOMEM", "MemoryError"),
    "Thread.start": ("RuntimeError",),
}
"""What each call may answer though nothing is wrong with what it was given. One that is not here
cannot fail then: the kernel does not say of a process that lives that there is none."""


class Refusal(NamedTuple):
    """What fails. Immutable; an empty one fails nothing.

    Attributes:
        site: Where: module, line and call.
        error: The name of an errno, or of an exception.
        skip: How many calls there succeed before.
    """

    site: str = ""
    error: str = ""
    skip: int = 0


NOTHING = Refusal()


class Port:
    """The calls of one daemon, which may be refused. Owned by the test.

    Attributes:
        wrapper: The argv in front of the daemon's.
    """

    def __init__(self, test: LeakCheckedTestCase) -> None:
        self._folder = folder(test)
        (self._folder / "bell").write_bytes(b"\0")
        with open(self._folder / "bell", "r+b") as file:
            self._bell = mmap.mmap(file.fileno(), 1)
        test.addCleanup(self._bell.close)
        self.wrapper = [sys.executable, PROGRAM, PROGRAM.parents[2], self._folder]
        self.plan("start")

    def plan(self, phase: str, refusal: Refusal = NOTHING) -> None:
        """Refuse that from now on; nothing if it is empty."""
        new = self._folder / "plan.new"
        new.write_text(json.dumps({"phase": phase, **refusal._asdict()}))
        os.replace(new, self._folder / "plan")
        (self._folder / "hits").write_bytes(b"")
        self._bell[0] = (self._bell[0] + 1) % 256

    @property
    def has_hit(self) -> bool:
        """Whether what is planned has failed."""
        return bool((self._folder / "hits").read_bytes())

    def seen(self) -> dict[str, list[str]]:
        """Return the sites that were reached in each phase."""
        found: dict[str, dict[str, None]] = {}
        for line in (self._folder / "seen").read_text().splitlines():
            phase, _, site = line.partition(" ")
            found.setdefault(phase, {})[site] = None
        return {phase: list(sites) for phase, sites in found.items()}


def refusals(sites: list[str]) -> list[Refusal]:
    """List what can fail at these sites."""
    return [
        Refusal(site, error) for site in sites for error in ERRORS.get(site.rpartition(":")[2], ())
    ]
