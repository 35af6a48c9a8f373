"""cvec_circusctl in the test's own process, with a fake daemon to talk to."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any, NamedTuple

from cvec_circus.ctl.main import main
from tests.control.control_case import ControlCase


class Run(NamedTuple):
    """Immutable. What a command line came to."""

    code: int
    out: str
    err: str


def run(*argv: str) -> Run:
    """Run a command line."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(argv)
        except SystemExit as end:
            code = int(end.code or 0)
    return Run(code, out.getvalue(), err.getvalue())


class CtlCase(ControlCase):
    """Runs command lines against a FakeTarget."""

    def ctl(self, *argv: str) -> Run:
        """Run a command line that ends successfully."""
        result = run("--endpoint", self.address, *argv)
        self.assertEqual((result.code, result.err), (0, ""), argv)
        return result

    def fails(self, code: int, *argv: str) -> Run:
        """Run a command line that ends with that code."""
        result = run("--endpoint", self.address, *argv)
        self.assertEqual(result.code, code, result)
        return result

    def sent(self) -> dict[str, Any]:
        """The last request that has reached the daemon, but for pings."""
        frames = self.loop.ask(lambda: list(self.frames))
        messages = [json.loads(frame) for frame in frames]
        return [message for message in messages if message["command"] != "ping"][-1]
