"""Capturing what a child writes: how fast, how much of it, at what price."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

from tests.bench import machine
from tests.bench.peers.subject import Running, Subject
from tests.bench.reports import BEGIN, END
from tests.bench.row import Measured, Metric, Row, Target
from tests.bench.world import World
from tests.support.eventually import eventually

LINE = 100
MIB = 2**20


def capture(log: str, subject: Subject, world: World) -> Measured:
    """Have a child write lines of 100 bytes, 64 KiB at a time, into a file in memory."""
    size = world.n(1024 if subject.name in ("ours", "floor") else 256, 64) * MIB
    size -= size % LINE
    program = world.program("log", "write", size, log=log)
    with subject.start(world.folder, [program]) as running:
        [birth] = world.reports.take(1)
        world.reports.pause(0.5)
        cpu = machine.cpu(running.pid)
        os.kill(birth.pid, signal.SIGUSR1)
        [begin] = world.reports.take(1, BEGIN)
        [end] = world.reports.take(1, END, timeout=120)
        eventually(lambda: written(running) >= size, 3.0)
        cpu = machine.cpu(running.pid) - cpu
        lines = sum(map(count_lines, files(running)))
    return {
        f"log_{log}": size / MIB / (end.at - begin.at),
        f"log_{log}_cpu": cpu * 2**30 / size,
        f"log_{log}_lost": size // LINE - lines,
    }


def files(running: Running) -> list[Path]:
    """List the log and what has been rotated away."""
    return sorted(running.folder.glob("log.log*"))


def written(running: Running) -> int:
    """Count the bytes in them."""
    return sum(path.stat().st_size for path in files(running) if path.exists())


def count_lines(path: Path) -> int:
    """Count the lines of a file."""
    count = 0
    with path.open("rb") as file:
        while block := file.read(MIB):
            count += block.count(b"\n")
    return count


def spliced(world: World) -> Measured:
    """The same through a pipe that a C program empties by splice(2), and does nothing else."""
    size = world.n(1024, 64) * MIB
    program = world.program("log", "write", size - size % LINE)
    argv = [world.splice, f"{world.folder}/spliced.log", *program.argv]
    pid = os.posix_spawn(argv[0], argv, {})
    try:
        [birth] = world.reports.take(1)
        cpu = machine.cpu(pid)
        os.kill(birth.pid, signal.SIGUSR1)
        [begin] = world.reports.take(1, BEGIN)
        [end] = world.reports.take(1, END, timeout=120)
        world.reports.pause(0.1)  # what is in the pipe still
        cpu = machine.cpu(pid) - cpu
        os.kill(birth.pid, signal.SIGKILL)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return {"log_plain": size / MIB / (end.at - begin.at), "log_plain_cpu": cpu * 2**30 / size}


def direct(world: World) -> Measured:
    """The same child writing to the file itself."""
    size = world.n(1024, 64) * MIB
    program = world.program("log", "write", size - size % LINE)
    with open(world.folder / "direct.log", "wb") as file:
        pid = os.posix_spawn(
            program.argv[0],
            list(program.argv),
            {},
            file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), 1)],
        )
    try:
        world.reports.take(1)
        os.kill(pid, signal.SIGUSR1)
        [begin] = world.reports.take(1, BEGIN)
        [end] = world.reports.take(1, END, timeout=120)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return {"log_plain": size / MIB / (end.at - begin.at)}


def _metrics(log: str, title: str, speed: Target, cpu: Target | None) -> tuple[Metric, ...]:
    return (
        Metric(f"log_{log}", title, "MiB/s", speed),
        Metric(f"log_{log}_cpu", "… supervisor CPU per GiB", "s", cpu),
        Metric(f"log_{log}_lost", "… lines lost", "", Target(0)),
    )


PLAIN = Row(
    "plain",
    partial(capture, "plain"),
    _metrics(
        "plain",
        "log capture, plain",
        Target(600, {"splice": 0.98}, more=True),
        Target(1.5, {"splice": 1.05}),
    ),
    ("circus", "supervisor", "floor"),
    {"direct": direct, "splice": spliced},
)
ROTATING = Row(
    "rotating",
    partial(capture, "rotating"),
    _metrics("rotating", "log capture, rotating", Target(500, more=True), None),
    ("circus", "supervisor"),
)
STAMPED = Row(
    "stamped",
    partial(capture, "stamped"),
    _metrics("stamped", "log capture with time stamps", Target(150, more=True), None),
    ("circus",),
)
