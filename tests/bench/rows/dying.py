"""From the death of a process to the first act of its successor."""

from __future__ import annotations

import os
import signal
from collections import deque
from pathlib import Path

from cvec_circus.base.clock import SYSTEM
from tests.bench.peers.subject import Subject
from tests.bench.reports import Report
from tests.bench.row import Measured, Metric, Row, Target
from tests.bench.world import World, median, quantile

MIN_UPTIME = 1.1
"""Seconds that each process has lived before it is killed: more than ours asks for before it
replaces a process without any backoff."""


def kill_each(world: World, births: list[Report], count: int, budget: float) -> list[float]:
    """Kill processes one by one, oldest first, and return the seconds to each successor's birth.

    Args:
        world: Where their successors report.
        births: Those to kill.
        count: How many deaths.
        budget: Seconds after which no further one is killed.
    """
    alive = deque(sorted(births))
    until = SYSTEM.monotonic() + budget
    took = []
    for _ in range(count):
        victim = alive.popleft()
        world.reports.pause(victim.at + MIN_UPTIME - SYSTEM.monotonic())
        killed_at = SYSTEM.monotonic()
        os.kill(victim.pid, signal.SIGKILL)
        [birth] = world.reports.take(1, timeout=30, tag=victim.tag)
        took.append(birth.at - killed_at)
        alive.append(birth)
        if SYSTEM.monotonic() > until:
            break
    return took


def respawn(subject: Subject, world: World, folder: Path | None = None) -> Measured:
    """Twenty children, killed one after the other."""
    with subject.start(folder or world.folder, [world.program("w", count=20)]):
        births = world.reports.take(20)
        took = kill_each(world, births, world.n(200, 20), world.n(30, 3))
    return {"respawn_p50": 1000 * median(took), "respawn_p99": 1000 * quantile(took, 0.99)}


def flood(subject: Subject, world: World) -> Measured:
    """The same while two neighbours write as much as is read of them."""
    log = "rotating" if "rotating" in subject.logs else "plain"
    programs = [world.program("w", count=20), world.program("f", "flood", count=2, log=log)]
    with subject.start(world.folder, programs):
        births = world.reports.take(20, tag="w")
        took = kill_each(world, births, world.n(60, 20), world.n(20, 3))
    return {"flood_p50": 1000 * median(took)}


def mass(subject: Subject, world: World) -> Measured:
    """Two hundred die at once."""
    count = world.n(200, 50)
    with subject.start(world.folder, [world.program("w", count=count)]):
        births = world.reports.take(count)
        world.reports.pause(MIN_UPTIME)
        began = SYSTEM.monotonic()
        for birth in births:
            os.kill(birth.pid, signal.SIGKILL)
        back = world.reports.take(count)
    return {"mass": max(birth.at for birth in back) - began}


RESPAWN = Row(
    "respawn",
    respawn,
    (
        Metric(
            "respawn_p50",
            "death → respawn p50, 20 children",
            "ms",
            Target(2.0, {"floor": 1.25}),
        ),
        Metric(
            "respawn_p99", "death → respawn p99, 20 children", "ms", Target(7.0, {"floor": 1.25})
        ),
    ),
    ("circus", "circus/1", "supervisor", "runit", "floor"),
)
FLOOD = Row(
    "flood",
    flood,
    (Metric("flood_p50", "respawn p50 during a log flood", "ms", Target(4.0)),),
    ("circus", "supervisor", "floor"),
)
MASS = Row(
    "mass",
    mass,
    (Metric("mass", "200 die at once, all back", "s", Target(0.40, {"floor": 1.25})),),
    ("circus", "supervisor", "runit", "floor"),
)
