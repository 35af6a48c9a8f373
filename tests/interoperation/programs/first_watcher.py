"""A program that takes the first watcher, and reads it and the arbiter as objects."""

from circus.arbiter import Arbiter
from circus.watcher import Watcher
from embedder import CONTROL, EVENTS, run, say, until

watchers = [
    Watcher("web", "sleep", args="1000", numprocesses=2, copy_env=True),
    Watcher("api", "sleep 1000", copy_env=True),
    Watcher("db", "sleep 1000", priority=5, copy_env=True),
]
arbiter = Arbiter(watchers, CONTROL, EVENTS, check_delay=0.5)


def talk(client):
    until(lambda: client.send_message("status")["statuses"].get("api") == "active")
    say([watcher.name for watcher in arbiter.iter_watchers()])
    say([watcher.name for watcher in arbiter.iter_watchers(reverse=False)])
    first = arbiter.iter_watchers()[0]
    say([first.name, first.priority, first.is_active(), len(first.processes)])
    say([arbiter.numwatchers(), arbiter.numprocesses(), arbiter.get_watcher("WEB").name])
    say(arbiter.statuses())


run(arbiter, talk)
