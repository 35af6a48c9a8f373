"""The same plugin for Circus; imported by its plugin runner."""

import json

from circus.plugins import CircusPlugin
from teller import Teller


class Probe(CircusPlugin):
    """Reports at once what it hears: with `mode = deaths` each end of a process, else counts."""

    name = "probe"

    def __init__(self, *args, **config):
        super().__init__(*args, **config)
        self._deaths = config["mode"] == "deaths"
        self._reports = config["reports"]
        self._tag = config["tag"]

    def handle_init(self):
        """Report that it is there."""
        self._teller = Teller(self._reports, self._tag)

    def handle_stop(self):
        """Nothing to close."""

    def handle_recv(self, data):
        """Take an event."""
        topic, text = data
        if not self._deaths:
            self._teller.counted()
        elif topic.endswith(b".reap"):
            self._teller.heard(json.loads(text)["process_pid"])
