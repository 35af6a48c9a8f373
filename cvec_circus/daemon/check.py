"""`cvec_circusd --check` and `--print-config`: reports about configuration files, run by neither.

A plugin's class has to be imported to check its options, and its module may do anything. So a
process of its own imports it as the plugin's own process would: in its working_dir, with its [env]
and as its user. It reads nothing, writes nowhere, reaches no daemon, and is killed after a while
with everything it has started.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

from cvec_circus.base.clock import SYSTEM
from cvec_circus.config.build import Build
from cvec_circus.config.configuration import PluginConfig, WatcherConfig
from cvec_circus.config.effective import Effective, printable
from cvec_circus.config.examination import Examination, examine
from cvec_circus.config.section import CIRCUS, WATCHER, Finding, Findings, Section
from cvec_circus.control import endpoints
from cvec_circus.ctl.output import say
from cvec_circus.daemon import machine
from cvec_circus.daemon.arguments import complain
from cvec_circus.daemon.systemd import counts
from cvec_circus.exc import EXIT_OK, EXIT_PROBLEM, CircusError
from cvec_circus.options.checks import FAMILIES, FORMS, NETWORK_KINDS
from cvec_circus.options.expand import names_in
from cvec_circus.options.needs import needed_by
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.probes.address import parse
from cvec_circus.supervisor.helpers import importable
from cvec_circus.system.accounts import look_up
from cvec_circus.wire.topics import fold

MODULE = "cvec_circus.runtime.inspection"
VARIABLE = "CVEC_CIRCUS_PLUGIN"

_ENDPOINTS = frozenset({"endpoint", "pubsub_endpoint", "stats_endpoint", "allow_remote"})

TIMEOUT = 10.0
"""Seconds for all plugins of a file together; importing a class takes a tenth of a second."""


class _Inspection(NamedTuple):
    """A process that inspects a plugin. Owned by the thread that checks."""

    plugin: PluginConfig
    process: subprocess.Popen[bytes]
    report: IO[bytes]


def check(
    paths: Sequence[str],
    environ: Mapping[str, str],
    cwd: str,
    elsewhere: bool = False,
    allow_remote: bool = False,
) -> int:
    """Print every problem in files, each a configuration of its own, and every likely slip.

    Args:
        paths: The files.
        environ: The environment that variables in them, and plugins, are taken from.
        cwd: The directory that relative paths start in.
        elsewhere: Whether the files are for another machine, so that nothing of this one counts.
        allow_remote: Whether the daemon will be told so, whatever the files say.

    Returns:
        The exit code: 1 if a file has a problem, else 0.

    Raises:
        CircusError: The standard output cannot be written.
    """
    code = EXIT_OK
    for path in paths:
        examination = _check_endpoints(examine(path, environ, cwd), allow_remote)
        _check_plugins(examination, environ, cwd)
        _check_addresses(examination.build)
        if not elsewhere:
            machine.look(examination.build, environ, cwd)
        found = examination.build.findings.everything()
        if any(finding.is_problem for finding in found):
            code = EXIT_PROBLEM
        lines = [*map(_line, found), f"{path}: {_verdict(examination, found)}"]
        _print([printable(line) for line in lines])
    return code


def print_config(path: str, environ: Mapping[str, str], cwd: str) -> int:
    """Print the effective configuration of a file: every option, and where it comes from.

    The arguments, what is returned and what is raised are as for `check`. Problems go to stderr.
    """
    examination = examine(path, environ, cwd)
    configuration = examination.configuration
    if configuration is None:
        found = examination.build.findings.everything()
        problems = [finding.line for finding in found if finding.is_problem]
    else:
        problems = [line for one in configuration.left_out for line in one.problems]
        head = f"# {printable(path)}, with every default filled in"
        _print([head, *Effective(examination.build, configuration).lines()])
    for problem in problems:
        complain(printable(problem))
    return EXIT_PROBLEM if problems else EXIT_OK


def _verdict(examination: Examination, found: Sequence[Finding]) -> str:
    configuration = examination.configuration
    problems = sum(finding.is_problem for finding in found)
    said = counts((problems, "problem"), (len(found) - problems, "warning"))
    wrong = {finding.header for finding in found if finding.is_problem}
    everything = examination.build.everything
    runs: list[WatcherConfig | PluginConfig] = [*everything.watchers, *everything.plugins]
    names = ", ".join(one.name for one in runs if one.section.name and one.section.header in wrong)
    if configuration is None:
        return f"{said}; the daemon does not start" + (f" (see {names})" if names else "")
    if names:
        lost = {fold(one.name) for one in runs if one.section.header in wrong}
        needed = {fold(name) for one in runs for name in needed_by(one.options)}
        more = "" if lost.isdisjoint(needed) else ", and without what depends on that"
        return f"{said}; the daemon runs without {names}{more}"
    if problems:
        return f"{said}; the daemon runs, but not everything in this file"
    contents = counts(
        (len(configuration.watchers), "watcher"),
        (len(configuration.sockets), "socket"),
        (len(configuration.plugins), "plugin"),
    )
    return f"{', '.join(filter(None, ('ok', said)))}; {contents or 'nothing to run'}"


def _line(found: Finding) -> str:
    kind = "problem" if found.is_problem else "warning"
    return f"{found.place}: {kind}: {found.text}" if found.place else f"{kind}: {found.text}"


def _print(lines: Sequence[str]) -> None:
    try:
        say("\n".join(lines))
    except OSError as error:
        raise CircusError(f"the output cannot be written: {error.strerror}") from None


def _check_endpoints(examination: Examination, allow_remote: bool) -> Examination:
    """Add what a start would say of endpoints; a problem leaves no configuration."""
    build = examination.build
    if not _ENDPOINTS.isdisjoint(build.refused[build.circus.header]):
        return examination
    sockets = [(one.name, one.options) for one in build.everything.sockets]
    circus = build.everything.circus
    circus["allow_remote"] |= allow_remote
    judgements = list(endpoints.judge(circus, sockets))
    for option, text, is_problem in judgements:
        build.findings.at(build.circus.place(option), text, CIRCUS, option, is_problem)
    if any(one.is_problem for one in judgements):
        return examination._replace(configuration=None)
    return examination


def _check_addresses(build: Build) -> None:
    """Add what each run of a check would say of its address, where no name in it is replaced."""
    for watcher in build.everything.watchers:
        for family in FAMILIES:
            for name, one in watcher.options[family].items():
                if one.kind not in NETWORK_KINDS or names_in(one.target):
                    continue
                try:
                    parse(one.kind, one.target)
                except ValueError as error:
                    text = f"{error}, so it never holds; write {FORMS[one.kind]}"
                    build.findings.warn(watcher.section, f"{family}.{name}", text)


# -- plugins


def _check_plugins(examination: Examination, environ: Mapping[str, str], cwd: str) -> None:
    """Add what is wrong with the options of plugins."""
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
        for inspection in running:
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
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else account.groups,
        )
        with process:
            try:
                yield _Inspection(plugin, process, report)
            finally:
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
