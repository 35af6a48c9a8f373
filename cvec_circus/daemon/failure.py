"""Why a daemon did not start, in the words of `--check`: each line with its file and its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from cvec_circus.base.patterns import regex
from cvec_circus.config.build import Build
from cvec_circus.config.examination import examine
from cvec_circus.config.section import CIRCUS, SOCKET
from cvec_circus.config.sockets import located
from cvec_circus.daemon.check import check_endpoints
from cvec_circus.supervisor.reload.locating import FILES, locate

_OPTION = regex(r"(\w+):? (.*)", re.DOTALL)


def explained(
    error: str, path: str, environ: Mapping[str, str], cwd: str, allow_remote: bool
) -> str:
    """Say why a start has failed.

    The file is read once more: a daemon that runs has no use for its lines. What `--check` finds in
    the options of the daemon, or in its sockets, is said instead of the error, for that is all of
    it. What only a start can find, such as a port that is in use, gets the line of its option.

    Args:
        error: What the start has said, a line for each reason.
        path, environ, cwd, allow_remote: As for the start.
    """
    build = examine(path, environ, cwd).build
    check_endpoints(build, allow_remote)
    locate(build, cwd)
    found = [
        one.line
        for one in build.findings.everything()
        if one.is_problem and one.header.partition(":")[0] in (CIRCUS, SOCKET)
    ]
    return "\n".join(found or [_located(line, build) for line in error.splitlines()])


def _located(line: str, build: Build) -> str:
    """Return a line with the place of the option that it is about, if the file has it."""
    said = located(line, build.everything.sockets)
    section = build.circus
    for key, text in _subjects(line, build):
        place = section.place(key)
        if said == line and key in section.values and place is not None:
            said = f"{place}: [{section.header}] {key}: {text}"
    return build.findings.variables.conceal(said)


def _subjects(line: str, build: Build) -> Iterator[tuple[str, str]]:
    """Yield the options of the daemon that a line may be about, with what is said of each."""
    if found := _OPTION.fullmatch(line):
        yield found[1], found[2]
    for key in (*FILES, "loggerconfig"):
        if (value := build.everything.circus[key]) and str(value) in line:
            yield key, line
