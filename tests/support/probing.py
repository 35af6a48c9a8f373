"""The desk of probes with the launcher, real children and no core."""

from __future__ import annotations

import os
import sys
from typing import Any

from cvec_circus.base.readers import Readers
from cvec_circus.core.facts import Extended, Probed
from cvec_circus.core.process import ProcessState
from cvec_circus.core.watcher import PROGRAM
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.sockets.registry import SocketRegistry
from cvec_circus.supervisor.ending.cgroups import Cgroups
from cvec_circus.supervisor.helpers import Helpers
from cvec_circus.supervisor.launcher import Launcher, Reports
from cvec_circus.supervisor.launching import Templates
from cvec_circus.supervisor.output.outputs import OutputDesk
from cvec_circus.supervisor.probing import notices
from cvec_circus.supervisor.probing.probes import Around, ProbeDesk
from cvec_circus.supervisor.survival.bookkeeper import Bookkeeper
from cvec_circus.system.launch import MARK
from cvec_circus.wire.cause import Cause
from tests.support.endings import TIMEOUT, EndingCase, Process
from tests.support.hurry import hurry


class Program:
    """What the desks see of a watcher."""

    kind = PROGRAM
    is_abandoned = False

    def __init__(self, name: str = "web", **options: Any) -> None:
        self.name = name
        given = {"copy_env": True, "cmd": "sleep 1000", **options}
        self.options = WATCHER_OPTIONS.complete(WATCHER_OPTIONS.convert(given))

    def set(self, **options: Any) -> None:
        """Change options, as an order does."""
        self.options = WATCHER_OPTIONS.complete(WATCHER_OPTIONS.convert(options), self.options)


class NoHelpers(Helpers):
    """There are none."""

    def __init__(self) -> None:
        self.rows = {}


def python(script: str) -> dict[str, Any]:
    """The options of a watcher that runs a script, which may use os, socket, sys and time."""
    return {"cmd": sys.executable, "args": ["-c", f"import os, socket, sys, time\n{script}"]}


def shell(script: str) -> dict[str, Any]:
    """The options of a watcher that runs a script of the shell."""
    return {"cmd": "/bin/sh", "args": ["-c", script]}


NOTIFY = """
def notify(text, *fds):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.connect(os.environ['NOTIFY_SOCKET'])
        socket.send_fds(one, [text.encode()], fds) if fds else one.send(text.encode())
"""


class ProbeCase(EndingCase):
    """Begins checks of real processes, and turns the loop while it waits.

    Attributes:
        probed: What was reported: the slot, whether of `live`, and what fails.
        well_for: For how many seconds checks had held, for each report.
        extended: The seconds that processes have asked for.
        changes: The events of single checks: the cause, and what they say.
    """

    def setUp(self) -> None:
        super().setUp()
        hurry(self, {})
        self.probed: list[tuple[int, bool, str]] = []
        self.well_for: list[float] = []
        self.extended: list[float] = []
        self.changes: list[tuple[str, dict[str, Any]]] = []
        self.readers = Readers(self.loop)
        self.addCleanup(self.readers.close)
        self.templates = Templates(self.life, lambda watcher: frozenset())
        around = Around(
            self.loop,
            self,  # type: ignore[arg-type]
            self._publish,
            self.readers,
            self.reaper,
            self.templates,
            lambda name: {MARK: f"{self.life}:{name}:hook"},
            self.life,
            self.leader_of,
        )
        self.probes: Any = ProbeDesk(around)
        self.desk: Any = self.probes._checking
        self.addCleanup(self._end_desk)
        self.outputs: Any = OutputDesk(self.loop, self)  # type: ignore[arg-type]
        self.addCleanup(self._end_outputs)
        reports = Reports(self.readers)
        self.addCleanup(reports.close)
        self.launcher: Any = Launcher(
            self.loop,
            self.templates,
            SocketRegistry(),
            self.outputs,
            self.reaper,
            NoHelpers(),
            self.probes,
            reports,
            Cgroups("there are none"),
            Bookkeeper(),
        )
        self.addCleanup(self.launcher.close)

    def _end_desk(self) -> None:
        self.assertTrue(self.probes.end(TIMEOUT))
        self.probes.close()

    def _end_outputs(self) -> None:
        self.outputs.end()
        self.assertEqual(self.outputs.join(), [])

    def _publish(self, watcher: Any, action: str, cause: Cause, **payload: Any) -> None:
        self.assertEqual(action, "check")
        self.changes.append((cause.text, payload))

    def append(self, fact: Any) -> None:
        """The case stands for the mailbox."""
        if isinstance(fact, Probed):
            self.probed.append((fact.process.wid, fact.is_live, fact.failure))
            self.well_for.append(fact.well_for)
        elif isinstance(fact, Extended):
            self.extended.append(fact.seconds)
        else:
            super().append(fact)

    def start(self, watcher: Program, wid: int = 1, doubted: bool = False) -> Process:
        """Start a process, and begin its checks."""
        process = Process(watcher.name, wid)
        process.doubted = doubted
        process.exit_code = None
        process.started = 0.0
        self.outputs.open(watcher)
        process.pid = self.launcher.spawn(watcher, process)
        self.spawned.append(process)
        self.desk.watch(watcher, process)
        return process

    def adopt(self, watcher: Program, unready: str = "", doubted: bool = False) -> Process:
        """Begin the checks of a process that has been ready, and that an earlier daemon started."""
        process = Process(watcher.name, 1)
        process.pid, process.exit_code = os.getpid(), None
        process.checked, process.proved = bool(watcher.options.ready), True
        process.unready, process.doubted = unready, doubted
        self.desk.adopt(watcher, process)
        if process.checked:
            self.desk.watch(watcher, process)
        if watcher.options.live:
            self.desk.proved(watcher, process)
        return process

    def probe(self, watcher: Program, wid: int = 1) -> Process:
        """Start a process, and wait for the first report."""
        before = len(self.probed)
        process = self.start(watcher, wid)
        self.until(lambda: len(self.probed) > before)
        return process

    def release(self, watcher: Program, process: Process, has_ended: bool = False) -> None:
        """End the checks, as the core does."""
        if has_ended:
            process.exit_code = 0
        else:
            process.state = ProcessState.STOPPING
        self.desk.release(watcher, process)

    def row(self, process: Process, name: str) -> dict[str, Any]:
        """Return what is shown of a check."""
        return next(row for row in self.desk.details(process) if row["name"] == name)

    def state(self, process: Process, name: str) -> str:
        """Return the state of a check."""
        return str(self.row(process, name)["state"])


def sockets_of(case: ProbeCase) -> list[str]:
    """List the files of NOTIFY_SOCKETs that are there."""
    folder = case.desk.notices._folder
    return sorted(os.listdir(folder)) if folder else []


SYSTEM_FOLDER = notices.SYSTEM_FOLDER
