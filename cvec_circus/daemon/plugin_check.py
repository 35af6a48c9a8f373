"""What `cvec_circusd --check` says of plugins: whether their options suit their classes.

A class has to be imported for that, and somebody's module may do anything. So it is imported by a
process of its own, as the plugin's own process would do it: in its working_dir, with its [env] and
as its user. It has nothing to read and nowhere to write, knows no daemon, and is ended after a
while with all that it has started.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import IO, Any, NamedTuple

from cvec_circus.base.clock import SYSTEM
from cvec_circus.config.configuration import PluginConfig
from cvec_circus.config.examination import Examination
from cvec_circus.supervisor.helpers import importable
from cvec_circus.system.accounts import look_up

MODULE = "cvec_circus.runtime.inspection"
VARIABLE = "CVEC_CIRCUS_PLUGIN"

TIMEOUT = 10.0
"""Seconds for all plugins of a file together; a class is there after a tenth of one."""


class _Inspection(NamedTuple):
    """A process that looks at a plugin. Owned by the thread that checks."""

    plugin: PluginConfig
    process: subprocess.Popen[bytes]
    report: IO[bytes]


def look_at_plugins(examination: Examination, environ: Mapping[str, str], cwd: str) -> None:
    """Has the findings of an examination tell what is wrong with options of plugins.

    Args:
        examination: What is known of the file.
        environ: The environment that plugins begin with.
        cwd: The folder that a relative `working_dir` begins in.
    """
    with contextlib.ExitStack() as started:
        running = []
        for plugin in examination.plugins:
            if plugin.active and plugin.use:
                own = _options_with_dots(examination)
                try:
                    running.append(started.enter_context(_inspection(plugin, own, environ, cwd)))
                except (OSError, ValueError) as error:
                    _warn(examination, plugin, str(error))
        deadline = SYSTEM.monotonic() + TIMEOUT
        odd: dict[tuple[str, str, str], None] = {}  # once, though several plugins may read it
        for one in running:
            odd.update(dict.fromkeys(_tell(examination, one, deadline)))
        for name, key, reason in odd:
            place = examination.build.document.place(name, key)
            examination.build.findings.warn(place, reason, name, key)


@contextlib.contextmanager
def _inspection(
    plugin: PluginConfig, own: Mapping[str, Any], environ: Mapping[str, str], cwd: str
) -> Iterator[_Inspection]:
    """Lets a process look at a plugin; ends it and what it has started."""
    with tempfile.TemporaryFile() as report:
        assignment = {
            "use": plugin.use,
            "config": plugin.config,
            "sys_path": sys.path,
            "own": own,
            "report": report.fileno(),
        }
        inherited = environ if plugin.options.get("copy_env") else {}
        env = importable({**inherited, **plugin.options["env"]})
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            env={**env, VARIABLE: json.dumps(assignment)},
            cwd=os.path.join(cwd, plugin.options.get("working_dir") or ""),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[report.fileno()],
            start_new_session=True,
            **_account(plugin),
        )
        with process:
            try:
                yield _Inspection(plugin, process, report)
            finally:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)


def _account(plugin: PluginConfig) -> dict[str, Any]:
    """Returns what has a process run as the plugin's own user, who may have less rights.

    Raises:
        ValueError: There is no such user or group.
    """
    whom = look_up(plugin.options.get("uid"), plugin.options.get("gid"))
    if whom is None:
        return {}
    return {"user": whom.uid, "group": whom.gid, "extra_groups": whom.groups}


def _tell(
    examination: Examination, one: _Inspection, deadline: float
) -> list[tuple[str, str, str]]:
    """Tells of a plugin; returns what it finds odd about watchers: section, key, and why."""
    plugin, build = one.plugin, examination.build
    try:
        one.process.wait(max(deadline - SYSTEM.monotonic(), 0.0))
    except subprocess.TimeoutExpired:
        _warn(examination, plugin, f"{plugin.use} takes more than {TIMEOUT:g} s to import")
        return []
    one.report.seek(0)
    text = one.report.read()
    if not text:
        code = one.process.returncode
        _warn(examination, plugin, f"{plugin.use} ends whoever imports it, with code {code}")
        return []
    found = json.loads(text)
    if found["unusable"]:
        _warn(examination, plugin, found["unusable"])
    section = _section(examination, plugin)
    for key, reason in found["problems"]:
        place = plugin.where.get(key) or plugin.where[""]
        build.findings.problem(place, reason, section, key)
    for key, hint in found["unknown"]:
        if (section, key) not in build.document.inherited:
            said = f"unknown option, kept as it is{hint}"
            build.findings.warn(plugin.where.get(key), said, section, key)
    return [(name, key, reason) for name, key, reason in found["own"]]


def _warn(examination: Examination, plugin: PluginConfig, text: str) -> None:
    """Says why a class cannot be used here. It may be installed where the file is to be used."""
    section = _section(examination, plugin)
    said = f"the options are not checked: {text}"
    examination.build.findings.warn(plugin.where.get("use"), said, section, "use")


def _section(examination: Examination, plugin: PluginConfig) -> str:
    sections = {place: name for name, place in examination.build.document.headers.items()}
    return sections[plugin.where[""]]


def _options_with_dots(examination: Examination) -> dict[str, dict[str, str]]:
    """Returns what watchers have for plugins to read, by section."""
    build = examination.build
    return {
        section: own
        for section, table in build.tables.items()
        if section.startswith("watcher:")
        and (own := {k: v for k, v in build.document.tree[section].items() if _is_own(table, k)})
    }


def _is_own(table: Any, key: str) -> bool:
    return "." in key and table.find(key) is None
