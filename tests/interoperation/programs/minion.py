"""A module of functions that each run one command line, as those of configuration management."""

import subprocess
import sys

from circus import get_arbiter
from embedder import CONTROL, EVENTS, run, say, until


def _circusctl(command, *words):
    argv = [sys.executable, "-m", "circus.circusctl", "--endpoint", CONTROL, command, *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


def watchers():
    return [one for one in _circusctl("list").split(",") if one]


def processes(name):
    return [int(pid) for pid in _circusctl("list", name).split(",") if pid.isdigit()]


def options(name):
    lines = _circusctl("options", name).splitlines()
    return dict(map(str.strip, line.split(":", 1)) for line in lines if ":" in line)


def talk(client):
    until(lambda: len(processes("web")) == 2)
    say(watchers())
    found = options("web")
    say({key: found[key] for key in ("cmd", "numprocesses", "singleton", "graceful_timeout")})
    for words in (
        ("numprocesses", "web"),
        ("incr", "web"),
        ("decr", "web", "2"),
        ("signal", "web", "CONT"),
        ("set", "web", "graceful_timeout", "2"),
        ("get", "web", "graceful_timeout"),
        ("rm", "web"),
        ("numwatchers",),
    ):
        say([words[0], _circusctl(*words)])


web = {"name": "web", "cmd": "sleep 1000", "numprocesses": 2, "copy_env": True}
run(get_arbiter([web], controller=CONTROL, pubsub_endpoint=EVENTS), talk)
