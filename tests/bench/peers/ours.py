"""cvec_circus itself."""

from __future__ import annotations

import atexit
import compileall
import functools
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import cvec_circus
from tests.bench.peers.environments import python
from tests.bench.peers.subject import ROOT, Plugin, Program, Running, Subject


@functools.cache
def installed() -> Path:
    """Copy the checkout to where its byte code is beside it, as pip leaves the peers."""
    folder = Path(tempfile.mkdtemp(prefix="cb-ours-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("bin", "cvec_circus", "tests/bench", "tests/support"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "tests/__init__.py", folder / "tests")
    compileall.compile_dir(folder, quiet=1)
    return folder


class Ours(Subject):
    """The checkout that this file is in, run by the Python that runs the benchmark."""

    name = "ours"
    settings = "loglevel = warning; flapping programs: backoff = False; all else as by default"
    logs = frozenset({"plain", "rotating", "stamped"})

    def __init__(self, circus: Mapping[str, str] = {}) -> None:
        self._circus = circus  # further options of the daemon

    def version(self) -> str:
        return cvec_circus.__version__

    def start(
        self, folder: Path, programs: Sequence[Program], plugins: Sequence[Plugin] = ()
    ) -> Running:
        endpoint = f"ipc://{folder}/control"
        lines = [
            "[circus]",
            f"endpoint = {endpoint}",
            f"pubsub_endpoint = ipc://{folder}/events",
            "loglevel = warning",
            *(f"{name} = {value}" for name, value in self._circus.items()),
        ]
        if self.has_statistics:
            lines.append(f"stats_endpoint = ipc://{folder}/stats")
        for program in programs:
            lines += _watcher(folder, program)
        for plugin in plugins:
            lines += [f"[plugin:{plugin.name}]", f"use = tests.bench.tools.probe.{plugin.cls}"]
            lines += [f"{key} = {value}" for key, value in plugin.options.items()]
        config = folder / "circus.ini"
        config.write_text("\n".join(lines) + "\n")
        binaries = installed() / "bin"
        return Running(
            [python(), str(binaries / "cvec_circusd"), str(config)],
            folder,
            protocol="circus",
            endpoint=endpoint,
            ctl=[python(), str(binaries / "cvec_circusctl"), "--endpoint", endpoint],
        )


def _watcher(folder: Path, program: Program) -> list[str]:
    lines = [
        f"[watcher:{program.name}]",
        f"cmd = {shlex.join(program.argv)}",
        f"numprocesses = {program.count}",
    ]
    if program.flaps:
        lines.append("backoff = False")
    if not program.autostart:
        lines.append("autostart = False")
    if program.log:
        lines.append(f"stdout_stream.filename = {folder}/{program.name}.log")
    if program.log == "rotating":
        lines += ["stdout_stream.max_bytes = 52428800", "stdout_stream.backup_count = 60"]
    if program.log == "stamped":
        lines.append("stdout_stream.time_format = %Y-%m-%d %H:%M:%S")
    return lines
