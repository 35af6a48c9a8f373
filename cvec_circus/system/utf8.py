"""UTF-8 for our programs, whatever the locale says."""

from __future__ import annotations

import codecs
import os
import sys


def require() -> None:
    """Begin this program anew in Python's UTF-8 mode, unless names of files are UTF-8 already.

    A locale such as POSIX may make them ASCII, and nothing can change that later. To be called at
    the start of a program, on its only thread: the process stays, its pid and its open files too.
    """
    if codecs.lookup(sys.getfilesystemencoding()).name != "utf-8" and sys.executable:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *_arguments()])


def _arguments() -> list[str]:
    """Return what Python was started with, less its own name."""
    if sys.version_info >= (3, 10):
        return sys.orig_argv[1:]
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is None:
        return sys.argv
    name = spec.name
    name = name[: -len(".__main__")] if name.endswith(".__main__") else name
    return ["-m", name, *sys.argv[1:]]
