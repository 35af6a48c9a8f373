"""How costs grow with size: what must not, and what may."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Callable

from cvec_circus.base.clock import SYSTEM
from cvec_circus.client import Client
from cvec_circus.core.process import ProcessState
from tests.bench import crowd
from tests.bench.peers.ours import Ours, installed
from tests.bench.peers.subject import Program
from tests.bench.reports import COUNT
from tests.bench.rows.telling import cast
from tests.bench.tools.teller import EACH
from tests.bench.world import World, median
from tests.support.world import FakeWorld

SIZES = (1, 10, 100, 1000, 5000, 10_000)

CROWD = (
    ("start", "start of N processes", "s"),
    ("pss", "PSS of the daemon, N processes", "MiB"),
    ("respawn", "death → respawn p50 among N processes", "ms"),
    ("cpu", "processor time for it, N processes", "µs"),
    ("status", "status, N processes", "ms"),
    ("list", "list of one, N processes", "ms"),
    ("stats", "stats of N processes", "ms"),
    ("stop", "stop of N processes", "s"),
)
"""What is measured of a daemon with a crowd: see `crowd.live`."""

Curve = dict[int, float]


@dataclass(frozen=True)
class Growth:
    """One cost over its size. Immutable."""

    key: str
    title: str
    unit: str
    measure: Callable[[World, int], float]
    quick_sizes: tuple[int, ...] = (1, 100, 1000)


def converge(world: World, size: int) -> float:
    """Decide about one death in a watcher of that many processes; no process in it is real."""
    fake = FakeWorld()
    watcher = fake.up(numprocesses=size)
    fake.advance(100.0)
    took = []
    for _ in range(200 if size <= 1000 else 50):
        pid = next(process.pid for process in watcher.places.fresh)
        began = SYSTEM.monotonic()
        fake.die(pid)
        fake.roster.turn()
        took.append(SYSTEM.monotonic() - began)
        assert watcher.places.fresh and not watcher.places.pending
        fake.advance(20.0)
    assert all(process.state is ProcessState.RUNNING for process in watcher.places.slots.values())
    return 1e6 * median(took)


def status(world: World, size: int) -> float:
    """`status` of that many watchers, none of which has to run."""
    programs = [Program(f"w{number}", ["sleep", "1"], autostart=False) for number in range(size)]
    with Ours().start(world.folder, [*programs, world.program("one")]) as running:
        world.reports.take(1)
        asked = world.requests(running, "status", world.n(50, 10))
    return 1000 * median([seconds for _, seconds in asked])


def replay(world: World, size: int) -> float:
    """A plugin's replay of that many events: from its first to its last, none of them new."""
    # A plugin that reports every 50th event; the rate of a smaller number is that of 50.
    wanted = max(size, 2 * EACH)
    kept = {"event_history": str(wanted + 100)}
    with Ours(kept).start(world.folder, [world.program("one")]) as running:
        world.reports.take(1)
        cast(running.endpoint, wanted)
        with Client(running.endpoint) as client:
            while client.call("events", since=0, limit=1)["seq"] < wanted:
                world.reports.pause(0.02)
        options = {"mode": "count", "tag": "probe", "reports": str(world.reports.path)}
        given = {
            "use": "tests.bench.tools.probe.Probe",
            "config": {"name": "plugin:probe", **options},
            "endpoint": running.endpoint,
            "pubsub_endpoint": running.endpoint.replace("control", "events"),
            "since": 0,
            "log_level": "warning",
        }
        plugin = subprocess.Popen(
            [sys.executable, "-m", "cvec_circus.runtime.runner"],
            env={**os.environ, "CVEC_CIRCUS_PLUGIN": json.dumps(given)},
            cwd=installed(),
        )
        try:
            [born] = world.reports.take(1, tag="probe", timeout=30)
            last = wanted - wanted % EACH
            [end] = world.reports.until(
                lambda report: report.kind == COUNT and report.pid == last, 1, 60
            )
        finally:
            plugin.terminate()
            plugin.wait(30)
    return 1e6 * (end.at - born.at) / last


def adding(world: World, size: int) -> float:
    """Add a watcher beside that many others."""
    programs = [Program(f"w{number}", ["sleep", "1"], autostart=False) for number in range(size)]
    took = []
    with Ours().start(world.folder, [*programs, world.program("one")]) as running:
        world.reports.take(1)
        with Client(running.endpoint) as client:
            for number in range(30):
                began = SYSTEM.monotonic()
                reply = client.call("add", name=f"x{number}", cmd="sleep 1")
                took.append(SYSTEM.monotonic() - began)
                if reply["status"] != "ok":
                    raise OSError(reply.get("reason"))
    return 1e6 * median(took)


def reloading(world: World, size: int) -> float:
    """Read a configuration of that many watchers again, one of which has changed."""
    programs = [Program(f"w{number}", ["sleep", "1"], autostart=False) for number in range(size)]
    took = []
    with Ours().start(world.folder, [*programs, world.program("one")]) as running:
        world.reports.take(1)
        config = world.folder / "circus.ini"
        text = config.read_text()
        with Client(running.endpoint, timeout=60.0) as client:
            for number in range(world.n(20, 3)):
                changed = f"[watcher:w0]\ngraceful_timeout = {number}"
                config.write_text(text.replace("[watcher:w0]", changed, 1))
                began = SYSTEM.monotonic()
                reply = client.call("reloadconfig", waiting=True)
                took.append(SYSTEM.monotonic() - began)
                if reply["status"] != "ok":
                    raise OSError(reply.get("reason"))
    return 1000 * median(took)


GROWTHS = (
    Growth("grow-converge", "deciding about one death in a watcher of N", "µs", converge),
    Growth("grow-status", "status of N watchers", "ms", status),
    Growth("grow-replay", "a plugin's replay of N events, per event", "µs", replay),
    Growth("grow-adding", "adding a watcher beside N", "µs", adding),
    Growth("grow-reloading", "reading N watchers again, one of them changed", "ms", reloading),
    *(
        Growth(f"grow-{which}-{name}", f"{title} {of}", unit, crowd.figure(is_one, name), (1, 100))
        for which, is_one, of in (("one", True, "in one watcher"), ("many", False, "in as many"))
        for name, title, unit in CROWD
    ),
)
