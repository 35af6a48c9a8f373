"""What a daemon has loaded when it starts."""

from __future__ import annotations

import subprocess
import sys
import unittest

PRINT = "; import sys; print(*sys.modules)"

NEEDED = "import argparse, configobj, logging, random, shlex, subprocess, threading, zmq"
"""What the daemon cannot do without, and what that imports itself."""

LATE = frozenset(
    "ast asyncio cvec_circus.client cvec_circus.ctl cvec_circus.demo cvec_circus.plugins"
    " dataclasses difflib inspect pathlib psutil shutil tempfile urllib.parse".split()
)
"""Each takes milliseconds, or memory, that a daemon which does not need it must not spend."""


def modules(code: str) -> set[str]:
    """Return the modules that are loaded when a new Python has done that."""
    argv = [sys.executable, "-c", code + PRINT]
    return set(subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True).stdout.split())


class TestImports(unittest.TestCase):
    """The daemon starts with nothing that it does not need yet."""

    def test_nothing_is_imported_before_it_is_needed(self) -> None:
        loaded = modules("import cvec_circus.daemon.main")
        self.assertIn("cvec_circus.supervisor.supervisor", loaded)
        self.assertEqual((loaded - modules(NEEDED)) & LATE, set())
