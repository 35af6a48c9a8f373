"""What a process is called in ps and top."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

COMM = "/proc/self/comm"


def set_name(name: str) -> None:
    """Names this process: what `ps -o comm`, `pgrep` and `top` show, up to 15 bytes of it.

    Called on the main thread, before there are others: a thread has the name of whoever started it.
    """
    with contextlib.suppress(OSError):  # in a sandbox without /proc a name is not worth an error
        with open(COMM, "wb", buffering=0) as file:
            file.write(name.encode("utf-8", "surrogateescape"))


def set_title(title: str) -> None:
    """Names this process, and replaces its command line in `ps` where setproctitle is installed."""
    module = _setproctitle()
    if module is not None:
        module.setproctitle(title)
    set_name(title)


def _setproctitle() -> Any:
    try:
        return importlib.import_module("setproctitle")
    except ImportError:
        return None
