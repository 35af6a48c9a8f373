"""A plugin that uses what tornado's loop has for callbacks, timers and files."""

import datetime
import json
import os
import time

from circus import get_arbiter
from circus.plugins import CircusPlugin
from embedder import CONTROL, EVENTS, run, say, text_of, until

READ = 1
ALL = 8


class Loops(CircusPlugin):
    name = "loops"

    def handle_init(self):
        self.seen = []
        self.reads, self.writes = os.pipe()
        soon = datetime.timedelta(milliseconds=50)
        self.loop.add_callback(self.note, "callback", more=1)
        self.loop.spawn_callback(self.note, "spawn")
        self.loop.call_later(0.05, self.note, "later")
        self.loop.add_timeout(time.time() + 0.05, self.note, "timeout")
        self.loop.add_timeout(soon, self.note, "delta")
        self.loop.call_at(self.loop.time() + 0.05, self.note, "at")
        self.loop.remove_timeout(self.loop.call_later(0.05, self.note, "never"))
        self.loop.add_handler(self.reads, self.handle, READ)
        os.write(self.writes, b"x")

    def handle(self, fd, events):
        self.note(f"handler {os.read(fd, 5)!r} {events}")
        self.loop.remove_handler(fd)

    def note(self, what, more=0):
        self.seen.append(f"{what} {more}")
        with open("seen.new", "w") as file:
            json.dump(sorted(self.seen), file)
        os.rename("seen.new", "seen")

    def handle_recv(self, data):
        watcher, action, message = self.split_data(data)
        if (watcher, action) == ("web_2", "spawn"):
            self.note("process_pid" in self.load_message(message))


def seen():
    return json.loads(text_of("seen") or "[]")


def talk(client):
    until(lambda: len(seen()) == ALL - 1)
    client.send_message("start", name="web 2", waiting=True)
    say(until(lambda: len(seen()) == ALL and seen()))


if __name__ == "__main__":
    web = {"name": "Web 2", "cmd": "sleep 1000", "autostart": False}
    plugins = [{"use": "plugin_loop.Loops", "name": "plugin:loops"}]
    run(get_arbiter([web], controller=CONTROL, pubsub_endpoint=EVENTS, plugins=plugins), talk)
