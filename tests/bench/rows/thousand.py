"""A thousand watchers: start, memory, idleness, a death among them, the death of all, the end."""

from __future__ import annotations

import os
import signal

from cvec_circus.base.clock import SYSTEM
from tests.bench.peers.subject import Running, Subject
from tests.bench.reports import Report
from tests.bench.row import Measured, Metric, Row, Target
from tests.bench.rows.dying import MIN_UPTIME, kill_each, respawn
from tests.bench.world import World, median, quantile


def measure(subject: Subject, world: World) -> Measured:
    """Go through the life of a daemon with a thousand watchers."""
    count = world.n(1000, 100)
    programs = [world.program(f"w{number}") for number in range(count)]
    found: Measured = {}
    with subject.start(world.folder, programs) as running:
        births = world.reports.take(count, timeout=120)
        found["start_1000"] = max(birth.at for birth in births) - running.began
        world.reports.pause(world.n(2, 1))
        found["pss_1000"] = running.pss()
        found.update(idle(running, world))
        took = kill_each(world, births[:20], world.n(100, 20), world.n(15, 2))
        found["respawn_1000"] = 1000 * median(took)
        if subject.name in ("ours", "floor"):
            births = births[20:] if len(took) >= 20 else births[len(took) :]
            found.update(storm(subject, running, world, births))
        world.reports.pause(MIN_UPTIME)
        found["stop_1000"] = running.stop()
    if subject.name == "ours":
        folder = world.folder / "few"
        folder.mkdir()
        few = respawn(subject, world, folder)["respawn_p50"]
        found["respawn_1000_few"] = found["respawn_1000"] / few
    return found


def idle(running: Running, world: World) -> Measured:
    """What it does while nothing happens, scaled to 30 seconds."""
    seconds = world.n(30, 1)
    cpu, switches = running.cpu(), running.switches()
    world.reports.pause(seconds)
    scale = 30 / seconds
    return {
        "idle_cpu": (running.cpu() - cpu) * scale,
        "idle_wakeups": (running.switches() - switches) * scale,
    }


def storm(subject: Subject, running: Running, world: World, births: list[Report]) -> Measured:
    """All die at once while a client asks."""
    if not subject.has_control:
        return {"storm": die(world, births)[1]}
    with world.client(running, "numwatchers") as asking:
        asking.begin()
        world.reports.pause(0.2)
        began, took = die(world, births)
        asked = asking.end()
    during = [seconds for at, seconds in asked if began <= at + seconds and at <= began + took]
    return {"storm": took, "storm_control_p99": 1000 * quantile(during, 0.99)}


def die(world: World, births: list[Report]) -> tuple[float, float]:
    """Kill all, and return the instant and the seconds until all are back."""
    began = SYSTEM.monotonic()
    for birth in births:
        os.kill(birth.pid, signal.SIGKILL)
    back = world.reports.take(len(births))
    return began, max(birth.at for birth in back) - began


THOUSAND = Row(
    "thousand",
    measure,
    (
        Metric(
            "start_1000",
            "start of 1000 watchers x 1",
            "s",
            Target(1.0, {"floor": 1.2}, spread=0.2),
        ),
        Metric("pss_1000", "PSS of the daemon, 1000 watchers", "MiB", Target(19)),
        Metric("idle_cpu", "idle CPU per 30 s, 1000 children", "s", Target(0.004)),
        Metric("idle_wakeups", "wake-ups per 30 s, 1000 children", "", Target(3)),
        Metric(
            "respawn_1000",
            "respawn p50 beside 1000 idle children",
            "ms",
            Target(2.5, {"floor": 1.3}),
        ),
        Metric("respawn_1000_few", "… to that of 20 children", "x", Target(1.1)),
        Metric("storm", "1000 die at once, all back", "s"),
        Metric("storm_control_p99", "control p99 while 1000 die at once", "ms", Target(40)),
        Metric("stop_1000", "graceful stop of 1000", "s", Target(0.15, {"floor": 1.5})),
    ),
    ("circus", "circus/1", "supervisor", "runit", "floor"),
)
