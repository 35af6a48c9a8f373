"""The floor, run like the others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.bench.peers.environments import python
from tests.bench.peers.subject import HERE, Plugin, Program, Running, Subject


class Floor(Subject):
    """tests/bench/floor.py: what is possible in Python without doing anything else."""

    name = "floor"
    settings = "tests/bench/floor.py, no policy, no control"
    has_control = False

    def version(self) -> str:
        return "tests/bench/floor.py"

    def start(
        self, folder: Path, programs: Sequence[Program], plugins: Sequence[Plugin] = ()
    ) -> Running:
        path = folder / "programs.json"
        wanted = [
            {
                "argv": list(program.argv),
                "count": program.count,
                "log": f"{folder}/{program.name}.log" if program.log else None,
            }
            for program in programs
            if program.autostart
        ]
        path.write_text(json.dumps(wanted))
        return Running([python(), str(HERE / "floor.py"), str(path)], folder)
