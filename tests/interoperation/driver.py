"""What programs for one of the two packages do: python driver.py PACKAGE WHAT ENDPOINT

It is a program of its own, because it imports Circus. PACKAGE is `circus` or `cvec_circus`; what it
finds out goes to standard output as JSON, a line each.
"""

import contextlib
import importlib
import io
import json
import sys

PATIENCE = 300
BUSY = "arbiter is already running"
"""What Circus says to an order while it carries out another one."""


def say(found):
    print(json.dumps(found), flush=True)


def ctl(package, endpoint):
    """Run command lines that come as JSON; say the exit code and the words of each."""
    module = {"circus": "circus.circusctl", "cvec_circus": "cvec_circus.ctl.main"}[package]
    main = importlib.import_module(module).main
    for words in json.load(sys.stdin):
        for _ in range(PATIENCE):
            sys.argv = [f"{package}ctl", "--endpoint", endpoint, *words]
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                try:
                    code = main()
                except SystemExit as end:
                    code = end.code
            if BUSY not in said.getvalue():
                break
        say([code or 0, said.getvalue()])


def client(package, endpoint):
    """Send messages that come as JSON; say the replies."""
    made = importlib.import_module(f"{package}.client").CircusClient(endpoint=endpoint, timeout=20)
    for message in json.load(sys.stdin):
        for _ in range(PATIENCE):
            reply = made.call(dict(message, properties=dict(message["properties"])))
            if BUSY not in reply.get("reason", ""):
                break
        say(reply)
    made.stop()


def consume(package, endpoint):
    """Say that it begins, then each event until standard input ends."""
    consumer = importlib.import_module(f"{package}.consumer").CircusConsumer
    with consumer(["watcher.web."], endpoint=endpoint) as events:
        say("listening")
        for topic, message in events:
            say([topic.decode(), json.loads(message)])


def stats(package, endpoint):
    """Say each statistic, until it is ended."""
    reader = importlib.import_module(f"{package}.stats.client").StatsClient
    for watcher, subtopic, stat in reader(endpoint):
        say([watcher, subtopic, stat])


if __name__ == "__main__":
    known = {"ctl": ctl, "client": client, "consume": consume, "stats": stats}
    known[sys.argv[2]](sys.argv[1], sys.argv[3])
