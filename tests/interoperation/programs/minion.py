"""A module of functions that each run one command line, as those of configuration management."""

import contextlib
import io
import sys

from circus import circusctl, get_arbiter
from embedder import CONTROL, EVENTS, run, say, until


def _circusctl(command, *words):
    def run_it():
        # In this process: to start a program for each takes ten times as long.
        sys.argv = ["circusctl", "--endpoint", CONTROL, command, *words]
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            circusctl.main()
        return said.getvalue().strip()

    return until(run_it)  # Circus says nothing there while another command runs


def watchers():
    return [one for one in _circusctl("list").split(",") if one]


def processes(name):
    return [int(pid) for pid in _circusctl("list", name).split(",") if pid.isdigit()]


def options(name):
    lines = _circusctl("options", name).splitlines()
    return dict(map(str.strip, line.split(":", 1)) for line in lines if ":" in line)


def talk(client):
    until(lambda: len(client.send_message("list", name="web").get("pids", ())) == 2)
    say([watchers(), len(processes("web"))])
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
