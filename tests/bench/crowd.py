"""Thousands of processes: one watcher with all of them, and as many watchers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from cvec_circus.base.clock import SYSTEM
from cvec_circus.client import Client
from cvec_circus.exc import CircusError
from tests.bench.peers.ours import Ours
from tests.bench.rows.dying import MIN_UPTIME
from tests.bench.world import World, median

Life = dict[str, float]

_lives: dict[tuple[bool, int], Life | Exception] = {}
"""What was measured: each figure of a crowd is a line of its own, and takes the whole life."""


def figure(is_one: bool, name: str) -> Callable[[World, int], float]:
    """Return what measures one figure of a crowd: of one watcher, or of as many as processes."""

    def measure(world: World, size: int) -> float:
        if (is_one, size) not in _lives:
            try:
                _lives[is_one, size] = live(world, size, is_one)
            except (OSError, CircusError) as error:
                _lives[is_one, size] = error
        life = _lives[is_one, size]
        if isinstance(life, Exception):
            raise life
        return life[name]

    return measure


def live(world: World, size: int, is_one: bool) -> Life:
    """Go through the life of a daemon with a crowd."""
    if is_one:
        programs = [world.program("w", count=size)]
    else:
        programs = [world.program(f"w{number}") for number in range(size)]
    with Ours({"event_history": "5000"}).start(world.folder, programs) as running:
        births = world.reports.take(size, timeout=300)
        found = {"start": max(birth.at for birth in births) - running.began}
        world.reports.pause(MIN_UPTIME)
        found["pss"] = running.pss()
        took, used = [], running.cpu()
        for birth in births[: world.n(20, 3)]:
            killed_at = SYSTEM.monotonic()
            os.kill(birth.pid, signal.SIGKILL)
            [successor] = world.reports.take(1, timeout=30)
            took.append(successor.at - killed_at)
            world.reports.pause(0.03)  # what comes after the respawn is its price, too
        found["respawn"] = 1000 * median(took)
        found["cpu"] = 1e6 * (running.cpu() - used) / len(took)
        with Client(running.endpoint, timeout=120.0) as client:
            name = "w" if is_one else "w0"
            for command, properties in (("status", {}), ("list", {"name": name}), ("stats", {})):
                found[command] = 1000 * median([ask(client, command, properties) for _ in range(3)])
        world.reports.pause(MIN_UPTIME)
        found["stop"] = running.stop(120.0)
    return found


def ask(client: Client, command: str, properties: dict[str, str]) -> float:
    """Return how many seconds an answer takes."""
    began = SYSTEM.monotonic()
    reply = client.call(command, **properties)
    if reply["status"] == "error":
        raise OSError(reply.get("reason"))
    return SYSTEM.monotonic() - began
