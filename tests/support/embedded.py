"""An arbiter in the test's own process, with real children."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

from cvec_circus.arbiter import ThreadedArbiter
from tests.support import children
from tests.support.children import Lines
from tests.support.daemon import folder, marked
from tests.support.hurry import WALKING, hurry
from tests.support.leaks import LeakCheckedTestCase
from tests.support.wire import Events, Wire


class EmbeddedCase(LeakCheckedTestCase):
    """Runs one ThreadedArbiter. When the test ends, nothing of it is left.

    Attributes:
        arbiter: It.
        wire: A client of it.
        events: What it publishes.
    """

    arbiter: ThreadedArbiter
    wire: Wire
    events: Events

    def setUp(self) -> None:
        super().setUp()
        hurry(self, WALKING)
        self.folder: Path = folder(self)

    def arbit(self, *watchers: dict[str, Any], **options: Any) -> ThreadedArbiter:
        """Start an arbiter with these watchers; what is not said is made quick."""
        self.arbiter = ThreadedArbiter(
            [{"copy_env": True, **watcher} for watcher in watchers],
            f"ipc://{self.folder}/control",
            f"ipc://{self.folder}/events",
            **options,
        )
        self.arbiter.start()
        self.addCleanup(self._nothing_left)
        self.addCleanup(self.arbiter.stop)
        self.wire = Wire(self, self.arbiter.endpoint, self.arbiter.pubsub_endpoint)
        self.events = self.wire.events
        self.run_id = self.wire.call("ping")["run"]
        return self.arbiter

    def _nothing_left(self) -> None:
        left = marked(self.run_id) if hasattr(self, "run_id") else []
        self.assertEqual(left, [], "processes are left behind")

    def program(self, name: str, *args: object) -> dict[str, Any]:
        """The options that run tests/children/<name>.py with its output where `lines` reads it.

        Its output goes to a pipe by its path, so that the arbiter has no part in it.
        """
        argv = children.command(name, *args)
        return {
            "cmd": shlex.quote("/bin/sh"),
            "args": ["-c", 'exec "$@" >"$0"', self.fifo(), *argv],
        }

    def fifo(self) -> str:
        """A named pipe that `lines` reads; the same each time."""
        path = self.folder / "lines"
        if not path.exists():
            os.mkfifo(path)
            # Read and write, so that there is no end of it while nobody writes.
            self.lines = Lines(os.open(path, os.O_RDWR | os.O_NONBLOCK))
            self.addCleanup(self.lines.close)
        return str(path)

    lines: Lines
