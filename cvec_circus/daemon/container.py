"""The daemon as process 1, mostly of a container.

The kernel gives process 1 the orphans, drops the signals that it has no handler for, and ends the
container with it: `daemon.signals` and `options.typed.PATIENCE` follow from that, and what is here.
"""

from __future__ import annotations

import os
import stat

from cvec_circus import exc


def is_first() -> bool:
    """Return whether this is the first process of its container, or of the machine."""
    return os.getpid() == 1


def refuse_background() -> None:
    """Refuse to go to the background.

    Raises:
        CircusError: This is process 1.
    """
    if is_first():
        raise exc.CircusError("--daemon would end the container with process 1; leave it out")


def share_output() -> None:
    """Let programs of other users open /dev/stdout and /dev/stderr, where these are our pipes.

    A container's runtime makes the pipes for the user that it starts, root as a rule. A pipe has no
    name but those below /proc/PID/fd, so only who has it open already can open it once more.
    """
    for fd in (1, 2):
        try:
            found = os.fstat(fd)
            if stat.S_ISFIFO(found.st_mode) and found.st_uid == os.geteuid():
                os.fchmod(fd, stat.S_IMODE(found.st_mode) | 0o222)
        except OSError:
            pass  # it is closed, or on a file system that is read-only: then all is as it was
