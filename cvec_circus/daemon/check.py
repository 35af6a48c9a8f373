"""`cvec_circusd --check` and `--print-config`: reports about files, which neither runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from cvec_circus.config.build import Build
from cvec_circus.config.configuration import PluginConfig, WatcherConfig
from cvec_circus.config.dependencies import dependants
from cvec_circus.config.effective import Effective
from cvec_circus.config.examination import Examination, examine
from cvec_circus.config.places import ENDPOINTS
from cvec_circus.config.section import CIRCUS, SOCKET, Finding, printable
from cvec_circus.control import endpoints
from cvec_circus.ctl.output import page_of, say
from cvec_circus.daemon import machine
from cvec_circus.daemon.arguments import complain
from cvec_circus.daemon.systemd import counts
from cvec_circus.exc import EXIT_OK, EXIT_PROBLEM
from cvec_circus.options.checks import FAMILIES, FORMS, NETWORK_KINDS
from cvec_circus.options.expand import names_in
from cvec_circus.probes.address import parse
from cvec_circus.supervisor.reload.inspecting import inspect
from cvec_circus.supervisor.reload.locating import locate

_ENDPOINTS = frozenset({*ENDPOINTS, "allow_remote"})


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
        OutputError: The standard output cannot be written.
    """
    code = EXIT_OK
    for path in paths:
        examination = examine(path, environ, cwd)
        check_endpoints(examination.build, allow_remote)
        inspect(examination.build, environ, cwd)
        _check_addresses(examination.build)
        if not elsewhere:
            locate(examination.build, cwd)
            machine.look(examination.build, environ, cwd, path)
        found = examination.build.findings.everything()
        if any(finding.is_problem for finding in found):
            code = EXIT_PROBLEM
        lines = [_line(one) for one in found]
        lines.append(f"{path}: {_verdict(examination, found)}")
        say("\n".join(printable(line) for line in lines))
    return code


def print_config(
    path: str, environ: Mapping[str, str], cwd: str, show_secrets: bool = False
) -> int:
    """Print the effective configuration of a file: every option, and where it comes from.

    The arguments, what is returned and what is raised are as for `check`. Problems go to stderr. At
    a terminal, what may be a secret is hidden unless `show_secrets` says otherwise.
    """
    examination = examine(path, environ, cwd)
    configuration = examination.configuration
    if configuration is None:
        found = examination.build.findings.everything()
        problems = [finding.line for finding in found if finding.is_problem]
    else:
        problems = [line for one in configuration.left_out for line in one.problems]
        head = f"# {printable(path)}, with every default filled in"
        conceals = not show_secrets and page_of(sys.stdout).width is not None
        say("\n".join([head, *Effective(examination.build, configuration, conceals).lines()]))
    for problem in problems:
        complain(printable(problem))
    return EXIT_PROBLEM if problems else EXIT_OK


def _verdict(examination: Examination, found: Sequence[Finding]) -> str:
    configuration = examination.configuration
    problems = sum(finding.is_problem for finding in found)
    said = counts((problems, "problem"), (len(found) - problems, "warning"))
    wrong = {finding.header for finding in found if finding.is_problem}
    is_stopped = any(header.partition(":")[0] in (CIRCUS, SOCKET) for header in wrong)
    everything = examination.build.everything
    runs: list[WatcherConfig | PluginConfig] = [*everything.watchers, *everything.plugins]
    lost = [one for one in runs if one.section.header in wrong]
    names = ", ".join(one.name for one in lost if one.section.name)
    if configuration is None or is_stopped:
        return f"{said}; the daemon does not start" + (f" (see {names})" if names else "")
    if names:
        others = [*dependants(runs, (one.name for one in lost))]
        depend = "depends" if len(others) == 1 else "depend"
        on = "that" if len(lost) == 1 else "them"
        more = f", and without {', '.join(others)}, which {depend} on {on}" if others else ""
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


def check_endpoints(build: Build, allow_remote: bool) -> None:
    """Add what a start would say of endpoints."""
    if not _ENDPOINTS.isdisjoint(build.refused[build.circus.header]):
        return
    circus = build.everything.circus
    circus["allow_remote"] |= allow_remote
    for option, text, is_problem in endpoints.judge(circus):
        add = build.findings.problem if is_problem else build.findings.warn
        add(build.circus, option, text)


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
