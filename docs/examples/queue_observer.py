"""Tells a statsd how many files wait in a directory."""

import os

from cvec_circus.plugins.statsd import BaseObserver


class QueueObserver(BaseObserver):
    """Counts the files in `directory` every `loop_rate` seconds."""

    name = "queue"
    default_app_name = "queue"
    schema = {**BaseObserver.schema, "directory": "string"}

    def look_after(self):
        waiting = len(os.listdir(self.config["directory"]))
        self.statsd.gauge("waiting", waiting)
