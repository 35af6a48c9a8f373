"""What cvec_circusd says of configuration files without running them.

Loaded when somebody asks: a daemon has no need of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from cvec_circus.config.configuration import Configuration
from cvec_circus.config.effective import Effective, printable
from cvec_circus.config.examination import Examination, examine
from cvec_circus.config.section import CIRCUS, Finding
from cvec_circus.control import endpoints
from cvec_circus.daemon.arguments import complain
from cvec_circus.daemon.plugin_check import look_at_plugins
from cvec_circus.exc import EXIT_OK, EXIT_PROBLEM, CircusError


def check(paths: Sequence[str], environ: Mapping[str, str], cwd: str) -> int:
    """Prints everything that is wrong with files, and what looks like a slip.

    Args:
        paths: The files, each a configuration of its own.
        environ: The environment that names of variables in them see.
        cwd: The folder that relative paths begin in.

    Returns:
        The exit code: 1 if a file has a problem, else 0.

    Raises:
        CircusError: The standard output cannot be written.
    """
    code = EXIT_OK
    for path in paths:
        examination = _judge_endpoints(examine(path, environ, cwd))
        look_at_plugins(examination, environ, cwd)
        found = examination.build.findings.everything()
        if any(one.is_problem for one in found):
            code = EXIT_PROBLEM
        lines = [*map(line, found), f"{path}: {verdict(examination, found)}"]
        _say([printable(one) for one in lines])
    return code


def _judge_endpoints(examination: Examination) -> Examination:
    """Add what a start would say of endpoints; a problem leaves no configuration."""
    if examination.configuration is None:
        return examination
    build = examination.build
    judgements = list(endpoints.judge(examination.configuration.circus))
    for option, text, is_problem in judgements:
        build.findings.at(build.circus.place(option), text, CIRCUS, option, is_problem)
    if any(one.is_problem for one in judgements):
        return examination._replace(configuration=None)
    return examination


def print_config(path: str, environ: Mapping[str, str], cwd: str) -> int:
    """Prints what a file comes to as a file: every option, and where it comes from.

    Problems go to stderr.

    Args:
        path: The file.
        environ: The environment that names of variables in it see.
        cwd: The folder that a relative path begins in.

    Returns:
        The exit code: 1 if it has a problem, else 0.

    Raises:
        CircusError: The standard output cannot be written.
    """
    examination = examine(path, environ, cwd)
    configuration = examination.configuration
    if configuration is None:
        found = examination.build.findings.everything()
        problems = [one.line for one in found if one.is_problem]
    else:
        problems = [line for one in configuration.left_out for line in one.problems]
        head = f"# {printable(path)}, and all that it leaves unsaid"
        _say([head, *Effective(examination.build, configuration).lines()])
    for line in problems:
        complain(printable(line))
    return EXIT_PROBLEM if problems else EXIT_OK


def verdict(examination: Examination, found: Sequence[Finding]) -> str:
    """Returns what it comes to, in words."""
    configuration = examination.configuration
    problems = sum(one.is_problem for one in found)
    warnings = len(found) - problems
    said = [_count(problems, "problem")] if problems else []
    said += [_count(warnings, "warning")] if warnings else []
    if configuration is None:
        return f"{', '.join(said)}; the daemon does not start"
    if configuration.left_out:
        names = ", ".join(left_out.name for left_out in configuration.left_out)
        return f"{', '.join(said)}; the daemon runs without {names}"
    if problems:
        return f"{', '.join(said)}; the daemon runs, but not all that it is to run"
    return ", ".join(["ok", *said]) + f"; {contents(configuration)}"


def contents(configuration: Configuration) -> str:
    """Returns how much there is in a configuration, in words."""
    counts = (
        (len(configuration.watchers), "watcher"),
        (len(configuration.sockets), "socket"),
        (len(configuration.plugins), "plugin"),
    )
    return ", ".join(_count(number, noun) for number, noun in counts if number) or "nothing to run"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def line(found: Finding) -> str:
    kind = "problem" if found.is_problem else "warning"
    return f"{found.place}: {kind}: {found.text}" if found.place else f"{kind}: {found.text}"


def _say(lines: Sequence[str]) -> None:
    """Prints lines, with what the standard output cannot show written out.

    Raises:
        CircusError: It cannot be written.
    """
    if sys.stdout is None:
        return
    encoding = sys.stdout.encoding or "utf-8"
    text = "\n".join(lines).encode(encoding, "backslashreplace").decode(encoding)
    try:
        print(text, flush=True)
    except OSError as error:
        # Nothing is to be flushed at the end, which would fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # a reader that has seen enough, as `head` has
            raise CircusError(f"the output cannot be written: {error.strerror}") from None
