"""Requests: how long one takes, how many fit into a second."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

from tests.bench.peers.environments import python
from tests.bench.peers.subject import ROOT, Running, Subject
from tests.bench.row import Measured, Metric, Row, Target
from tests.bench.world import Asking, Taken, World, median, quantile, wall

CHEAP = {"circus": "numwatchers", "supervisor": "supervisor.getState", "echo": "-"}
STATS = {"circus": "stats", "supervisor": "supervisor.getAllProcessInfo"}
CLIENTS_AT_ONCE = 8


class Echo(Running):
    """A bare ROUTER instead of a daemon. Owned by the measurement."""

    def __init__(self, folder: Path, kind: str) -> None:
        endpoint = f"ipc://{folder}/echo"
        argv = [sys.executable, "-m", "tests.bench.tools.echo", endpoint, kind]
        super().__init__(
            argv,
            folder,
            env={"PYTHONPATH": str(ROOT)},
            protocol="echo" if kind == "raw" else "circus",
            endpoint=endpoint,
        )


def request(subject: Subject, world: World) -> Measured:
    """One client, one request after the other."""
    with subject.start(world.folder, [world.program("one")]) as running:
        world.reports.take(1)
        return _request(running, world)


def _request(running: Running, world: World) -> Measured:
    asked = world.requests(running, CHEAP[running.protocol], world.n(4000, 500))
    took = [seconds for _, seconds in asked]
    return {
        "request_p50": 1000 * median(took),
        "request_p99": 1000 * quantile(took, 0.99),
    }


def echo(world: World) -> Measured:
    """The same with an echo."""
    with Echo(world.folder, "raw") as running:
        return _request(running, world)


def clients(subject: Subject, world: World) -> Measured:
    """Eight client processes that ask as fast as they can."""
    with subject.start(world.folder, [world.program("one")]) as running:
        world.reports.take(1)
        return _clients(running, world)


def _clients(running: Running, world: World) -> Measured:
    with contextlib.ExitStack() as stack:
        everybody: list[Asking] = [
            stack.enter_context(world.client(running, CHEAP[running.protocol]))
            for _ in range(world.n(CLIENTS_AT_ONCE, 4))
        ]
        for asking in everybody:
            asking.begin()
        world.reports.pause(world.n(4, 1))
        asked: list[Taken] = [asking.end() for asking in everybody]
    begin = max(taken[0][0] for taken in asked)
    end = min(taken[-1][0] for taken in asked)
    count = sum(begin <= at <= end for taken in asked for at, _ in taken)
    return {"requests": count / (end - begin)}


def json_echo(world: World) -> Measured:
    """The same with a ROUTER that does nothing but JSON."""
    with Echo(world.folder, "json") as running:
        return _clients(running, world)


def stats(subject: Subject, world: World) -> Measured:
    """`stats` of a hundred processes, over and over, while another client asks something cheap."""
    count = world.n(100, 30)
    with subject.start(world.folder, [world.program("w", count=count)]) as running:
        world.reports.take(count)
        command = STATS[running.protocol]
        took = [seconds for _, seconds in world.requests(running, command, world.n(20, 3))]
        with world.client(running, CHEAP[running.protocol]) as asking:
            asking.begin()
            world.requests(running, command, world.n(20, 3))
            beside = [seconds for _, seconds in asking.end()]
    return {"stats": 1000 * median(took), "stats_beside": 1000 * quantile(beside, 0.99)}


def status(subject: Subject, world: World) -> Measured:
    """The command line's client, from its start to its end."""
    with subject.start(world.folder, [world.program("one")]) as running:
        world.reports.take(1)
        return {"status": 1000 * wall([*running.ctl, "status"], world.n(15, 3))}


def bare(world: World) -> Measured:
    """Start a Python that does nothing."""
    return {"status": 1000 * wall([python(), "-c", "pass"], world.n(15, 3))}


def bare_zmq(world: World) -> Measured:
    """Start a Python that imports zmq and argparse, and nothing else."""
    argv = [python(), "-c", "import zmq, argparse"]
    subprocess.run(argv, check=True)
    return {"status": 1000 * wall(argv, world.n(15, 3))}


PEERS = ("circus", "supervisor")

REQUEST = Row(
    "request",
    request,
    (
        Metric("request_p50", "cheap request p50", "ms", Target(0.30)),
        Metric("request_p99", "cheap request p99", "ms", Target(0.80)),
    ),
    PEERS,
    {"echo": echo},
)
CLIENTS = Row(
    "clients",
    clients,
    (
        Metric(
            "requests",
            "requests/s, 8 clients",
            "/s",
            Target(ratios={"json echo": 0.65, "circus": 1.0}, more=True),
        ),
    ),
    PEERS,
    {"json echo": json_echo},
)
STATS_ROW = Row(
    "stats",
    stats,
    (
        Metric("stats", "`stats` of 100 processes", "ms", Target(45)),
        Metric("stats_beside", "cheap request p99 beside it", "ms"),
    ),
    PEERS,
)
STATUS = Row(
    "status",
    status,
    (Metric("status", "`cvec_circusctl status` wall", "ms", Target(45)),),
    PEERS,
    {"python": bare, "python+zmq": bare_zmq},
)
