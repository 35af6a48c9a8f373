"""Other installations of cvec_circus: another version, and such as cannot take over."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def python(folder: Path, *lines: str) -> str:
    """Write a program in place of a Python, which does this first; return its path."""
    path = folder / "python"
    text = "\n".join(["#!/bin/sh", *lines, f'exec {shlex.quote(sys.executable)} "$@"', ""])
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def version(folder: Path, number: str, **replaced: str | None) -> str:
    """Install another version there; return the path of its Python.

    All of it is this one, but for its number, and for the modules that are given by their names,
    with a dot for a slash, and their text, None for a module that it does not have.
    """
    source, package = ROOT / "cvec_circus", folder / "cvec_circus"
    for path in source.rglob("*"):
        if path.is_file() and path.parent.name != "__pycache__":
            there = package / path.relative_to(source)
            there.parent.mkdir(parents=True, exist_ok=True)
            there.symlink_to(path)
    for name, text in replaced.items():
        path = package / f"{name.replace('.', '/')}.py"
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text, encoding="utf-8")
    text = (source / "__init__.py").read_text(encoding="utf-8")
    (package / "__init__.py").unlink()
    (package / "__init__.py").write_text(text.replace('"0.1.0"', f'"{number}"'), encoding="utf-8")
    return python(folder, f"export PYTHONPATH={shlex.quote(str(folder))}")
