"""The file system that a path leads to, found without touching one that may hang."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from cvec_circus.base.named import NamedTuple

TABLE = "/proc/self/mountinfo"

REMOTE = ("9p", "afs", "ceph", "cifs", "fuse", "gluster", "lustre", "nfs", "smb", "virtiofs")
"""Prefixes of the kinds whose server may be gone: then even a stat of a path in them hangs."""

MOST_LINKS = 40


class Mount(NamedTuple):
    """A mounted file system. Immutable."""

    device: str  # MAJOR:MINOR, the same wherever the file system is mounted
    point: str
    kind: str  # such as ext4
    root: str = "/"  # the folder of the file system that is mounted there

    @property
    def is_remote(self) -> bool:
        """Whether a stat of a path in it may hang."""
        return self.kind.startswith(REMOTE)


def read() -> dict[str, Mount]:
    """Return the mounts by mount point. Safe from any thread.

    Raises:
        OSError: There is no table.
    """
    with open(TABLE, encoding="utf-8", errors="surrogateescape") as file:
        return parse(file.read())


def parse(text: str) -> dict[str, Mount]:
    """Parse a table (proc_pid_mountinfo(5)); a later mount covers one at the same point."""
    found = {}
    for line in text.splitlines():
        fields, _, more = line.partition(" - ")
        device, *names = fields.split()[2:5]
        root, point = (
            re.sub(r"\\(\d{3})", lambda one: chr(int(one[1], 8)), name) for name in names
        )
        found[point] = Mount(device, point, more.split()[0], root)
    return found


def find(path: str, table: Mapping[str, Mount]) -> Mount | None:
    """Return the file system that a path leads to, through symbolic links.

    Links inside a remote file system are not followed: reading them may hang. The path need not
    exist.
    """
    here, links = "/", 0
    ahead = os.path.abspath(path).split("/")[::-1]
    while ahead:
        name = ahead.pop()
        if name in ("", ".", ".."):
            here = os.path.dirname(here) if name == ".." else here
            continue
        here = os.path.join(here, name)
        if here in table:
            if table[here].is_remote:
                break
            continue
        try:
            target = os.readlink(here)
        except OSError:
            continue  # no link, or it does not exist yet
        links += 1
        if links > MOST_LINKS:
            break
        here = "/" if target.startswith("/") else os.path.dirname(here)
        ahead += target.split("/")[::-1]
    while here not in table:
        if here == "/":
            return None
        here = os.path.dirname(here)
    return table[here]
