"""What the programs share: an arbiter on the main thread, and one who asks it on another one."""

import json
import os
import select
import sys
import threading
import time

from circus.client import CircusClient

CONTROL, EVENTS = (*sys.argv[1:3], "", "")[:2]  # without them in a plugin


def say(found):
    """Tell the test something, as a line of JSON."""
    print(json.dumps(found), flush=True)


def until(predicate, timeout=60):
    """Wait until something is so, and return it."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        found = predicate()
        if found:
            return found
        select.select([], [], [], 0.02)
    raise SystemExit("it never was so")


def text_of(path):
    """Return what is in a file, "" if there is none."""
    if not os.path.exists(path):
        return ""
    with open(path) as file:
        return file.read()


def run(arbiter, talk):
    """Start an arbiter; have `talk(client)` called meanwhile, and stop it."""

    def speak():
        client = CircusClient(endpoint=CONTROL, timeout=60)
        try:
            until(lambda: arbiter.running)
            talk(client)
        finally:
            # Circus refuses it while another command runs.
            until(lambda: client.send_message("quit", waiting=True)["status"] == "ok")
            client.stop()

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        arbiter.start()
    finally:
        arbiter.stop()
    thread.join()
    say("ended")
