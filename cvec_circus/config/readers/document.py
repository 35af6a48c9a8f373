"""Reading files: the main one and those it includes, as one set of sections."""

from __future__ import annotations

import collections
import glob
import importlib
import os
import re
import stat
from collections.abc import Mapping

from cvec_circus.base.patterns import regex
from cvec_circus.config.build import Build
from cvec_circus.config.configuration import Configuration
from cvec_circus.config.env_files import EnvFiles
from cvec_circus.config.inheritance import inherit
from cvec_circus.config.readers.files import UnreadableError, identity, text_of
from cvec_circus.config.readers.ini import parse
from cvec_circus.config.section import (
    CIRCUS,
    DEFAULT,
    ENV,
    PLUGIN,
    SOCKET,
    TOML,
    WATCHER,
    Entry,
    Findings,
    Place,
    Section,
    kind_meant,
)
from cvec_circus.options.expand import env_values, expand

FORMATS = {TOML: "toml"}
"""The module here that reads files whose names end so; every other one is an INI file. Its `parse`
takes a text, the name of its file and what takes findings, and returns entries."""

_WILD = regex(r"[*?[]")


def load(
    path: str, environ: Mapping[str, str] | None = None, cwd: str | None = None
) -> Configuration:
    """Read a configuration file with all that it includes. It may block: files are read.

    Args:
        path: The main file.
        environ: The environment that `$(circus.env.NAME)` and `$NAME` see; None for the process'.
        cwd: The folder that a relative `path` begins in; None for the process'.

    Returns:
        The configuration. A watcher or plugin with problems is in `left_out` instead.

    Raises:
        ConfigError: All problems: of the file, the daemon, the sockets or the environment; or of so
            many watchers and plugins that nothing is left to run.
    """
    environ = os.environ if environ is None else environ
    findings = Findings()
    document = read(path, environ, os.getcwd() if cwd is None else cwd, findings)
    configuration = Build(document.sections.values(), findings, environ).configuration()
    finish(configuration, document)
    return configuration


def finish(configuration: Configuration, document: Document) -> None:
    """Note where a configuration comes from, and release what was read: only places are needed."""
    configuration.sources = frozenset(document.sources)
    configuration.absent = frozenset(path for path, _, _ in document.absent)
    nothing: dict[str, str] = {}
    for section in document.sections.values():
        section.values = section.written = nothing


class Document:
    """All files of a configuration as one. Owned by the thread that loads it.

    What comes first stays: a key given twice, in one file or over several, has its first value.

    Attributes:
        sections: The sections by their headers.
        entries: The entries of each file, if the findings are thorough.
        sources: The files that were read, and the folders or files that `include` names, each as an
            absolute path with what tells its content from another one.
        absent: What is included and cannot be read: its path as in `sources`, its place, and why.
    """

    def __init__(self, findings: Findings) -> None:
        self.sections: dict[str, Section] = {}
        self.entries: dict[str, list[Entry]] = {}
        self.sources: dict[str, tuple[int, ...]] = {}
        self.absent: list[tuple[str, Place | None, str]] = []
        self.findings = findings

    def add(self, entries: list[Entry], path: str) -> dict[str, dict[str, str]]:
        """Take the entries of a file in, and return what it says by itself."""
        own: dict[str, dict[str, str]] = {}
        if self.findings.thorough:
            self.entries[path] = entries
        for header, key, value, line, _, indented in entries:
            place = Place(path, line)
            section = self.sections.get(header)
            if section is None:
                section = self.sections[header] = _section(header, place)
            if key is None:
                if header in own:
                    self._note_section(section, place)
                own.setdefault(header, {})
                continue
            if key in section.values:
                self._note_key(section, key, place, is_slip=key in own[header])
                more = "".join(f"\n{text}" for _, text in indented)
                section.values[key] += more
                if key in own[header]:
                    own[header][key] += more
            else:
                section.values[key] = value
                section.places[key] = place
            own[header].setdefault(key, value)
        return own

    def share_defaults(self) -> None:
        """Give what `[DEFAULT]` says to every section that does not say it."""
        defaults = self.sections.pop(DEFAULT, None)
        if defaults is None:
            return
        for section in self.sections.values():
            known = section.values.keys() | section.taken_away
            absent = [key for key in defaults.values if key not in known]
            section.inherited = frozenset(absent)
            for key in absent:
                section.values[key] = defaults.values[key]
                section.places[key] = defaults.places[key]

    def _note_section(self, section: Section, place: Place) -> None:
        text = f"begun in {_named(section.places[''], place)} already; both are read as one section"
        self.findings.at(place, text, section.header, is_detail=True)

    def _note_key(self, section: Section, key: str, place: Place, is_slip: bool) -> None:
        """Warn of a key that is given twice: in one file that is a slip, over several maybe not."""
        text = f"given in {_named(section.places[key], place)} already; this one is ignored"
        self.findings.at(place, text, section.header, key, is_detail=not is_slip)


def _section(header: str, place: Place) -> Section:
    kind, colon, name = header.partition(":")
    with_name = (WATCHER, SOCKET, PLUGIN, ENV) if colon else (CIRCUS, ENV)
    return Section(kind if kind in with_name else "", name.strip(), header, place)


def _named(first: Place, second: Place) -> str:
    """Return what to call a place when the other one is known."""
    return f"line {first.line}" if first.path == second.path else str(first)


def read(
    path: str,
    environ: Mapping[str, str],
    cwd: str,
    findings: Findings,
    before: Document | None = None,
) -> Document:
    """Return what a file and the files that it includes say.

    Every file is read once, however often and in whatever circle it is included.

    Args:
        path: The main file.
        environ: The daemon's environment, for `$(circus.env.NAME)` in what is included.
        cwd: The folder that a relative `path` begins in.
        findings: Takes what is wrong.
        before: A thorough reading of a moment ago: what is the same is not parsed again.
    """
    document = Document(findings)
    waiting = collections.deque([path])
    seen: set[object] = set()
    while waiting:
        current = waiting.popleft()
        whole = os.path.join(cwd, current)
        found = identity(whole)
        if (found[:2] or current) in seen:
            continue
        seen.add(found[:2] or current)
        findings.begin(current)
        text = _text_of(current, whole, findings)
        told = document.sources[whole] = (*found, hash(text))
        entries = None
        if before is not None and before.sources.get(whole) == told:
            entries = before.entries.get(current)
        if entries is None:
            entries = _entries(text, current, findings)
        own = document.add(entries, current)
        for key, pattern in _patterns(own.get(CIRCUS, {}), environ, own.get(ENV, {})):
            named = os.path.join(os.path.dirname(path), pattern)
            waiting.extend(_included(document, key, named, cwd, findings))
    sections = document.sections.values()
    inherit(sections, findings)
    document.share_defaults()
    document.sources.update(EnvFiles(sections, environ, cwd, findings).sources)
    is_meant = any(
        one.kind not in ("", ENV) or kind_meant(one.header) != one.kind for one in sections
    )
    if not is_meant and not findings.problems():
        said = "nothing in it says what to run; write a [watcher:NAME] with a cmd"
        findings.at(Place(path, 0), said, is_problem=True)
    return document


def _entries(text: str, path: str, findings: Findings) -> list[Entry]:
    """Return what a file says, in the format that its name tells."""
    name = next((name for ending, name in FORMATS.items() if path.endswith(ending)), "")
    if not name:
        return parse(text, path, findings)
    module = importlib.import_module(f"cvec_circus.config.readers.{name}")
    return list(module.parse(text, path, findings))


def _patterns(
    circus: Mapping[str, str], environ: Mapping[str, str], env: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return what a file's `[circus]` section includes: the key, and a pattern of files."""
    said = [(key, circus[key]) for key in ("include", "include_dir") if circus.get(key)]
    values = env_values({**environ, **env}) if said else {}
    return [
        (key, pattern if key == "include" else os.path.join(pattern, "*.ini"))
        for key, patterns in said
        for pattern in expand(patterns, values).split()
    ]


def _included(document: Document, key: str, named: str, cwd: str, findings: Findings) -> list[str]:
    """Return the files that a pattern stands for; what cannot be read becomes a warning.

    It is a problem for a daemon that has read it before: see `config.rereading`.
    """
    section = document.sections[CIRCUS]
    found = _matches(named, cwd)
    pipes = [one for one in found if _is_pipe(os.path.join(cwd, one))]
    for pipe in pipes:
        said = f"{pipe} is a pipe, which is not read; write a regular file"
        findings.warn(section, key, said)
        document.absent.append((os.path.join(cwd, pipe), section.place(key), f"{key}: {said}"))
    if not found:
        hint = "paths are relative to the main file"
        if named.endswith(","):
            hint = "write blanks between the files, without commas"
        findings.warn(section, key, f"nothing is there at {named}; {hint}")
    root = os.path.join(cwd, _WILD.split(named, maxsplit=1)[0])
    is_pattern = root != os.path.join(cwd, named)
    if is_pattern:
        root = os.path.dirname(root)
    try:
        if is_pattern or os.path.isdir(root):
            os.close(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        os.stat(root)
        document.sources[root] = ()
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        document.absent.append((root, section.place(key), f"{key}: {root}: {reason}"))
    return [one for one in found if one not in pipes]


def _matches(named: str, cwd: str) -> list[str]:
    """Return the files of a pattern in order, relative to `cwd` if the pattern is."""
    try:
        found = sorted(glob.glob(os.path.join(cwd, named)))
    except (re.error, RecursionError):  # a pattern such as [z-a], or one of a thousand folders
        return []
    return found if os.path.isabs(named) else [os.path.relpath(one, cwd) for one in found]


def _is_pipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:  # a link to nowhere, for example: reading it will say so
        return False


def _text_of(path: str, whole: str, findings: Findings) -> str:
    """Return the text of a file; "" if it cannot be read, which becomes a problem."""
    try:
        return text_of(whole)
    except UnreadableError as error:
        findings.at(Place(path, error.line), error.reason, is_problem=True)
        return ""
