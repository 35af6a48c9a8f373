"""Attributes of this process: its name in ps and top, and whether it is a child subreaper."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os

COMM = "/proc/self/comm"

PR_SET_CHILD_SUBREAPER = 36


def set_subreaper(on: bool) -> None:
    """Become the child subreaper, the parent of orphans in place of process 1, or cease to be it.

    Raises:
        OSError: The kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(on), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def set_name(name: str) -> None:
    """Name this process: `ps -o comm`, `pgrep` and `top` show up to 15 bytes of it.

    On the main thread, before there are others: a thread inherits the name of its creator.
    """
    with contextlib.suppress(OSError):  # in a sandbox without /proc a name is not worth an error
        with open(COMM, "wb", buffering=0) as file:
            file.write(name.encode("utf-8", "surrogateescape"))


def set_title(title: str) -> None:
    """Name this process, and replace its command line in `ps` where setproctitle is installed."""
    with contextlib.suppress(ImportError):
        importlib.import_module("setproctitle").setproctitle(title)
    set_name(title)
