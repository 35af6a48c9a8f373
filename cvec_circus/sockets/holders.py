"""The processes that hold a socket, for the error when an address is taken."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

from cvec_circus.base.figures import first_of

NAMED = 3
"""How many processes an error names."""

LISTENING = "0A"
"""The state of a socket in proc_net(5)."""


def holders(inodes: Iterable[str]) -> str:
    """Name the processes that have sockets of these numbers open, as far as permitted."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc") if wanted else ()):
        with suppress(OSError):  # it has ended, or it is another user's
            links = os.scandir(f"/proc/{pid}/fd")
            with links:
                is_holder = any(_target(link.path) in wanted for link in links)
            if is_holder:
                with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as name:
                    found.append(f"pid {pid} ({name.read().strip()})")
    return first_of(found, NAMED) or "another process"


def listener_of(port: int) -> str:
    """Name the processes that listen on a TCP port of this machine, as far as permitted."""
    inodes = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError), open(table, encoding="ascii") as rows:
            for _, place, _, state, *others in map(str.split, rows):
                if state == LISTENING and place.endswith(f":{port:04X}"):
                    inodes.append(others[5])
    return holders(inodes)


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:  # it was closed just now
        return ""
