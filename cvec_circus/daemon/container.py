"""The daemon as process 1, mostly of a container.

The kernel gives process 1 the orphans, drops the signals that it has no handler for, and ends the
container with it: `daemon.signals` and `options.typed.PATIENCE` follow from that, and what is here.
"""

from __future__ import annotations

import os

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
