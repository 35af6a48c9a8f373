"""Plugins that behave, that block, and that ask without end: what the daemon notices of them."""

from __future__ import annotations

from tests.bench import machine
from tests.bench.peers.subject import Plugin, Subject
from tests.bench.row import Measured, Metric, Row, Target
from tests.bench.rows.dying import kill_each
from tests.bench.world import World, median, quantile


def measure(subject: Subject, world: World) -> Measured:
    """Respawns without plugins, then respawns and requests beside twelve of them."""
    programs = [world.program("w", count=20)]
    count = world.n(150, 10)
    alone = world.folder / "alone"
    alone.mkdir()
    with subject.start(alone, programs):
        births = world.reports.take(20)
        without = median(kill_each(world, births, count, 15))
    folder = world.folder / "beside"
    folder.mkdir()
    plugins = [
        Plugin(f"logger{number}", "Logger", {"filename": f"{folder}/events{number}"})
        for number in range(world.n(10, 2))
    ]
    plugins += [Plugin("blocked", "Blocked"), Plugin("asking", "Asking")]
    with subject.start(folder, programs, plugins) as running:
        births = world.reports.take(20)
        world.reports.pause(world.n(5, 1))  # many Pythons start
        beside = median(kill_each(world, births, count, 15))
        before = machine.rss(running.pid)
        with world.client(running, "numwatchers") as asking:
            asking.begin()
            world.reports.pause(min(world.soak, world.n(20, 1)))
            asked = [seconds for _, seconds in asking.end()]
        world.reports.pause(max(0.0, world.soak - world.n(20, 1)) if not world.quick else 0)
        grown = machine.rss(running.pid) - before
    return {
        "plugins_ratio": beside / without,
        "plugins_respawn": 1000 * beside,
        "plugins_control": 1000 * quantile(asked, 0.99),
        "plugins_growth": grown,
    }


PLUGINS = Row(
    "plugins",
    measure,
    (
        Metric("plugins_respawn", "12 plugins: respawn p50", "ms"),
        Metric("plugins_ratio", "… to that without plugins", "x", Target(1.3)),
        Metric("plugins_control", "… control p99", "ms", Target(5)),
        Metric("plugins_growth", "… growth of the daemon in --soak seconds", "MiB", Target(5)),
    ),
)
