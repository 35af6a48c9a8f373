"""Other installations of cvec_circus: another version, and such as cannot take over."""

from __future__ import annotations

import atexit
import functools
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def python(folder: Path, *lines: str) -> str:
    """Write a program in place of a Python, which does this first; return its path."""
    path = folder / "python"
    text = "\n".join(["#!/bin/sh", *lines, f'exec {shlex.quote(sys.executable)} "$@"', ""])
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def version(number: str, **replaced: str | None) -> str:
    """Install another version, once for the whole run; return the path of its Python.

    All of it is this one, but for its number, and for the modules that are given by their names,
    with a dot for a slash, and their text, None for a module that it does not have.
    """
    key = repr((number, sorted(replaced.items())))
    if key not in _INSTALLED:
        _INSTALLED[key] = _install(number, replaced)
    return _INSTALLED[key]


_INSTALLED: dict[str, str] = {}


@functools.cache
def _root() -> Path:
    path = tempfile.mkdtemp(prefix="circus-installed-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


def _install(number: str, replaced: Mapping[str, str | None]) -> str:
    folder = _root() / str(len(_INSTALLED))
    source, package = ROOT / "cvec_circus", folder / "cvec_circus"
    _link(source, package, "*")
    for other in _INSTALLED.values():  # what is compiled by now, so that nothing is compiled twice
        _link(Path(other).parent / "cvec_circus", package, "*.pyc")
    for name, text in replaced.items():
        path = package / f"{name.replace('.', '/')}.py"
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text, encoding="utf-8")
    text = (source / "__init__.py").read_text(encoding="utf-8")
    (package / "__init__.py").unlink()
    (package / "__init__.py").write_text(text.replace('"0.1.0"', f'"{number}"'), encoding="utf-8")
    found = f"export PYTHONPATH={shlex.quote(str(folder))}"
    return python(folder, found, "unset PYTHONDONTWRITEBYTECODE")


def _link(source: Path, folder: Path, pattern: str) -> None:
    """Link files that a folder does not have."""
    for path in source.rglob(pattern):
        there = folder / path.relative_to(source)
        if path.is_file() and not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            there.symlink_to(path.resolve())
