"""Virtual environments: the variables that make a program find the packages in one."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Mapping

KINDS = ("python", "pypy")
"""Names of the folder of an interpreter's packages, before its version."""

_CODE = ("import ", "import\t")


def variables(env: Mapping[str, str], root: str, version: str | None) -> dict[str, str]:
    """Return PATH and PYTHONPATH for programs that run in a virtual environment.

    Its programs come first in PATH. Folders from its .pth files come first in PYTHONPATH, its
    site-packages last, as in Circus. Lines of code in .pth files are not run.

    Args:
        env: The variables so far.
        root: The folder of the environment; a relative one starts at our working directory.
        version: Its version of Python, such as 3.11; None for our own.

    Raises:
        ValueError: It has no packages for that version; the text names the versions it has.
        OSError: They cannot be read.
    """
    root = os.path.abspath(root)
    version = version or "{}.{}".format(*sys.version_info[:2])
    site_packages = _site_packages(root, version)
    linked = _linked(site_packages, os.stat(site_packages).st_mtime_ns)
    given = env.get("PYTHONPATH", "")
    parts = [*linked, *(given.split(os.pathsep) if given else [])]
    found = {"PYTHONPATH": os.pathsep.join([*parts, site_packages])}
    programs = os.path.join(root, "bin")
    if os.path.isdir(programs):
        path = env.get("PATH", "")
        found["PATH"] = os.pathsep.join([programs, path] if path else [programs])
    return found


def _site_packages(root: str, version: str) -> str:
    folders = [os.path.join(root, "lib", kind + version, "site-packages") for kind in KINDS]
    for folder in folders:
        if os.path.isdir(folder):
            return folder
    text = f"virtualenv {root}: there is no {folders[0]}"
    others = _versions(root)
    if others:
        text += f"; it has packages for {' and '.join(others)}, see virtualenv_py_ver"
    raise ValueError(text)


def _versions(root: str) -> list[str]:
    """Return the versions of Python with packages in an environment."""
    try:
        names = sorted(os.listdir(os.path.join(root, "lib")))
    except OSError:
        return []
    return [
        name[len(kind) :]
        for name in names
        for kind in KINDS
        if name.startswith(kind) and os.path.isdir(os.path.join(root, "lib", name, "site-packages"))
    ]


@functools.lru_cache(maxsize=64)
def _linked(site_packages: str, changed: int) -> tuple[str, ...]:
    """Return the folders that the .pth files name, as they were when the folder last changed."""
    found = {}
    for name in sorted(os.listdir(site_packages)):
        if name.endswith(".pth"):
            path = os.path.join(site_packages, name)
            with open(path, encoding="utf-8", errors="replace") as file:
                for line in file:
                    if not line.startswith(("#", *_CODE)) and line.strip():
                        path = os.path.abspath(os.path.join(site_packages, line.rstrip()))
                        found[path] = os.path.exists(path)
    return tuple(path for path, exists in found.items() if exists and path != site_packages)
