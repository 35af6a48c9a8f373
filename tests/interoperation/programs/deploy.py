"""A deployment script that reads what `circusctl status` prints."""

import subprocess
import sys

from circus import get_arbiter
from embedder import CONTROL, EVENTS, run, say, until


def ctl(*words):
    argv = [sys.executable, "-m", "circus.circusctl", "--endpoint", CONTROL, *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def statuses():
    lines = [line for line in ctl("status").splitlines() if ":" in line]
    return dict(map(str.strip, line.split(":", 1)) for line in lines)


def talk(client):
    until(lambda: client.send_message("status", name="web")["status"] == "active")
    say(statuses())
    say(ctl("stop", "web", "--waiting").strip())
    say(statuses()["web"])
    say(ctl("start", "web", "--waiting").strip())
    say(ctl("status", "web").strip())


watchers = [
    {"name": "web", "cmd": "sleep 1000", "copy_env": True},
    {"name": "idle", "cmd": "sleep 1000", "copy_env": True, "autostart": False},
]
run(get_arbiter(watchers, controller=CONTROL, pubsub_endpoint=EVENTS), talk)
