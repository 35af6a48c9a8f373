"""Files and names that hang until a test lets them go: tests/children/hanging.c as LD_PRELOAD."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "children" / "hanging.c"


def library(test: unittest.TestCase, folder: Path) -> dict[str, str]:
    """Put the library into a folder; a test that cannot have it is skipped.

    Returns:
        The variables for the program in which files and names are to hang.
    """
    if shutil.which("cc") is None:
        test.skipTest("there is no C compiler, so nothing can be made to hang")
    built = folder / "hanging.so"
    built.write_bytes(_build())
    return {"LD_PRELOAD": str(built), "SLOW_NAMES": str(folder / "names.gate")}


@functools.cache
def _build() -> bytes:
    """Build the library, once for all tests."""
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder, "hanging.so")
        cc = ["cc", "-shared", "-fPIC", "-o", str(built), str(SOURCE), "-ldl"]
        subprocess.run(cc, check=True, timeout=60)
        return built.read_bytes()


def hang(path: Path, text: str) -> Path:
    """Write a file that nobody can open before `let_go`."""
    path.write_text(text, encoding="utf-8")
    os.mkfifo(f"{path}.gate")
    return path


def let_go(path: Path) -> None:
    """Let whoever opens a file open it, in this moment and later. Waits until there is one."""
    with open(f"{path}.gate", "wb"):
        pass
    os.unlink(f"{path}.gate")
