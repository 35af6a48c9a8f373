"""Files and names that hang until a test lets them go: tests/children/hanging.c as LD_PRELOAD."""

from __future__ import annotations

import os
import shutil
import subprocess
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "children" / "hanging.c"


def library(test: unittest.TestCase, folder: Path) -> dict[str, str]:
    """Build the library in a folder; a test that cannot have it is skipped.

    Returns:
        The variables for the program in which files and names are to hang.
    """
    if shutil.which("cc") is None:
        test.skipTest("there is no C compiler, so nothing can be made to hang")
    built = folder / "hanging.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", str(built), str(SOURCE), "-ldl"], check=True, timeout=60
    )
    return {"LD_PRELOAD": str(built), "SLOW_NAMES": str(folder / "names.gate")}


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
