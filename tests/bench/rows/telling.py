"""What a plugin hears, how soon, and how much of it in a second."""

from __future__ import annotations

import os
import signal
from collections import deque
from pathlib import Path
from typing import Any

import zmq

from cvec_circus.base.clock import SYSTEM
from cvec_circus.wire import messages
from tests.bench.peers.subject import Plugin, Subject
from tests.bench.reports import COUNT, HEARD
from tests.bench.row import Measured, Metric, Row, Target
from tests.bench.rows.dying import MIN_UPTIME
from tests.bench.world import World, median

SETTLE = 1.5
"""Seconds for a plugin of a peer to subscribe after it has said that it is there."""


def probe(world: World, mode: str, tag: str = "probe") -> Plugin:
    """A plugin that reports to us."""
    options = {"mode": mode, "tag": tag, "reports": str(world.reports.path)}
    return Plugin("probe", "Probe", options)


def heard(subject: Subject, world: World) -> Measured:
    """From the death of a process to `handle_recv`."""
    programs = [world.program("w", count=20)]
    with subject.start(world.folder, programs, [probe(world, "deaths")]):
        alive = deque(sorted(world.reports.take(20, tag="w")))
        world.reports.take(1, tag="probe", timeout=30)
        world.reports.pause(SETTLE if subject.name != "ours" else 0.2)
        killed = {}
        until = SYSTEM.monotonic() + world.n(20, 3)
        for _ in range(world.n(150, 20)):
            victim = alive.popleft()
            world.reports.pause(victim.at + MIN_UPTIME - SYSTEM.monotonic())
            killed[victim.pid] = SYSTEM.monotonic()
            os.kill(victim.pid, signal.SIGKILL)
            alive += world.reports.take(1, tag="w", timeout=30)
            if SYSTEM.monotonic() > until:
                break
        world.reports.pause(1.0)
        told = {report.pid: report.at for report in world.reports.drain() if report.kind == HEARD}
    took = [told[pid] - at for pid, at in killed.items() if pid in told]
    return {"heard": 1000 * median(took), "heard_missed": len(killed) - len(took)}


def events(subject: Subject, world: World) -> Measured:
    """Events in a second: from fifty processes that flap, and in a burst without any process."""
    found: Measured = {}
    folder = world.folder / "flapping"
    folder.mkdir()
    programs = [world.program("w", "die", count=50, flaps=True)]
    with subject.start(folder, programs, [probe(world, "count")]):
        world.reports.take(1, tag="probe", timeout=60)
        world.reports.pause(SETTLE if subject.name != "ours" else 0.2)
        found["events_flapping"] = rate(world, world.n(4, 1))
    world.reports.drain()
    if subject.name in ("ours", "circus"):
        folder = world.folder / "burst"
        folder.mkdir()
        found.update(burst(subject, world, folder))
    return found


def rate(world: World, seconds: float) -> float:
    """Return how many events in a second a plugin counts."""
    world.reports.drain()
    world.reports.pause(seconds)
    counts = [report for report in world.reports.drain() if report.kind == COUNT]
    if len(counts) < 2:
        return 0.0
    first, last = counts[0], counts[-1]
    return (last.pid - first.pid) / (last.at - first.at)


def burst(subject: Subject, world: World, folder: Path) -> Measured:
    """Change an option over and over: each change is an event, and no process comes of it."""
    count = world.n(4000, 1000)
    with subject.start(folder, [world.program("one")], [probe(world, "count", "burst")]) as running:
        world.reports.take(1, tag="one")
        world.reports.take(1, tag="burst", timeout=30)
        world.reports.pause(max(SETTLE, MIN_UPTIME))  # ours is ready by then, which is an event
        world.reports.drain()  # what it heard before would make the burst longer
        cast(running.endpoint, count)
        world.reports.pause(world.n(3, 1))
        heard = [
            report
            for report in world.reports.drain()
            if report.kind == COUNT and report.tag == "burst"
        ]
    if len(heard) < 2:
        return {"events_burst": 0.0, "events_missed": count}
    first, last = heard[0], heard[-1]
    return {
        "events_burst": (last.pid - first.pid) / (last.at - first.at),
        "events_missed": max(0, count - last.pid),
    }


def cast(endpoint: str, count: int) -> None:
    """Send orders that nobody waits for."""
    context: zmq.Context[Any] = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.sndhwm = 0
    dealer.connect(endpoint)
    for number in range(count):
        options = {"graceful_timeout": 20 + number % 2}
        order = messages.cast("set", {"name": "one", "options": options})
        dealer.send(messages.encode(order))
    dealer.close(30_000)
    context.term()


PEERS = ("circus", "supervisor")

HEARD_ROW = Row(
    "heard",
    heard,
    (
        Metric("heard", "death → handle_recv in a plugin, p50", "ms", Target(0.8)),
        Metric("heard_missed", "… deaths never told", "", Target(0)),
    ),
    PEERS,
)
EVENTS = Row(
    "events",
    events,
    (
        Metric(
            "events_flapping", "events/s to a plugin while flapping", "/s", Target(5000, more=True)
        ),
        Metric("events_burst", "… in a burst without spawns", "/s", Target(5000, more=True)),
        Metric("events_missed", "… of that burst never told", "", Target(0)),
    ),
    PEERS,
)
