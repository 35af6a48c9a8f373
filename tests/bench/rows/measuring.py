"""Statistics: what it costs to measure five hundred processes every second."""

from __future__ import annotations

import zmq

from cvec_circus.base.clock import SYSTEM
from cvec_circus.client import Client
from tests.bench import machine
from tests.bench.peers.subject import Running, Subject
from tests.bench.row import Measured, Metric, Row, Target
from tests.bench.world import World


def measure(subject: Subject, world: World) -> Measured:
    """Let the statistics process do its work, with somebody who listens."""
    count = world.n(500, 20)
    subject.has_statistics = True
    try:
        with subject.start(world.folder, [world.program("w", count=count)]) as running:
            world.reports.take(count, timeout=120)
            return _watch(running, world, count)
    finally:
        subject.has_statistics = False


def _watch(running: Running, world: World, count: int) -> Measured:
    with Client(running.endpoint) as client, zmq.Context() as context:
        pid = client.call("list", name="circusd-stats")["pids"][0]
        with context.socket(zmq.SUB) as listener:
            listener.rcvhwm = 0
            listener.subscribe("stat.w")
            listener.connect(f"ipc://{running.folder}/stats")
            _wait_for(listener, count)
            world.reports.pause(world.n(6, 1))  # young processes are looked at more closely
            _take(listener)
            seconds, used, daemon = world.n(20, 2), machine.cpu(pid), machine.cpu(running.pid)
            began = SYSTEM.monotonic()
            world.reports.pause(seconds)
            elapsed = SYSTEM.monotonic() - began
            told = _take(listener)
            return {
                "statistics_cpu": 100 * (machine.cpu(pid) - used) / elapsed,
                "statistics_daemon": 100 * (machine.cpu(running.pid) - daemon) / elapsed,
                "statistics_told": told / elapsed / (count + 1),
                "statistics_pss": machine.pss(pid),
            }


def _wait_for(listener: zmq.Socket[bytes], count: int) -> None:
    """Wait until every process has been told of."""
    seen: set[bytes] = set()
    while len(seen) <= count:
        if not listener.poll(30_000):
            raise TimeoutError(f"only {len(seen)} of {count} processes have been told of")
        seen.add(listener.recv_multipart()[0])


def _take(listener: zmq.Socket[bytes]) -> int:
    """Read what has come in, and return how much that was."""
    count = 0
    while listener.poll(0):
        listener.recv_multipart()
        count += 1
    return count


STATISTICS = Row(
    "statistics",
    measure,
    (
        Metric(
            "statistics_cpu", "statistics of 500 processes: CPU of their process", "%", Target(5)
        ),
        Metric("statistics_daemon", "… of the daemon meanwhile", "%"),
        Metric("statistics_told", "… times a second that each is told of", "/s"),
        Metric("statistics_pss", "… PSS of their process", "MiB"),
    ),
    ("circus",),
)
