"""Small programs for Circus, run on Circus and, renamed, on our package: the same outcome."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

from tests.interoperation.published import OURS, THEIRS, environ, needs_circus
from tests.support.daemon import folder
from tests.support.leaks import LeakCheckedTestCase

PROGRAMS = Path(__file__).with_name("programs")
TIMEOUT = 120.0


@needs_circus
class TestPrograms(LeakCheckedTestCase):
    maxDiff = None

    def begin(self, package: str, name: str) -> subprocess.Popen[str]:
        """Start a program in a folder of its own, with the package in place of `circus`."""
        place = folder(self)
        for source in ("embedder", name):
            text = (PROGRAMS / f"{source}.py").read_text()
            (place / f"{source}.py").write_text(re.sub(r"(?<!\[)\bcircus\b", package, text))
        places = (f"ipc://{place}/control", f"ipc://{place}/events")
        program = subprocess.Popen(
            [sys.executable, f"{name}.py", *places],
            cwd=place,
            env={**environ(), "PYTHONPATH": f"{environ()['PYTHONPATH']}:{place}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(program.communicate)
        self.addCleanup(program.kill)
        return program

    def outcome(self, program: subprocess.Popen[str]) -> list[Any]:
        """Return what a program has said, and its exit code."""
        out, err = program.communicate(timeout=TIMEOUT)
        self.assertEqual(program.returncode, 0, f"{out}\n{err}")
        return [json.loads(line) for line in out.splitlines()]

    def compare(self, name: str) -> None:
        programs = [self.begin(package, name) for package in (THEIRS, OURS)]
        theirs, ours = map(self.outcome, programs)
        self.assertGreater(len(ours), 1)
        self.assertEqual(ours, theirs)

    def test_a_hook_that_edits_the_environment(self) -> None:
        self.compare("hook_env")

    def test_a_stream_with_a_prefix(self) -> None:
        self.compare("stream_prefix")

    def test_a_plugin_with_a_periodic_callback(self) -> None:
        self.compare("autorestart")

    def test_a_client_that_adds_with_more_than_there_is(self) -> None:
        self.compare("tool_client")

    def test_a_reader_of_what_circusctl_prints(self) -> None:
        self.compare("deploy")

    def test_a_module_that_runs_circusctl(self) -> None:
        self.compare("minion")

    def test_the_first_watcher(self) -> None:
        self.compare("first_watcher")

    def test_a_tuple_of_watchers(self) -> None:
        self.compare("tuple_of_watchers")

    def test_an_arbiter_from_a_file(self) -> None:
        self.compare("from_config")

    def test_a_subclass_of_the_arbiter(self) -> None:
        self.compare("subclass")

    def test_a_plugin_that_uses_its_loop(self) -> None:
        self.compare("plugin_loop")

    def test_a_hook_of_a_class_of_watchers(self) -> None:
        self.compare("hook_object")

    def test_a_daemon_of_ones_own(self) -> None:
        self.compare("own_daemon")

    def test_sockets_of_a_program(self) -> None:
        self.compare("own_sockets")


if __name__ == "__main__":
    unittest.main()
