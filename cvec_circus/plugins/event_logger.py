"""Logger: writes events to a file, one JSON object per line."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from cvec_circus.plugins import CircusPlugin
from cvec_circus.plugins.selection import SELECTION, Selection
from cvec_circus.stream.base import Context
from cvec_circus.stream.file import FollowingFileStream

LOOK_DELAY = 60_000
"""Milliseconds between two checks for losses not logged yet."""


class Logger(CircusPlugin):
    """Writes events to a file, one JSON object per line. Runs on the plugin thread.

    It uses the class that writes the output of processes: the plugin survives whatever happens to
    the file, and reports lost lines in the daemon's log.

    Options:
        filename: The file.
        max_bytes: The size at which a new file is begun; 0 for never.
        backup_count: How many old files are kept.
        compress: Whether old files are compressed.
        watchers: Patterns of names; `!web*` excludes.
        actions: Patterns of events, such as `reap`.
    """

    name = "logger"
    schema: ClassVar = {
        "filename": "string(min=1)",
        "max_bytes": "integer(min=0, default=0)",
        "backup_count": "integer(min=0, default=5)",
        "compress": "boolean(default=False)",
        **SELECTION,
    }

    def __init__(self, *args: Any, **config: Any) -> None:
        """Make it; the file is opened by `handle_init`."""
        super().__init__(*args, **config)
        config = self.config
        self.selection = Selection(config["watchers"], config["actions"])
        self.file = FollowingFileStream(
            config["filename"],
            config["max_bytes"],
            config["backup_count"],
            compress=config["compress"],
            context=Context(do=self.loop.run_in_thread),
        )

    def handle_init(self) -> None:
        """Open the file."""
        self.file.reopen()
        self.loop.periodic(self.file.look, LOOK_DELAY).start()

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Write a line."""
        record = self.selection.record(data)
        if self.selection.takes(record):
            self.file({"data": f"{json.dumps(record)}\n"})

    def handle_stop(self) -> None:
        """Close the file."""
        self.file.close()
