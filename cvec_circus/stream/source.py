"""Whose output it is."""

from __future__ import annotations

from typing import NamedTuple


class Source(NamedTuple):
    """Where output comes from. Immutable.

    Attributes:
        watcher: The name of the watcher.
        channel: `stdout` or `stderr`.
        pythonpath: Its PYTHONPATH, where a class of one's own may be.
    """

    watcher: str = ""
    channel: str = "stdout"
    pythonpath: str = ""
