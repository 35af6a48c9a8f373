"""A plugin that restarts a watcher when a file has changed."""

import os

from circus import get_arbiter
from circus.plugins import CircusPlugin
from circus.util import AsyncPeriodicCallback
from embedder import CONTROL, EVENTS, run, say, text_of, until


class AutoRestart(CircusPlugin):
    name = "autorestart"

    def __init__(self, *args, **config):
        super().__init__(*args, **config)
        self.path = config["path"]
        self.seen = self.look()

    def look(self):
        return os.path.exists(self.path) and os.stat(self.path).st_mtime_ns

    def handle_init(self):
        self.period = AsyncPeriodicCallback(self.look_after, float(self.config["rate"]) * 1000)
        self.period.start()
        open(os.path.join(os.path.dirname(self.path), "looking"), "w").close()

    def handle_stop(self):
        self.period.stop()

    def handle_recv(self, data):
        name, action, message = self.split_data(data)
        if name == "web" and action == "reap":
            self.load_message(message)["process_pid"]

    def look_after(self):
        now = self.look()
        if now != self.seen:
            self.seen = now
            self.call("restart", name="web")


def talk(client):
    pids = until(lambda: client.send_message("list", name="web").get("pids"))
    until(lambda: client.send_message("list", name="plugin:auto").get("pids"))

    until(lambda: os.path.exists("looking"))
    with open("changed", "a") as file:
        file.write("again\n")

    def other():
        now = client.send_message("list", name="web").get("pids")
        return now and now != pids

    until(other)
    say(text_of("changed")[:5])


if __name__ == "__main__":
    use = {"use": "autorestart.AutoRestart", "name": "plugin:auto", "rate": "0.1"}
    plugins = [{**use, "path": os.path.abspath("changed")}]
    web = {"name": "web", "cmd": "sleep 1000", "copy_env": True}
    run(get_arbiter([web], controller=CONTROL, pubsub_endpoint=EVENTS, plugins=plugins), talk)
