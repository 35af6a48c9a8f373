"""Drives a plugin of the installed Circus: python published_plugins.py < what.json

It is a program of its own, because it imports Circus. What it reads: the dotted name of a class,
its configuration, the replies to its calls, the events that it is given, and how often it is to
look after things. What it writes: the commands that it has sent. Numbers go where it sends them.
"""

import importlib
import json
import sys


def main():
    """Do as told."""
    what = json.load(sys.stdin)
    module, _, name = what["class"].rpartition(".")
    found = getattr(importlib.import_module(module), name)
    sent = []

    def call(command, **props):
        return what["replies"][command]

    def cast(command, **props):
        sent.append([command, props])

    plugin = found("tcp://127.0.0.1:1", "tcp://127.0.0.1:2", 1.0, None, **what["config"])
    plugin.call, plugin.cast = call, cast
    for topic, payload in what["events"]:
        plugin.handle_recv((topic.encode(), payload.encode()))
    for _ in range(what["looks"]):
        plugin.look_after()
    json.dump(sent, sys.stdout)


if __name__ == "__main__":
    main()
