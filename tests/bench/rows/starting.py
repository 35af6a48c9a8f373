"""From nothing to one child that runs, and what that takes of memory."""

from __future__ import annotations

import os
import subprocess

from cvec_circus.base.clock import SYSTEM
from tests.bench import machine
from tests.bench.peers.environments import python
from tests.bench.peers.subject import Subject
from tests.bench.row import Measured, Metric, Row, Target
from tests.bench.world import World, median

IMPORTS = "import zmq, psutil, configobj, os; os.write(1, b'.')"

LISTENS = """\
import zmq, psutil, configobj, os
context = zmq.Context()
router = context.socket(zmq.ROUTER)
router.bind("ipc://router")
os.write(1, b".")
router.recv()
"""


def measure(subject: Subject, world: World) -> Measured:
    """Start it with one program, several times."""
    took = []
    for number in range(world.n(5, 1)):
        folder = world.folder / str(number)
        folder.mkdir()
        with subject.start(folder, [world.program("one")]) as running:
            [birth] = world.reports.take(1)
            took.append(birth.at - running.began)
            world.reports.pause(0.5)
            pss = running.pss()
    return {"start_1": 1000 * median(took), "pss_1": pss}


def imports(world: World) -> Measured:
    """Have a Python import what the daemon needs of others."""
    took = []
    for _ in range(world.n(5, 1)):
        began = SYSTEM.monotonic()
        with subprocess.Popen([python(), "-c", IMPORTS], stdout=subprocess.PIPE) as process:
            assert process.stdout
            os.read(process.stdout.fileno(), 1)
            took.append(SYSTEM.monotonic() - began)
    argv = [python(), "-c", LISTENS]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=world.folder) as process:
        assert process.stdout
        os.read(process.stdout.fileno(), 1)
        pss = machine.pss(process.pid)
        process.kill()
    return {"start_1": 1000 * median(took), "pss_1": pss}


START = Row(
    "start",
    measure,
    (
        Metric(
            "start_1",
            "start of the daemon and 1 child",
            "ms",
            Target(ratios={"imports": 1.2, "circus": 1.0}),
        ),
        Metric("pss_1", "PSS of the daemon, 1 watcher", "MiB", Target(16)),
    ),
    ("circus", "supervisor", "runit", "floor"),
    {"imports": imports},
)
