"""The options of plugins, judged by their own classes: for `--check` and `reloadconfig`.

A plugin's class has to be imported to check its options, and its module may do anything. So a
process of its own imports it as the plugin's own process would: in its working_dir, with its [env]
and as its user. It reads nothing, writes nowhere, reaches no daemon, and is killed after a while
with everything it has started. It stays in our session: a daemon leaves children of that alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import IO, Any

from cvec_circus.base.clock import SYSTEM
from cvec_circus.base.named import NamedTuple
from cvec_circus.config.build import Build
from cvec_circus.config.configuration import PluginConfig
from cvec_circus.config.section import WATCHER, Findings, Section
from cvec_circus.options.rights import accounts_of, problems
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.supervisor.helpers import importable
from cvec_circus.system.accounts import look_up

MODULE = "cvec_circus.runtime.inspection"
VARIABLE = "CVEC_CIRCUS_PLUGIN"

TIMEOUT = 10.0
"""Seconds for all plugins of a file together; importing a class takes a tenth of a second."""


class _Inspection(NamedTuple):
    """A process that inspects a plugin. Owned by the thread that asks for it."""

    plugin: PluginConfig
    process: subprocess.Popen[bytes]
    report: IO[bytes]


def inspect(
    build: Build, environ: Mapping[str, str], cwd: str, running: Collection[PluginConfig] = ()
) -> None:
    """Add what is wrong with the options of plugins to the findings of a build. It blocks.

    Args:
        build: What a file says.
        environ: The environment that variables, and plugins, are taken from.
        cwd: The directory that relative paths start in.
        running: Plugins that are not looked at, because they run with these very options.
    """
    former = {one.name: (one.use, one.config) for one in running}
    watchers = {one.header: one for one in build.sections if one.kind == WATCHER}
    own = {header: dotted for header, one in watchers.items() if (dotted := _dotted(one))}
    with contextlib.ExitStack() as started:
        inspections = []
        for plugin in build.everything.plugins:
            is_known = former.get(plugin.name) == (plugin.use, plugin.config)
            is_whole = not (plugin.section.lacks or problems(accounts_of(plugin.options)))
            if plugin.active and plugin.use and is_whole and not is_known:
                try:
                    inspections.append(
                        started.enter_context(_inspection(plugin, own, environ, cwd))
                    )
                except OSError as error:
                    what = f"{error.filename}: " if error.filename else ""
                    _warn(build.findings, plugin, f"{what}{error.strerror}")
                except ValueError as error:
                    _warn(build.findings, plugin, str(error))
        deadline = SYSTEM.monotonic() + TIMEOUT
        odd: dict[tuple[str, str, str], None] = {}  # once, though several plugins may read it
        for inspection in inspections:
            odd.update(dict.fromkeys(_report(build.findings, inspection, deadline)))
        for header, key, reason in odd:
            build.findings.warn(watchers[header], key, reason)


def _dotted(section: Section) -> dict[str, str]:
    """Return the options of a watcher that only plugins read."""
    values = section.values.items()
    return {k: v for k, v in values if "." in k and WATCHER_OPTIONS.find(k) is None}


@contextlib.contextmanager
def _inspection(
    plugin: PluginConfig, own: Mapping[str, Any], environ: Mapping[str, str], cwd: str
) -> Iterator[_Inspection]:
    """Inspect a plugin in a process, and kill that with everything it has started."""
    account = look_up(plugin.options.get("uid"), plugin.options.get("gid"))
    with open(os.memfd_create("cvec_circus-report"), "w+b") as report:
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
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else account.groups,
        )
        with process:
            try:
                yield _Inspection(plugin, process, report)
            finally:
                process.kill()  # which may not have a group of its own yet
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)


def _report(
    findings: Findings, inspection: _Inspection, deadline: float
) -> list[tuple[str, str, str]]:
    """Add what is wrong with a plugin; return the same of watchers: header, option and reason."""
    plugin = inspection.plugin
    try:
        inspection.process.wait(max(deadline - SYSTEM.monotonic(), 0.0))
    except subprocess.TimeoutExpired:
        _warn(findings, plugin, f"{plugin.use} takes more than {TIMEOUT:g} s to import")
        return []
    inspection.report.seek(0)
    report = inspection.report.read()
    if not report:
        code = inspection.process.returncode
        _warn(findings, plugin, f"importing {plugin.use} ends the process, with code {code}")
        return []
    found = json.loads(report)
    if found["unusable"]:
        _warn(findings, plugin, found["unusable"])
    for key, reason in found["problems"]:
        findings.problem(plugin.section, key, reason)
    for key, hint in found["unknown"]:
        if key not in plugin.section.inherited:
            findings.warn(plugin.section, key, f"unknown option{hint}")
    return [(header, key, reason) for header, key, reason in found["own"]]


def _warn(findings: Findings, plugin: PluginConfig, reason: str) -> None:
    """Warn that a class cannot be used here; it may be installed where the file will be used."""
    findings.warn(plugin.section, "use", f"options not checked: {reason}")
