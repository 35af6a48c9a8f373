"""Circus 0.19, whose configuration and protocol ours follows."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from tests.bench.peers.environments import VERSIONS, environment
from tests.bench.peers.subject import HERE, Plugin, Program, Running, Subject


class Circus(Subject):
    """Circus; what decides its speed is how often it looks at its children."""

    logs = frozenset({"plain", "rotating", "stamped"})

    def __init__(self, check_delay: str = "0.01") -> None:
        self.name = "circus" if check_delay == "0.01" else f"circus/{check_delay}"
        self.settings = (
            f"check_delay = {check_delay}, --log-level warning, max_retry = -1, no warmup_delay, "
            "statsd = False"
        )
        self._check_delay = check_delay
        self._bin = environment("circus")

    def version(self) -> str:
        return VERSIONS["circus"]

    def start(
        self, folder: Path, programs: Sequence[Program], plugins: Sequence[Plugin] = ()
    ) -> Running:
        endpoint = f"ipc://{folder}/control"
        lines = [
            "[circus]",
            f"endpoint = {endpoint}",
            f"pubsub_endpoint = ipc://{folder}/events",
            f"check_delay = {self._check_delay}",
            f"statsd = {self.has_statistics}",
        ]
        if self.has_statistics:
            lines.append(f"stats_endpoint = ipc://{folder}/stats")
        for program in programs:
            lines += _watcher(folder, program)
        for plugin in plugins:
            lines += [f"[plugin:{plugin.name}]", f"use = circus_probe.{plugin.cls}"]
            lines += [f"{key} = {value}" for key, value in plugin.options.items()]
        config = folder / "circus.ini"
        config.write_text("\n".join(lines) + "\n")
        python = str(self._bin / "python")
        return Running(
            [python, str(self._bin / "circusd"), "--log-level", "warning", str(config)],
            folder,
            env={
                "PYTHONPATH": str(HERE / "tools"),
                "PATH": f"{self._bin}:/usr/bin:/bin",
            },
            protocol="circus",
            endpoint=endpoint,
            ctl=[python, str(self._bin / "circusctl"), "--endpoint", endpoint],
        )


def _watcher(folder: Path, program: Program) -> list[str]:
    lines = [
        f"[watcher:{program.name}]",
        f"cmd = {shlex.join(program.argv)}",
        f"numprocesses = {program.count}",
        "max_retry = -1",
        "warmup_delay = 0",
    ]
    if not program.autostart:
        lines.append("autostart = False")
    if program.log:
        lines += [
            "stdout_stream.class = FileStream",
            f"stdout_stream.filename = {folder}/{program.name}.log",
        ]
    if program.log == "rotating":
        lines += ["stdout_stream.max_bytes = 52428800", "stdout_stream.backup_count = 60"]
    if program.log == "stamped":
        lines.append("stdout_stream.time_format = %Y-%m-%d %H:%M:%S")
    return lines
