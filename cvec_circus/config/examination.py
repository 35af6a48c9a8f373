"""A close look at a file: not only its configuration, but everything that looks like a slip.

Much of that may be meant, so a daemon does not look; `--check` does. All of it is what Circus
ignores silently, or what people take for granted that it does.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.base.patterns import regex
from cvec_circus.config import dependencies, inheritance
from cvec_circus.config.build import OBSOLETE, TABLES, Build
from cvec_circus.config.configuration import Configuration
from cvec_circus.config.environment import patterns
from cvec_circus.config.readers.document import FORMATS, Document, read
from cvec_circus.config.section import ENV, KINDS, Entry, Findings, Place, Section, name_meant
from cvec_circus.exc import ConfigError
from cvec_circus.options.arbiter import CHECK_DELAY_IN_FILES
from cvec_circus.options.checks import FAMILIES
from cvec_circus.options.doubts import SHARING, doubts
from cvec_circus.options.expand import names_in, without_variable
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.options.references import references
from cvec_circus.options.stream import IGNORED, STREAMS
from cvec_circus.options.stream_classes import FILES, STREAM_CLASSES
from cvec_circus.options.table import Option
from cvec_circus.options.watcher import WATCHER_OPTIONS, stands_beside
from cvec_circus.options.words import bare, split, without_literals
from cvec_circus.wire.topics import fold

COMMAND_KEYS = ("cmd", "args", "shell_args")
"""Here every name is replaced, when a process is started; elsewhere only those of variables."""

_ROTATING = frozenset({"backup_count", "max_bytes", "rotate_when"})
_ALWAYS = frozenset({"class", IGNORED})

_OF_NETWORKS = frozenset({"host", "port", "interface"})
_OF_PATHS = frozenset({"umask", "replace"})
_TEXTS = frozenset({"text", "command", "args", "endpoint", "log"})
_LIKE_AN_OPTION = regex(r"([A-Za-z_][\w.]*)\s*[=:]")
_HASH = regex(r"\s#(?:\s|$)")
_VARIABLE = regex(r"(?<!\\)\$(?:([A-Za-z_]\w*)|\{(\w+)(?::?[-=?+][^{}]*)?\})", re.ASCII)
_OPERATOR = regex(r"&&?|\|\|?|;|[0-9]?>>?|<|2>&1|&>.*|.+;")
_CODE = regex(r"-\w*c")


class Examination(NamedTuple):
    """Everything that is known of a file. Immutable by convention."""

    build: Build  # its `findings` have all problems and warnings
    configuration: Configuration | None  # None if a daemon would not start with it
    document: Document  # what was read


class There(NamedTuple):
    """What a daemon has. Immutable.

    Attributes:
        sockets, watchers: The names of those beside its file, which the file may refer to.
        before: The headers of what it has from its file, as that was.
    """

    sockets: Collection[str] = ()
    watchers: Collection[str] = ()
    before: Collection[str] = ()


NOTHING = There()


def examine(
    path: str,
    environ: Mapping[str, str],
    cwd: str,
    there: There = NOTHING,
    document: Document | None = None,
) -> Examination:
    """Read a configuration file as `readers.document.load` does, and look for slips. It may block.

    Args:
        path, environ, cwd: As for `load`.
        there: What the daemon that asks has.
        document: What the file says, if that was read already, thoroughly.
    """
    if document is None:
        document = read(path, environ, cwd, Findings(thorough=True))
    sections, findings = document.sections.values(), document.findings
    build = Build(sections, findings, environ, sockets=there.sockets, before=there.before)
    configuration = None
    with contextlib.suppress(ConfigError):  # the findings have all problems
        configuration = build.configuration()
    _Slips(document, build, path, there).look()
    return Examination(build, configuration, document)


class _Slips:
    """Looks for slips in one configuration. Owned by the thread that loads it."""

    def __init__(self, document: Document, build: Build, main: str, there: There) -> None:
        self._document = document
        self._build = build
        self._findings = build.findings
        self._warn = build.findings.warn
        self._main = Place(main, 0)
        self._notes: dict[Place, str] = {}
        self._there = there
        sockets = build.everything.sockets
        self._named_sockets = [{**one.options, "name": one.name} for one in sockets]
        self._sockets = {n.lower() for n in (*(one.name for one in sockets), *there.sockets)}

    def look(self) -> None:
        for path, entries in self._document.entries.items():
            for entry in entries:
                self._notes[Place(path, entry.line)] = entry.note
                self._look_at_line(entry, path)
        for section in self._build.sections:
            meant = name_meant(section.name) if section.kind in KINDS[1:4] else section.name
            if meant and meant != section.name:
                header = f"{section.kind}:{meant}"
                said = f"the name is {section.name}, as it stands; did you mean [{header}]?"
                is_problem = self._build.gone.get(fold(meant), "").lower() == header.lower()
                self._findings.at(section.place(), said, section.header, is_problem=is_problem)
            for key in section.own_keys():
                self._look_at_value(section, key, section.written[key])
        for socket in self._build.everything.sockets:
            self._look_at_path(socket.section, bool(socket.options["path"]))
        for watcher in self._build.everything.watchers:
            if watcher.options.cmd and inheritance.KEY not in watcher.section.lacks:
                self._look_at_command(watcher.section, watcher.options)
        self._look_at_names()
        self._look_at_whole()

    # -- lines and values

    def _look_at_line(self, entry: Entry, path: str) -> None:
        """Text after a header, and options that begin with a blank, which makes them part of the
        value above."""
        if entry.key is None and entry.note[:1] not in ("", ";", "#"):
            said = f"{entry.note[:40]!r} after the bracket is ignored; give it a line of its own"
            self._findings.at(Place(path, entry.line), said, entry.section)
        for line, text in entry.indented:
            found = _LIKE_AN_OPTION.match(text)
            if found is None:
                continue
            section = self._document.sections.get(entry.section)  # None for [DEFAULT]
            is_variable = entry.section.partition(":")[0] == ENV and found[1].isupper()
            if is_variable or (section and _option(section, found[1])):
                said = f"indented, so a part of {entry.key} above; begin {found[1]} at the margin"
                self._findings.at(Place(path, line), said, entry.section, found[1])

    def _look_at_value(self, section: Section, key: str, text: str) -> None:
        place = section.place(key)
        means_itself = place is not None and place.path.endswith((*FORMATS,))  # quotes say so
        if not means_itself and _HASH.search(text):
            said = (
                "# begins no comment here, it is in the value; give the comment a line of its own"
            )
            self._warn(section, key, said)
        option = _option(section, key)
        if not means_itself and _is_quoted(text) and key not in COMMAND_KEYS:
            self._warn(section, key, "the quotes are a part of the value; leave them out")
        if option is None or option.kind not in _TEXTS or key in COMMAND_KEYS:
            return
        self._look_at_variables(section, key, text)
        for name in names_in(section.values[key]):
            if not name.lower().startswith("env."):
                said = f"$(circus.{name}) is replaced in {', '.join(COMMAND_KEYS)} only"
                self._warn(section, key, said)

    def _look_at_variables(self, section: Section, key: str, text: str) -> None:
        for word, found in {match[0]: match for match in _VARIABLE.finditer(text)}.items():
            name = found[1] or found[2]
            if name != "WID":
                word, where = (f"${{{name}}}", "anywhere") if found[2] else (word, "here")
                said = f"{word} is not replaced {where}; write $(circus.env.{name})"
                self._warn(section, key, said)

    def _look_at_names(self) -> None:
        """Variables that do not exist; the others have been replaced already."""
        for section in self._build.sections:
            if section.kind not in TABLES or section.lacks:
                continue
            for key, text in section.values.items():
                for said in without_variable(text):
                    self._warn(section, key, said)

    def _look_at_path(self, section: Section, has_path: bool) -> None:
        """Options that only a socket with a path has, or only one without."""
        for key in section.own_keys():
            is_unix = key == "family" and section.values[key] == "AF_UNIX"
            if has_path and (key in _OF_NETWORKS or (key == "family" and not is_unix)):
                said = "has no effect, for the path makes it a unix socket; leave one of them out"
                self._warn(section, key, said)
            elif key in _OF_PATHS and not (has_path or "path" in section.values):
                self._warn(section, key, "has no effect without a path; leave it out")

    # -- commands

    def _doubt(self, section: Section, key: str, said: str, *others: str) -> None:
        """Warn of what does not go together, unless a value that it depends on was refused."""
        refused = self._build.refused[section.header]
        if not (stands_beside(key, refused) or refused.intersection(others)):
            self._warn(section, key, said)

    def _look_at_command(self, section: Section, options: Mapping[str, Any]) -> None:
        words: list[str] = []
        for key in COMMAND_KEYS[:2]:
            try:
                words += _words(options[key])
            except ValueError:  # which is reported already
                place = section.place(key)
                if note := self._notes.get(place) if place else "":
                    self._warn(section, key, f"{note[:40]!r} was cut off as a comment")
        if _is_quoted(options["cmd"]) and len(options["cmd"].split()) > 1:
            said = "the quotes make this one word, the name of a program; leave them out"
            self._warn(section, "cmd", said)
        self._look_at_syntax(section, options, any(_CODE.fullmatch(word) for word in words))
        if options["shell_args"] and not options["shell"]:
            self._doubt(section, "shell_args", "of no use without a shell; add shell = True")
        self._look_at_own_options(section, options)
        if options["working_dir"]:
            self._look_at_relative(section, options)
        for key, said in _idle_parts(section.values, options):
            if key in section.own_keys():
                self._doubt(section, key, said)
        self._look_at_command_names(section, options)
        self._look_at_checks(section, options)

    def _look_at_relative(self, section: Section, options: Mapping[str, Any]) -> None:
        """Paths that look as if they began in the folder of the processes."""
        paths = {"virtualenv": options["virtualenv"]}
        for stream in STREAMS:
            row = STREAM_CLASSES.get(options[stream].get("class", ""))
            if row is not None and row.lane == FILES:
                paths[f"{stream}.filename"] = options[stream].get("filename")
        for key, path in paths.items():
            if path and not os.path.isabs(path):
                said = "begins in the folder that the daemon starts in, not in working_dir"
                self._doubt(section, key, f"{said}; write the whole path")

    def _look_at_checks(self, section: Section, options: Mapping[str, Any]) -> None:
        for key, said in doubts(options, references(options), self._named_sockets):
            self._doubt(section, key, said, *SHARING)
        for key in section.own_keys():
            family, dot, check = key.partition(".")
            is_check = dot and family in FAMILIES and check not in options[family]
            if is_check and not section.values[key] and inheritance.KEY not in section.values:
                self._warn(section, key, "says nothing, so there is no such check")
        for family in FAMILIES:
            for check, one in options[family].items():
                for name in names_in(one.target):
                    known = {name.lower() for name in options} | {"wid", "name", "pid"}
                    if not (name.lower() in known or name.lower().startswith("env.")):
                        near = did_you_mean(name, known)
                        said = f"$(circus.{name}) means nothing and stays as it is{near}"
                        self._warn(section, f"{family}.{check}", said)

    def _look_at_syntax(self, section: Section, options: Mapping[str, Any], has_code: bool) -> None:
        """What only a shell would understand; the variables may be those of code after `-c`."""
        for key in COMMAND_KEYS[:2]:
            text = options[key]
            if not isinstance(text, str) or not text:
                continue
            operators = []
            with contextlib.suppress(ValueError):  # which is reported already
                operators = [word for word in bare(text) if _OPERATOR.fullmatch(word)]
            if operators and options["shell"]:
                said = f"{operators[0]} is quoted for the shell; write cmd = sh -c '...', no shell"
                self._warn(section, key, said)
            elif operators:
                said = f"{operators[0]} means nothing without a shell; write cmd = sh -c '...'"
                self._doubt(section, key, said, "shell")
            if not has_code:
                self._look_at_variables(section, key, without_literals(text))

    def _look_at_own_options(self, section: Section, options: Mapping[str, Any]) -> None:
        """Freeform options, which only hooks, plugins and the command can use."""
        used = {name.lower() for _, name in _names_in_command(options)}
        for key in section.own_keys():
            is_ours = _option(section, key) or "." in key or key in OBSOLETE
            if is_ours or key.lower() in used or WATCHER_OPTIONS.near(key):
                continue
            if key.isupper():
                said = f"an option of your own, no variable; that belongs in [env:{section.name}]"
            else:
                said = "unknown option (kept for hooks and plugins)"
            self._warn(section, key, said)

    def _look_at_command_names(self, section: Section, options: Mapping[str, Any]) -> None:
        for key, name in _names_in_command(options):
            known = {name.lower() for name in options} | {"wid", "name"}
            kind, _, rest = name.lower().partition(".")
            if kind == "sockets":
                if not options["use_sockets"]:
                    self._doubt(section, key, self._unused(rest), "use_sockets")
            elif kind != ENV and name.lower() not in known:
                near = did_you_mean(name, known | {"sockets.NAME", "env.NAME"})
                said = f"$(circus.{name}) means nothing and stays as it is{near}"
                self._warn(section, key, said)
        if options["listen_fds"] and not options["use_sockets"]:
            self._doubt(section, "listen_fds", "gives nothing without use_sockets = True")

    def _unused(self, name: str) -> str:
        """Say of the name of a socket that it means nothing where none is used."""
        said = "refers to a socket; add use_sockets = True"
        if name in self._sockets:
            return said
        return f"{said}, and [socket:{name}]{did_you_mean(name, self._sockets)}"

    # -- the whole

    def _look_at_whole(self) -> None:
        everything = self._build.everything
        if everything.circus["check_delay"] > CHECK_DELAY_IN_FILES:
            said = "this delays no respawn; for a pause, give the watcher a respawn_delay"
            self._warn(self._build.circus, "check_delay", said)
        names = [one.name for one in everything.watchers]
        names += [one.name for one in everything.plugins]
        known = [*names, *self._there.watchers]
        dependencies.look(everything.watchers, known, self._findings)
        dependencies.look_at_plugins(everything.plugins, known, self._findings)
        for section in self._build.sections:
            if section.kind == ENV and section.name:
                self._look_at_patterns(section, names)
        if not names and not self._findings.problems():
            self._findings.at(self._main, "nothing is to run; write a [watcher:NAME] with a cmd")

    def _look_at_patterns(self, section: Section, names: list[str]) -> None:
        for pattern in patterns(section):
            with contextlib.suppress(re.error):  # no pattern at all, which is said already
                if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
                    near = did_you_mean(pattern, names)
                    self._warn(section, "", f"no watcher is called {pattern}{near}")


def _option(section: Section, key: str) -> Option | None:
    table = TABLES.get(section.kind)
    return table.find(key) if table else None


def _words(command: str | list[str]) -> list[str]:
    """Return the words of a command or its arguments.

    Raises:
        ValueError: They cannot be split.
    """
    return split(command) if isinstance(command, str) else command


def _names_in_command(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the names in a watcher's command, each with the key it is in."""
    for key in COMMAND_KEYS:
        given = options[key] or ()
        for text in [given] if isinstance(given, str) else given:
            for name in names_in(text):
                yield key, name


def _is_quoted(text: str) -> bool:
    """Whether one pair of quotes is around all of it."""
    quote = text[:1]
    return len(text) > 2 and quote in ("'", '"') and text[-1] == quote and text.count(quote) == 2


def _idle_parts(given: Mapping[str, str], options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the keys of streams that change nothing, each with the reason.

    Args:
        given: What a section of a file says, by key.
        options: The options of the watcher.
    """
    for stream in STREAMS:
        conf = options[stream]
        name = conf.get("class", "FileStream")
        row = STREAM_CLASSES.get(name)
        if row is None:
            continue
        for key in given:
            whose, _, part = key.partition(".")
            if whose == stream and part not in row.parts | _ALWAYS:
                users = [other for other, one in STREAM_CLASSES.items() if part in one.parts]
                if users:
                    yield key, f"a {name} does not use it, only a {' or '.join(users)}"
        path = str(conf.get("filename", ""))
        if path.startswith(("/dev/", "/proc/")) and _ROTATING & row.parts & conf.keys():
            yield f"{stream}.filename", f"{path} is not a file of its own, so it is never rotated"
        size = f"{stream}.max_bytes"
        if name == "FileStream" and size in given and not conf.get("backup_count"):
            yield size, f"without {stream}.backup_count nothing is rotated"
        channel = stream.partition("_")[0]
        if conf and options[f"close_child_{channel}"]:
            yield f"close_child_{channel}", f"nothing comes to {stream} then"
