"""What looks like a slip in a configuration. Only `--check` wants to know: much of it may be meant.

All of it is what Circus swallows without a word, or what people take for granted that it does.
"""

from __future__ import annotations

import contextlib
import fnmatch
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cvec_circus.config.assembly import OBSOLETE
from cvec_circus.config.configuration import Configuration, WatcherConfig
from cvec_circus.config.findings import Place
from cvec_circus.config.parts import idle_parts
from cvec_circus.config.readers.ini import Document
from cvec_circus.config.readers.lines import Entry
from cvec_circus.options.arbiter import CHECK_DELAY_IN_FILES
from cvec_circus.options.expand import names_in
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.options.option import Option
from cvec_circus.options.table import OptionTable
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.options.words import split

COMMAND_KEYS = ("cmd", "args", "shell_args")
"""Here every name is replaced, when a process is started; elsewhere only those of variables."""

_TEXTS = frozenset({"text", "command", "args", "endpoint"})
_LIKE_AN_OPTION = re.compile(r"([A-Za-z_][\w.]*)\s*[=:]")
_HASH = re.compile(r"\s#(?:\s|$)")
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{(\w+)\})", re.ASCII)
_OPERATOR = re.compile(r"&&?|\|\|?|;|[0-9]?>>?|<|2>&1|&>.*|.+;")
_CODE = re.compile(r"-\w*c")


class Slips:
    """Looks for slips in one configuration. Owned by the thread that loads it.

    Args:
        document: What the files say, with names of variables replaced; its findings get the slips.
        tables: The table of each section that has one.
        raw: The same before anything was replaced.
        configuration: What it comes to, with everything that is to be left out.
        main: The main file.
    """

    def __init__(
        self,
        document: Document,
        tables: Mapping[str, OptionTable],
        raw: Mapping[str, Mapping[str, str]],
        configuration: Configuration,
        main: str,
    ) -> None:
        self._document = document
        self._findings = document.findings
        self._tables = tables
        self._raw = raw
        self._configuration = configuration
        self._main = Place(main, 0)
        self._notes = {Place(path, entry.line): entry.note for entry, path in document.written}

    def look(self) -> None:
        """Take down all of them."""
        for entry, path in self._document.written:
            self._look_at_indented(entry, path)
        for section, keys in self._raw.items():
            for key, text in keys.items():
                if (section, key) not in self._document.inherited:
                    self._look_at_value(section, key, text)
        sections = {place: section for section, place in self._document.headers.items()}
        for watcher in self._configuration.watchers:
            if watcher.options.get("cmd"):
                self._look_at_command(watcher, sections[watcher.where[""]])
        self._look_at_names()
        self._look_at_whole()

    def _hint(self, text: str, section: str, key: str = "") -> None:
        self._findings.hint(self._document.place(section, key), text, section, key)

    def _option(self, section: str, key: str) -> Option | None:
        table = self._tables.get(section)
        return table.find(key) if table else None

    # -- lines and values

    def _look_at_indented(self, entry: Entry, path: str) -> None:
        """Options that begin with a blank, which makes them part of the value above."""
        for line, text in entry.indented:
            found = _LIKE_AN_OPTION.match(text)
            if found is None:
                continue
            is_variable = entry.section.partition(":")[0] == "env" and found[1].isupper()
            if is_variable or self._option(entry.section, found[1]):
                said = f"indented, so a part of {entry.key} above; begin {found[1]} at the margin"
                self._findings.hint(Place(path, line), said, entry.section, found[1])

    def _look_at_value(self, section: str, key: str, text: str) -> None:
        if _HASH.search(text):
            said = (
                "# begins no comment here, it is in the value; give the comment a line of its own"
            )
            self._hint(said, section, key)
        option = self._option(section, key)
        if _is_quoted(text) and key not in COMMAND_KEYS:
            self._hint("the quotes are a part of the value; leave them out", section, key)
        if option is None or option.kind not in _TEXTS or key in COMMAND_KEYS:
            return
        self._look_at_variables(section, key, text)
        for name in names_in(self._document.tree[section][key]):
            if not name.lower().startswith("env."):
                said = f"$(circus.{name}) is replaced in {', '.join(COMMAND_KEYS)} only"
                self._hint(said, section, key)

    def _look_at_variables(self, section: str, key: str, text: str) -> None:
        for found in _VARIABLE.finditer(text):
            name = found[1] or found[2]
            if name != "WID":
                said = f"{found[0]} is replaced in [env] sections only; write $(circus.env.{name})"
                self._hint(said, section, key)

    def _look_at_names(self) -> None:
        """Variables that are nowhere; those that are have been replaced already."""
        for section in self._tables:
            for key, text in self._document.tree[section].items():
                for name in names_in(text):
                    kind, _, variable = name.partition(".")
                    if kind.lower() == "env":
                        said = f"there is no variable {variable}; give it a value in [env]"
                        self._hint(said, section, key)

    # -- commands

    def _look_at_command(self, watcher: WatcherConfig, section: str) -> None:
        words: list[str] = []
        for key in COMMAND_KEYS[:2]:
            text = watcher.options.get(key, "")
            split = _split(text) if isinstance(text, str) else _Words(text, "")
            if split.trouble:
                self._complain_of(section, key, split.trouble)
            words += split.words
        cmd = watcher.options["cmd"]
        if _is_quoted(cmd) and len(cmd.split()) > 1:
            said = "the quotes make this one word, the name of a program; leave them out"
            self._hint(said, section, "cmd")
        if not any(_CODE.fullmatch(word) for word in words):
            self._look_at_syntax(watcher, section)
        self._look_at_shell(watcher, section)
        self._look_at_own_options(watcher, section)
        given = self._document.tree[section]
        for key, said in idle_parts(given, watcher.options):
            if key in given and (section, key) not in self._document.inherited:
                self._hint(said, section, key)
        self._look_at_command_names(watcher, section)

    def _complain_of(self, section: str, key: str, trouble: str) -> None:
        place = self._document.place(section, key)
        note = self._notes.get(place) if place else ""
        more = f"{note[:40]!r} was cut off as a comment" if note else "close the quotes"
        said = f"cannot be split into words: {trouble.lower()}; {more}"
        self._findings.problem(place, said, section, key)

    def _look_at_syntax(self, watcher: WatcherConfig, section: str) -> None:
        """What only a shell would understand."""
        for key in COMMAND_KEYS[:2]:
            text = watcher.options.get(key, "")
            if not isinstance(text, str) or not text:
                continue
            operators = [word for word in _split(text).words if _OPERATOR.fullmatch(word)]
            if operators and watcher.options.get("shell"):
                said = f"{operators[0]} is quoted for the shell; write cmd = sh -c '...', no shell"
                self._hint(said, section, key)
            elif operators:
                said = f"{operators[0]} means nothing without a shell; write cmd = sh -c '...'"
                self._hint(said, section, key)
            self._look_at_variables(section, key, text)

    def _look_at_shell(self, watcher: WatcherConfig, section: str) -> None:
        if watcher.options.get("shell_args") and not watcher.options.get("shell"):
            self._hint("of no use without a shell; add shell = True", section, "shell_args")

    def _look_at_own_options(self, watcher: WatcherConfig, section: str) -> None:
        """Options that are none: only hooks, plugins and the command can have a use for them."""
        used = {
            name.lower()
            for key in COMMAND_KEYS
            for text in _texts(watcher.options.get(key))
            for name in names_in(text)
        }
        for key in self._document.tree[section]:
            is_ours = self._option(section, key) or "." in key or key in OBSOLETE
            inherited = (section, key) in self._document.inherited
            if is_ours or inherited or key.lower() in used or WATCHER_OPTIONS.near(key):
                continue
            if key.isupper():
                said = f"an option of your own, no variable; that belongs into [env:{watcher.name}]"
            else:
                said = "unknown option, kept as it is; nothing reads it but hooks and plugins"
            self._hint(said, section, key)

    def _look_at_command_names(self, watcher: WatcherConfig, section: str) -> None:
        known = {name.lower() for name in watcher.options} | {"wid", "name"}
        sockets = {one.name.lower() for one in self._configuration.sockets}
        for key in COMMAND_KEYS:
            for text in _texts(watcher.options.get(key)):
                for name in names_in(text):
                    kind, _, rest = name.lower().partition(".")
                    if kind == "sockets":
                        self._look_at_socket(watcher, section, key, rest, sockets)
                    elif kind != "env" and name.lower() not in known:
                        near = did_you_mean(name, known | {"sockets.NAME", "env.NAME"})
                        said = f"$(circus.{name}) means nothing and stays as it is{near}"
                        self._hint(said, section, key)

        key = "stdin_socket"
        if watcher.options.get(key):
            self._is_socket(section, key, watcher.options[key].lower(), sockets)
        if watcher.options.get("listen_fds") and not watcher.options.get("use_sockets"):
            self._hint("gives nothing without use_sockets = True", section, "listen_fds")

    def _is_socket(self, section: str, key: str, name: str, sockets: set[str]) -> bool:
        """Whether there is a socket of that name; it is a problem if there is none."""
        if name not in sockets:
            said = f"there is no [socket:{name}]{did_you_mean(name, sockets)}"
            place = self._document.place(section, key)
            self._findings.problem(place, said, section, key)
        return name in sockets

    def _look_at_socket(
        self, watcher: WatcherConfig, section: str, key: str, name: str, sockets: set[str]
    ) -> None:
        if not self._is_socket(section, key, name, sockets):
            return
        if not watcher.options.get("use_sockets"):
            self._hint("refers to a socket; add use_sockets = True", section, key)

    # -- the whole

    def _look_at_whole(self) -> None:
        configuration = self._configuration
        section, key = "circus", "check_delay"
        if configuration.circus[key] > CHECK_DELAY_IN_FILES:
            said = "this delays no respawn; for a pause, give the watcher a respawn_delay"
            self._hint(said, section, key)
        nothing = not configuration.watchers and not configuration.plugins
        if nothing and not self._findings.sections_with_problems():
            self._findings.hint(self._main, "nothing is to run; write a [watcher:NAME] with a cmd")
        names = [watcher.name for watcher in configuration.watchers]
        names += [plugin.name for plugin in configuration.plugins]
        for section in self._document.tree:
            kind, _, patterns = section.partition(":")
            if kind == "env" and patterns:
                self._look_at_patterns(section, patterns, names)

    def _look_at_patterns(self, section: str, patterns: str, names: Iterable[str]) -> None:
        for pattern in map(str.strip, patterns.split(",")):
            with contextlib.suppress(re.error):  # no pattern at all, which is said already
                if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
                    near = did_you_mean(pattern, names)
                    self._hint(f"no watcher is called {pattern}{near}", section)


class _Words(NamedTuple):
    """The words of a text, or why there are none. Immutable."""

    words: list[str]
    trouble: str


def _split(text: str) -> _Words:
    try:
        return _Words(split(text), "")
    except ValueError as error:
        return _Words([], str(error))


def _texts(given: object) -> list[str]:
    return [given] if isinstance(given, str) else [str(word) for word in given or ()]  # type: ignore


def _is_quoted(text: str) -> bool:
    """Whether one pair of quotes is around all of it."""
    quote = text[:1]
    return len(text) > 2 and quote in ("'", '"') and text[-1] == quote and text.count(quote) == 2
