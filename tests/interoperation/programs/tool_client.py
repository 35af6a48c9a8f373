"""A client that gives `add` all that it knows of a program, and asks for more than there is."""

from circus import get_arbiter
from embedder import CONTROL, EVENTS, run, say, until


def talk(client):
    added = client.call(
        {
            "command": "add",
            "properties": {
                "name": "web",
                "cmd": "sleep",
                "args": ["1000"],
                "start": True,
                "waiting": True,
                "options": {"numprocesses": 2, "copy_env": True},
                "description": "a web server",
                "tags": ["a", "b"],
                "numprocesses": 5,
            },
        }
    )
    say(added["status"])
    until(lambda: len(client.send_message("list", name="web").get("pids", ())) == 2)
    for command, more in (
        ("status", {"waiting": True}),
        ("numwatchers", {"waiting": False, "match": "glob"}),
        ("get", {"name": "web", "keys": ["args", "numprocesses"], "waiting": True}),
    ):
        reply = client.send_message(command, **more)
        say({key: reply[key] for key in ("statuses", "numwatchers", "options") if key in reply})
    say(client.send_message("rm", name="web", waiting=True)["status"])


run(get_arbiter([], controller=CONTROL, pubsub_endpoint=EVENTS), talk)
