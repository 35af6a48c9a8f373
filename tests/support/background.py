"""A daemon in the background: started by a command that returns, and nobody's child."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import unittest
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.daemon import folder, gone, marked, script
from tests.support.wire import TIMEOUT, Wire


class Background:
    """A folder with a configuration, for `cvec_circusd --daemon`. Owned by the test.

    Attributes:
        folder: Where it is started, and where its pid file is.
        config: Its configuration.
        endpoint: Where it takes commands.
        wire: A client, once it is up.
    """

    wire: Wire

    def __init__(self, test: unittest.TestCase, text: str = "", circus: str = "") -> None:
        self._test = test
        self.folder = folder(test)
        self.config = self.folder / "circus.ini"
        self.endpoint = f"ipc://{self.folder}/control"
        self.pubsub_endpoint = f"ipc://{self.folder}/events"
        head = f"[circus]\nendpoint = {self.endpoint}\npubsub_endpoint = {self.pubsub_endpoint}\n"
        self.config.write_text(f"{head}pidfile = pid\n{circus}\n{text}", encoding="utf-8")
        test.addCleanup(self._clean_up)

    def start(
        self,
        *arguments: object,
        wrapper: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        **options: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Start it, and return what the command comes to; it must return."""
        return subprocess.run(
            [*wrapper, *script("cvec_circusd", self.config.name, "--daemon", *arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.folder,
            env={**os.environ, **(env or {})},
            check=False,
            **options,
        )

    def up(self, *arguments: object, **options: Any) -> Background:
        """Start it, and become its client."""
        done = self.start(*arguments, **options)
        self._test.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        self.wire = Wire(self._test, self.endpoint, self.pubsub_endpoint)
        return self

    @property
    def pid(self) -> int:
        """The pid in its pid file; 0 if there is none."""
        try:
            return int(self.path("pid").read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def path(self, name: str) -> Path:
        """A file in its folder."""
        return self.folder / name

    def ended(self) -> None:
        """Tell it to stop, and wait until it has, and has left nothing."""
        pid = self.pid
        run = self.wire.call("ping")["run"]
        os.kill(pid, signal.SIGTERM)
        self._test.assertTrue(gone(pid), "it does not end")
        self._test.assertEqual(marked(run), [])
        self._test.assertFalse(self.path("pid").exists())

    def _clean_up(self) -> None:
        pid = self.pid
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            if not gone(pid, timeout=TIMEOUT):
                os.kill(pid, signal.SIGKILL)
