"""A program whose watchers are a tuple, nameless, with a umask and numbers as text."""

from circus import get_arbiter
from embedder import CONTROL, EVENTS, run, say, text_of, until

arbiter = get_arbiter(
    (
        {"cmd": "sleep 1000", "numprocesses": "2", "copy_env": True},
        {"cmd": "sh -c 'umask > told; exec sleep 1000'", "copy_env": True},
    ),
    controller=CONTROL,
    pubsub_endpoint=EVENTS,
    umask=0o027,
    check_delay=1,
)


def talk(client):
    say(until(lambda: text_of("told")))
    until(lambda: len(client.send_message("list", name="sleep").get("pids", ())) == 2)
    say(client.send_message("list")["watchers"])


run(arbiter, talk)
