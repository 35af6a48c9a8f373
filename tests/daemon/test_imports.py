"""What a daemon has loaded when it starts."""

from __future__ import annotations

import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

PRINT = "; import sys; print(*sys.modules)"

NEEDED = "import argparse, logging, shlex, subprocess, threading"
"""What the daemon cannot do without, and what that imports itself."""

LATE = frozenset(
    "ast asyncio configobj dataclasses datetime difflib inspect logging.config"
    " logging.handlers pathlib psutil random setproctitle shutil tempfile urllib.parse yaml"
    " zmq"
    " cvec_circus.client cvec_circus.client.tunnel cvec_circus.compat.gone"
    " cvec_circus.config.examination cvec_circus.control.ownership cvec_circus.ctl"
    " cvec_circus.daemon.check cvec_circus.daemon.systemd cvec_circus.demo"
    " cvec_circus.embedding cvec_circus.logs.configured cvec_circus.logs.syslog"
    " cvec_circus.options.hooks cvec_circus.plugins cvec_circus.sockets.unix cvec_circus.stats"
    " cvec_circus.stream.file cvec_circus.stream.history cvec_circus.stream.lines"
    " cvec_circus.stream.own cvec_circus.stream.packing cvec_circus.stream.stdout"
    " cvec_circus.stream.syslog cvec_circus.stream.timed"
    " cvec_circus.supervisor.ending.watcher_cgroups cvec_circus.supervisor.hook_calls"
    " cvec_circus.supervisor.output.histories cvec_circus.system.cgroup"
    " cvec_circus.system.daemonize cvec_circus.system.importing cvec_circus.system.notify"
    " cvec_circus.system.programs cvec_circus.system.syslog cvec_circus.system.virtualenv".split()
)
"""Each takes milliseconds, or memory, that a daemon which does not need it must not spend."""


def modules(code: str) -> set[str]:
    """Return the modules that are loaded when a new Python has done that, without those by which
    an editable installation finds its own."""
    argv = [sys.executable, "-S", "-c", code + PRINT]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True, cwd=ROOT)
    return set(done.stdout.split())


class TestImports(unittest.TestCase):
    """The daemon starts with nothing that it does not need yet."""

    def test_nothing_is_imported_before_it_is_needed(self) -> None:
        loaded = modules("import cvec_circus.config.build, cvec_circus.daemon.daemon")
        loaded |= modules("import cvec_circus.daemon.main as main; main.parse(['x.ini'])")
        self.assertIn("cvec_circus.supervisor.supervisor", loaded)
        self.assertEqual((loaded - modules(NEEDED)) & LATE, set())

    def test_what_is_loaded_after_the_start(self) -> None:
        names = ["daemon.daemon", "daemon.succession"]
        names += ["supervisor.reload.reloading", "supervisor.survival.upgrade"]
        code = "; ".join(f"import cvec_circus.{name}" for name in names)
        loaded = modules(f"{code}; from cvec_circus.commands import table; table.load_all()")
        large = {"ast", "bz2", "lzma", "platform", "random", "shutil", "tempfile"}
        large |= {"configparser", "ipaddress", "logging.config", "pickle", "socketserver"}
        self.assertEqual((loaded - modules(NEEDED)) & large, set())

    def test_no_annotation_is_compiled(self) -> None:
        # The first one loads the syntax tree: 200 KiB.
        refused = "typing.ForwardRef = type('Refused', (), {'__new__': None})"
        code = f"import typing; {refused}; import cvec_circus.daemon.daemon"
        self.assertIn("cvec_circus.core.watcher", modules(code))

    def test_what_a_command_line_is_read_with(self) -> None:
        loaded = modules("import cvec_circus.daemon.main")
        self.assertEqual(loaded & {"zmq", "configobj", "subprocess", "socket"}, set())

    def test_what_a_program_goes_to_the_background_with(self) -> None:
        loaded = modules("from cvec_circus.circusd import daemonize")
        self.assertEqual(loaded & {"zmq", "configobj", "argparse", "subprocess", "socket"}, set())
