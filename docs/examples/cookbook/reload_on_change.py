import glob
import os

from cvec_circus.plugins import CircusPlugin


class ReloadOnChange(CircusPlugin):
    """Reloads a watcher when one of its files changes."""

    name = "reload_on_change"
    schema = {"watcher": "string", "files": "list(min=1)", "interval": "float(min=0.01, default=1)"}

    def handle_init(self):
        self.seen = self.look()
        self.loop.periodic(self.check, self.config["interval"] * 1000).start()

    def look(self):
        found = [path for each in self.config["files"] for path in glob.glob(each, recursive=True)]
        return {path: os.stat(path).st_mtime_ns for path in found}

    def check(self):
        before, self.seen = self.seen, self.look()
        if self.seen != before:
            self.cast("reload", name=self.config["watcher"])

    def handle_recv(self, data):
        pass
