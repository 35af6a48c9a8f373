"""Plugins of ours that report what they hear, and others that do what plugins do, or must not."""

from __future__ import annotations

import json
import threading
from typing import Any

from cvec_circus.plugins import CircusPlugin
from cvec_circus.plugins.event_logger import Logger
from tests.bench.tools.teller import Teller

__all__ = ["Asking", "Blocked", "Logger", "Probe"]


class Probe(CircusPlugin):
    """Reports at once what it hears: with `mode = deaths` each end of a process, else counts."""

    def __init__(self, *args: Any, **config: Any) -> None:
        super().__init__(*args, **config)
        self._deaths = config["mode"] == "deaths"
        self._reports = config["reports"]
        self._tag = config["tag"]
        self._teller: Teller

    def handle_init(self) -> None:
        """Report that it is there."""
        self._teller = Teller(self._reports, self._tag)

    def handle_recv(self, data: Any) -> None:
        """Take an event."""
        topic, text = data
        if not self._deaths:
            self._teller.counted()
        elif topic.endswith(b".reap"):
            self._teller.heard(json.loads(text)["process_pid"])


class Blocked(CircusPlugin):
    """Never comes back from its first event."""

    def handle_recv(self, data: Any) -> None:
        """Block."""
        threading.Event().wait()


class Asking(CircusPlugin):
    """Asks for `stats` over and over."""

    def handle_init(self) -> None:
        """Begin."""
        self.loop.add_callback(self._ask)

    def _ask(self) -> None:
        self.call("stats")
        self.loop.add_callback(self._ask)

    def handle_recv(self, data: Any) -> None:
        """Take no notice."""
