"""What `cvec_circusd --check` says of plugins: whether their options suit their classes.

A class has to be imported for that, and a module may do anything. So a process of its own imports
it, as the plugin's own process would: in its working_dir, with its [env] and as its user. It has
nothing to read and nowhere to write, knows no daemon, and is killed after a while with all that it
has started.
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
from cvec_circus.config.section import WATCHER, Findings, Section
from cvec_circus.options.watcher import WATCHER_OPTIONS
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
    """Add what is wrong with the options of plugins to the findings of an examination.

    Args:
        examination: What is known of the file.
        environ: The environment that plugins begin with.
        cwd: The folder that a relative `working_dir` begins in.
    """
    build = examination.build
    watchers = {one.header: one for one in build.sections if one.kind == WATCHER}
    own = {header: dotted for header, one in watchers.items() if (dotted := _dotted(one))}
    with contextlib.ExitStack() as started:
        running = []
        for plugin in build.everything.plugins:
            if plugin.active and plugin.use:
                try:
                    running.append(started.enter_context(_inspection(plugin, own, environ, cwd)))
                except (OSError, ValueError) as error:
                    _warn(build.findings, plugin, str(error))
        deadline = SYSTEM.monotonic() + TIMEOUT
        odd: dict[tuple[str, str, str], None] = {}  # once, though several plugins may read it
        for one in running:
            odd.update(dict.fromkeys(_tell(build.findings, one, deadline)))
        for header, key, reason in odd:
            build.findings.warn(watchers[header], key, reason)


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


def _tell(findings: Findings, one: _Inspection, deadline: float) -> list[tuple[str, str, str]]:
    """Add what is wrong with a plugin; return the same of watchers: header, key and reason."""
    plugin = one.plugin
    try:
        one.process.wait(max(deadline - SYSTEM.monotonic(), 0.0))
    except subprocess.TimeoutExpired:
        _warn(findings, plugin, f"{plugin.use} takes more than {TIMEOUT:g} s to import")
        return []
    one.report.seek(0)
    text = one.report.read()
    if not text:
        code = one.process.returncode
        _warn(findings, plugin, f"importing {plugin.use} ends the process, with code {code}")
        return []
    found = json.loads(text)
    if found["unusable"]:
        _warn(findings, plugin, found["unusable"])
    for key, reason in found["problems"]:
        findings.problem(plugin.section, key, reason)
    for key, hint in found["unknown"]:
        if key not in plugin.section.inherited:
            findings.warn(plugin.section, key, f"unknown option{hint}")
    return [(header, key, reason) for header, key, reason in found["own"]]


def _warn(findings: Findings, plugin: PluginConfig, text: str) -> None:
    """Warn of a class that cannot be used here. It may be installed where the file is used."""
    findings.warn(plugin.section, "use", f"the options are not checked: {text}")


def _dotted(section: Section) -> dict[str, str]:
    """Return what a watcher has for plugins to read."""
    values = section.values.items()
    return {k: v for k, v in values if "." in k and WATCHER_OPTIONS.find(k) is None}
