"""Why a daemon did not start, in the words of `--check`: each line with its file and its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from cvec_circus.base.patterns import regex
from cvec_circus.config.build import Build
from cvec_circus.config.examination import examine
from cvec_circus.config.section import CIRCUS, SOCKET, Section
from cvec_circus.daemon.check import check_endpoints
from cvec_circus.supervisor.reload.locating import FILES, locate

_SOCKET = regex(r"socket (.+?): (.*)", re.DOTALL)
_OPTION = regex(r"(\w+):? (.*)", re.DOTALL)
_WHERE = ("path", "port", "host")
"""The keys of a socket by which it cannot listen, the first one that is given."""


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
    for section, key, text in _subjects(line, build):
        place = section.place(key)
        if key in section.values and place is not None:
            return build.findings.variables.conceal(f"{place}: [{section.header}] {key}: {text}")
    return line


def _subjects(line: str, build: Build) -> Iterator[tuple[Section, str, str]]:
    """Yield what a line may be about: a section, a key, and what is said of that."""
    if found := _SOCKET.fullmatch(line):
        for section in (one.section for one in build.everything.sockets if one.name == found[1]):
            yield from ((section, key, found[2]) for key in _WHERE)
    if found := _OPTION.fullmatch(line):
        yield build.circus, found[1], found[2]
    for key in (*FILES, "loggerconfig"):
        if (value := build.everything.circus[key]) and str(value) in line:
            yield build.circus, key, line
