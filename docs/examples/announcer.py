"""The smallest plugin that does something."""

from cvec_circus.plugins import CircusPlugin


class Announcer(CircusPlugin):
    """Says which watchers go up and down."""

    name = "announcer"
    schema = {"words": "list(min=2, max=2)"}

    def handle_recv(self, data):
        up, down = self.config["words"]
        watcher, action, _ = self.split_data(data)
        if action == "start":
            pids = self.call("list", name=watcher)["pids"]
            print(watcher, f"{up}:", *pids)
        elif action == "stop":
            print(watcher, down)
