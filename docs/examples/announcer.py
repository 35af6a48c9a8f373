"""The smallest plugin that does something."""

from cvec_circus.plugins import CircusPlugin


class Announcer(CircusPlugin):
    name = "announcer"

    def __init__(self, *args, **config):
        super().__init__(*args, **config)
        self.up, self.down = config["words"].split(", ")

    def handle_recv(self, data):
        watcher, action, _ = self.split_data(data)
        if action == "start":
            pids = self.call("list", name=watcher)["pids"]
            print(watcher, self.up, "with", len(pids), "processes")
        elif action == "stop":
            print(watcher, self.down)
