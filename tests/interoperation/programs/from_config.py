"""A program that loads its arbiter from a file."""

from circus.arbiter import Arbiter
from embedder import CONTROL, EVENTS, run, say, until

with open("my.ini", "w") as file:
    file.write(
        f"[circus]\nendpoint = {CONTROL}\npubsub_endpoint = {EVENTS}\ncheck_delay = 1\n\n"
        "[socket:empty]\n\n[socket:web]\nhost = 127.0.0.1\nport = 0\n\n"
        "[env]\nMODE = test\n\n"
        "[watcher:web]\ncmd = sleep 1000\nnumprocesses = 2\ncopy_env = True\nsome.option = 5\n"
        "numprocesses = 3\n\n"
        "[watcher:idle]\ncmd = sleep 1000\nautostart = False\ncopy_env = True\n"
    )

arbiter = Arbiter.load_from_config("my.ini")


def talk(client):
    until(lambda: client.send_message("status", name="web")["status"] == "active")
    say(client.send_message("status")["statuses"])
    web = arbiter.get_watcher("web")
    say([web.numprocesses, web.env["MODE"], web._options["some.option"]])
    say(sorted(arbiter.sockets))


run(arbiter, talk)
