"""Processes that die over and over: how fast they are replaced, and what that leaves behind."""

from __future__ import annotations

from pathlib import Path

from cvec_circus.client import Client
from tests.bench import machine
from tests.bench.peers.subject import Subject
from tests.bench.row import Measured, Metric, Row, Target
from tests.bench.world import World

FLAPPING_AT_ONCE = 50


def flapping(subject: Subject, world: World) -> Measured:
    """Fifty children that end at once, without backoff."""
    programs = [world.program("w", "die", count=FLAPPING_AT_ONCE, flaps=True)]
    with subject.start(world.folder, programs):
        world.reports.take(FLAPPING_AT_ONCE)
        world.reports.pause(1.0)
        world.reports.drain()
        world.reports.pause(world.n(5, 1))
        births = [report.at for report in world.reports.drain()]
    if len(births) < 2:
        return {"flapping": 0.0}
    return {"flapping": (len(births) - 1) / (births[-1] - births[0])}


def deaths(subject: Subject, world: World) -> Measured:
    """Ten thousand deaths, after as many as fill the history of events."""
    programs = [world.program("w", "die", count=FLAPPING_AT_ONCE, flaps=True)]
    with subject.start(world.folder, programs) as running:
        world.reports.take(world.n(6000, 500), timeout=300)
        before = _held(world, running.pid)
        world.reports.take(world.n(10_000, 500), timeout=300)
        after = _held(world, running.pid)
        world.reports.pause(0.2)
        running.stop()
    return {f"deaths_{name}": after[name] - before[name] for name in ("rss", "fds", "threads")} | {
        "deaths_zombies": after["zombies"]
    }


def reloads(subject: Subject, world: World) -> Measured:
    """Two hundred times another configuration, after as many as make it warm."""
    programs = [world.program(f"w{number}", "wait") for number in range(5)]
    with subject.start(world.folder, programs) as running:
        world.reports.take(len(programs))
        config = world.folder / "circus.ini"
        # The history of events grows until it is full, which is not what is measured here.
        one = config.read_text().replace("[circus]\n", "[circus]\nevent_history = 100\n")
        other = one.replace("[watcher:w0]", "[socket:s]\nport = 0\n[watcher:v0]")
        other = other.replace("[watcher:w1]", "[watcher:w1]\ngraceful_timeout = 7")
        other = other.replace("[watcher:w2]", "[env:w2]\nX = 1\n[watcher:w2]")
        with Client(running.endpoint, timeout=60.0) as client:
            _reload(client, config, (one, other), world.n(100, 5))
            before = _held(world, running.pid)
            _reload(client, config, (one, other), world.n(100, 5))
            after = _held(world, running.pid)
        running.stop()
    return {f"reloads_{name}": after[name] - before[name] for name in ("rss", "fds", "threads")}


def _reload(client: Client, config: Path, texts: tuple[str, str], count: int) -> None:
    """Have each of the texts read that many times."""
    for _ in range(count):
        for text in reversed(texts):
            config.write_text(text)
            reply = client.call("reloadconfig", waiting=True)
            if reply["status"] != "ok" or not reply["plan"]["changes"]:
                raise OSError(reply.get("reason", "nothing has changed"))


def _held(world: World, pid: int) -> Measured:
    """What it holds; of files and zombies the least in some looks, since some are on their way."""
    fds, zombies = [], []
    for _ in range(world.n(100, 10)):
        world.reports.pause(0.005)  # looks at one moment would see the same ones
        fds.append(machine.fds(pid))
        zombies.append(machine.zombies(pid))
    return {
        "rss": machine.rss(pid),
        "fds": min(fds),
        "threads": machine.threads(pid),
        "zombies": min(zombies),
    }


FLAPPING = Row(
    "flapping",
    flapping,
    (
        Metric(
            "flapping",
            "respawns/s of 50 flapping children, no backoff",
            "/s",
            Target(700, {"floor": 0.7}, more=True),
        ),
    ),
    ("circus", "supervisor", "runit", "floor"),
)
DEATHS = Row(
    "deaths",
    deaths,
    (
        Metric("deaths_rss", "10 000 deaths: growth of RSS", "MiB", Target(1.0)),
        Metric("deaths_fds", "… of open files", "", Target(4)),
        Metric("deaths_threads", "… of threads", "", Target(0)),
        Metric("deaths_zombies", "… zombies", "", Target(4)),
    ),
)
RELOADS = Row(
    "reloadconfig",
    reloads,
    (
        Metric("reloads_rss", "200 reloads between two files: growth of RSS", "MiB", Target(0.5)),
        Metric("reloads_fds", "… of open files", "", Target(0)),
        Metric("reloads_threads", "… of threads", "", Target(0)),
    ),
)
