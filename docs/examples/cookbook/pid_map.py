import os
from pathlib import Path

from cvec_circus.plugins import CircusPlugin


class PidMap(CircusPlugin):
    """Keeps a file with all processes, for the textfile collector of Prometheus."""

    name = "pid_map"
    schema = {"file": "string"}

    def handle_init(self):
        self.pids = {}
        for watcher in self.call("status")["statuses"]:
            self.look(watcher)

    def handle_recv(self, data):
        _, action, message = self.split_data(data)
        if action in ("spawn", "reap", "remove"):
            self.look(self.load_message(message)["watcher"])

    def look(self, watcher):
        self.pids[watcher] = self.call("list", name=watcher).get("pids", [])
        pairs = [(name, pid) for name, pids in self.pids.items() for pid in pids]
        lines = [f'cvec_circus_process{{watcher="{name}",pid="{pid}"}} 1\n' for name, pid in pairs]
        Path(self.config["file"] + ".new").write_text("".join(lines))
        os.replace(self.config["file"] + ".new", self.config["file"])
