"""Supervisor 4.3."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from tests.bench.peers.environments import VERSIONS, environment
from tests.bench.peers.subject import HERE, Plugin, Program, Running, Subject

CONTROL = """\
[unix_http_server]
file = {folder}/control
[supervisord]
nodaemon = true
logfile = {folder}/supervisord.log
pidfile = {folder}/supervisord.pid
loglevel = warn
minfds = 8000
minprocs = 8000
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix://{folder}/control
"""


class Supervisor(Subject):
    """Supervisor; with startsecs = 0 nothing is waited for before a start counts."""

    name = "supervisor"
    settings = "startsecs = 0, autorestart = true, loglevel = warn, stdout_logfile = NONE"
    logs = frozenset({"plain", "rotating"})

    def __init__(self) -> None:
        self._bin = environment("supervisor")

    def version(self) -> str:
        return VERSIONS["supervisor"]

    def start(
        self, folder: Path, programs: Sequence[Program], plugins: Sequence[Plugin] = ()
    ) -> Running:
        lines = [CONTROL.format(folder=folder)]
        for program in programs:
            lines += _program(folder, program)
        for plugin in plugins:
            listener = [str(self._bin / "python"), str(HERE / "tools/listener.py")]
            lines += [
                f"[eventlistener:{plugin.name}]",
                f"command = {shlex.join([*listener, plugin.options['reports']])}",
                "events = PROCESS_STATE",
                "buffer_size = 10000",
                "startsecs = 0",
                f"stderr_logfile = {folder}/{plugin.name}.err",
            ]
        config = folder / "supervisord.conf"
        config.write_text("\n".join(lines) + "\n")
        python = str(self._bin / "python")
        return Running(
            [python, str(self._bin / "supervisord"), "-c", str(config)],
            folder,
            protocol="supervisor",
            endpoint=f"{folder}/control",
            ctl=[python, str(self._bin / "supervisorctl"), "-c", str(config)],
        )


def _program(folder: Path, program: Program) -> list[str]:
    command = shlex.join(program.argv).replace("%", "%%")
    lines = [
        f"[program:{program.name}]",
        f"command = {command}",
        f"numprocs = {program.count}",
        "process_name = %(program_name)s_%(process_num)d",
        f"autostart = {str(program.autostart).lower()}",
        "autorestart = true",
        "startsecs = 0",
        "startretries = 1000000",
        "stderr_logfile = NONE",
    ]
    if program.log:
        lines.append(f"stdout_logfile = {folder}/{program.name}.log")
        limit = 52428800 if program.log == "rotating" else 0
        lines += [f"stdout_logfile_maxbytes = {limit}", "stdout_logfile_backups = 60"]
    else:
        lines.append("stdout_logfile = NONE")
    return lines
