"""runit: runsvdir, and a small C program, runsv, for each service."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.bench.peers.subject import Plugin, Program, Running, Subject


class Runit(Subject):
    """runit, as Debian's package has it; a service for each process."""

    name = "runit"
    settings = "a service for each process, run is a shell script that execs it, no log services"
    logs = frozenset()
    has_control = False

    def __init__(self) -> None:
        for program in ("runsvdir", "runsv"):
            if shutil.which(program) is None:
                raise OSError(f"there is no {program}; try `apt-get install runit`")

    def version(self) -> str:
        asked = ["dpkg-query", "--show", "--showformat=${Version}", "runit"]
        try:
            found = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
        except OSError:
            found = ""
        return f"runit=={found or 'of this system'}"

    def start(
        self, folder: Path, programs: Sequence[Program], plugins: Sequence[Plugin] = ()
    ) -> Running:
        services = folder / "services"
        for program in programs:
            for number in range(program.count):
                service = services / f"{program.name}-{number}"
                service.mkdir(parents=True)
                run = service / "run"
                run.write_text(f"#!/bin/sh\nexec {shlex.join(program.argv)}\n")
                run.chmod(0o755)
        return Services(["runsvdir", str(services)], folder)


class Services(Running):
    """A runsvdir that runs. Owned by the measurement; a context that ends it."""

    stop_signal = signal.SIGHUP  # each runsv ends its service, and itself

    def pids(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]
