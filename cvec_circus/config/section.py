"""What every reader makes of a configuration: sections, and the findings on the way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.base.patterns import regex
from cvec_circus.exc import ConfigError
from cvec_circus.options.expand import without_variable
from cvec_circus.options.kinds import shown
from cvec_circus.options.nearest import LONGEST_WORD, nearest_to
from cvec_circus.options.variables import Variables, parts_of

CIRCUS, WATCHER, SOCKET, PLUGIN, ENV = "circus", "watcher", "socket", "plugin", "env"
"""The kinds of sections."""

DEFAULT = "DEFAULT"
"""The section whose keys every other one gets."""

PLUGIN_PREFIX = "plugin:"
"""How the name of a plugin's watcher begins."""

KINDS = (CIRCUS, WATCHER, SOCKET, PLUGIN, ENV)
TOML = ".toml"
"""How the names of files in that format end."""

_HEADER = regex(r"\[(watcher|socket|plugin|env):([\w-]+)\]", re.ASCII)
"""One that TOML writes with a dot."""

_KIND = regex(r"\w+")
_NONE: frozenset[str] = frozenset()


class Place(NamedTuple):
    """A line of a file. Immutable."""

    path: str  # the file, as people called it
    line: int  # from 1; 0 for the file as a whole

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


class Entry(NamedTuple):
    """A section header, or a key with its value. Immutable."""

    section: str  # without the brackets and the blanks around it
    key: str | None  # None for the header
    value: str  # its lines joined by newlines
    line: int  # the number of the line that it begins on
    note: str = (
        ""  # what was cut from the value's first line, the ";" included; after a header, all
    )
    indented: Sequence[tuple[int, str]] = ()  # the lines that continue the value, by number


class Section:
    """One section of a configuration, whatever it was read from. Owned by the thread that loads it.

    Attributes:
        kind: One of the kinds above; "" for a section that has no meaning.
        name: What follows the kind; "" for a section that has no name.
        header: What a file has in brackets.
        values: The value of each key: text from a file; anything from a program.
        written: The values before names of variables in them were replaced.
        watcher: The name of the watcher that the section makes, "" if it makes none.
        places: The place of each key, and of the section itself under ""; empty for a program.
        inherited: The keys that come from `[DEFAULT]`.
        extended: The keys that come from what it extends, each with the name of the section.
        variables: What the files of its `env_file` say.
        variable_places: Where each of these stands.
        taken_away: The keys that it says nothing for, so that it has none of what it extends or of
            `[DEFAULT]`.
        owns: The keys that mean something else here than they usually do: they are options of its
            own.
        lacks: The keys that name what cannot be read, which is a problem. What only follows from
            that is none.
        is_replaced: Whether names of variables have been replaced, of those that exist.
    """

    __slots__ = (
        *("header", "kind", "name", "places", "values", "watcher", "written"),
        *("inherited", "extended", "variables", "variable_places", "lacks", "taken_away", "owns"),
        "is_replaced",
    )

    def __init__(self, kind: str, name: str, header: str, place: Place | None = None) -> None:
        self.kind = kind
        self.name = name
        self.watcher = {WATCHER: name, PLUGIN: PLUGIN_PREFIX + name}.get(kind, "")
        self.header = header
        self.values: dict[str, Any] = {}
        self.written = self.values
        self.places = {} if place is None else {"": place}
        self.inherited = _NONE
        self.extended: dict[str, str] = {}
        self.variables: dict[str, str] = {}
        self.variable_places: dict[str, Place] = {}
        self.lacks = self.taken_away = self.owns = _NONE
        self.is_replaced = False

    def place(self, key: str = "") -> Place | None:
        """Return where a key stands, or the section if the key is not given."""
        return self.places.get(key) or self.places.get("")

    def own_keys(self) -> list[str]:
        """Return the keys that stand in the section itself, neither in `[DEFAULT]` nor in what it
        extends."""
        return [k for k in self.values if k not in self.inherited and k not in self.extended]

    def label(self, key: str) -> str:
        """Return what to call a key: whose it is, if it comes from what the section extends."""
        return f"{key} (of {self.extended[key]})" if key in self.extended else key


class Finding(NamedTuple):
    """A problem or a warning. Immutable."""

    place: Place | None  # None for what comes from no file
    text: str
    header: str  # of the section, "" for none
    is_problem: bool
    is_detail: bool = False  # only a thorough look reports it
    key: str = ""  # "" for none

    @property
    def line(self) -> str:
        """The line for a log: `file:line: [section] key: what is wrong; what to do`."""
        return f"{self.place}: {self.text}" if self.place else self.text


class Findings:
    """Every problem and warning of a configuration. Owned by the thread that loads it.

    Problems make something unusable, warnings do not. All are collected, so that one reading is
    enough to correct a file.

    Attributes:
        thorough: Whether readers report everything that looks like a slip. A daemon does not want
            that: much of it is meant, and would be reported at every start.
        variables: Those that the configuration names: no finding shows what they stand for.
    """

    def __init__(self, thorough: bool = False) -> None:
        self.thorough = thorough
        self.variables = Variables()
        self._own: dict[tuple[str, str], Variables] = {}
        self._files: dict[str, int] = {}
        self._all: list[Finding] = []

    def begin(self, path: str) -> None:
        """Put what is found in a file after what was found in earlier ones."""
        self._files.setdefault(path, len(self._files))

    def problem(self, section: Section, key: str, text: str) -> None:
        """Take a problem with a key of a section, or with the section itself under ""."""
        self._about(section, key, text, is_problem=True)

    def warn(self, section: Section, key: str, text: str) -> None:
        """Take a warning about a key of a section, or about the section itself under ""."""
        self._about(section, key, text)

    def _about(self, section: Section, key: str, text: str, is_problem: bool = False) -> None:
        """Take a finding about a key. If it shows a variable in the value that does not exist, that
        is the cause, unless a file that is missing may give it."""
        missing = without_variable(text) if section.is_replaced and not section.lacks else []
        if missing:
            written = without_variable(str(section.written.get(key, "")))
            left = without_variable(str(section.values.get(key, "")))
            both = {*left}.intersection(written)  # not what is within a variable's value
            missing = [said for said in dict.fromkeys(missing) if said in both]
        for said in missing or [text]:
            self.at(section.place(key), said, section.header, section.label(key), is_problem)

    def at(
        self,
        place: Place | None,
        text: str,
        header: str = "",
        key: str = "",
        is_problem: bool = False,
        is_detail: bool = False,
    ) -> None:
        """Take a finding.

        Args:
            place: Where it is; None for what comes from no file.
            text: What is wrong, and what to do.
            header: The header of the section that it is in, "" for none.
            key: The key that it is about, "" for none.
            is_problem: Whether it makes something unusable; otherwise it is a warning.
            is_detail: Whether it is for those who want to be thorough; else it is dropped.
        """
        if is_detail and not self.thorough:
            return
        if place is not None and place.path.endswith(TOML):
            text = _HEADER.sub(r"[\1.\2]", text)
        said = [f"[{header}]" if header else "", f"{key}:" if key else "", text]
        text = printable(" ".join(filter(None, said)))
        self._all.append(Finding(place, text, header, is_problem, is_detail, key))

    @property
    def warnings(self) -> list[str]:
        """What a daemon warns of, a line each, in the order of the files and their lines."""
        found = self.everything()
        return [one.line for one in found if not (one.is_problem or one.is_detail)]

    def everything(self) -> list[Finding]:
        """Return the problems and the warnings, in the order of the files and their lines. What
        says what is said already is left out, but a problem that comes from no file."""
        problems = {(one.place, one.text) for one in self._all if one.is_problem}
        told = set()
        found = []
        for one in sorted(self._all, key=self._position):
            said = (one.place, one.text)
            is_new = said not in told and (one.is_problem or said not in problems)
            if is_new or (one.is_problem and one.place is None):
                told.add(said)
                found.append(self._concealed(one))
        return found

    def conceal(
        self, section: Section, key: str, name: str, value: str, parts: Iterable[str] = ()
    ) -> None:
        """Show the name of a variable in place of its value.

        Args:
            section, key: The option that it is in; where a finding is about that, any part of the
                value is concealed too.
            name, value: The variable as it is written, and what it stands for.
            parts: The parts of the value that are concealed everywhere.
        """
        own = self._own.setdefault((section.header, section.label(key)), Variables())
        own.add(value, name, parts_of(value, name))
        own.add(shown(section.values[key]), shown(section.written[key]))
        self.variables.add(value, name, dict.fromkeys(parts, name))

    def _concealed(self, one: Finding) -> Finding:
        own = self._own.get((one.header, one.key))
        text = self.variables.conceal(one.text if own is None else own.conceal(one.text))
        place = one.place and Place(self.variables.conceal(one.place.path), one.place.line)
        return one._replace(text=text, place=place)

    def problems(self) -> dict[str, list[str]]:
        """Return the problems by the header of their section, in the order of their lines.

        "" stands for problems in no section.
        """
        found: dict[str, list[str]] = {}
        for one in self.everything():
            if one.is_problem:
                found.setdefault(one.header, []).append(one.line)
        return found

    def raise_problems(self) -> None:
        """Do nothing if there is no problem.

        Raises:
            ConfigError: All problems, in the order of the files and their lines.
        """
        problems = [one.line for one in self.everything() if one.is_problem]
        if problems:
            raise ConfigError(problems)

    def _position(self, one: Finding) -> tuple[int, int]:
        return (self._files.get(one.place.path, 0), one.place.line) if one.place else (-1, 0)


def printable(text: str) -> str:
    """Return text on one line, with what a terminal would act upon written out."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def kind_meant(header: str) -> str:
    """Return the kind of section that a header is probably a misspelling of, "" for none."""
    return nearest_to(_parts(header)[0][:LONGEST_WORD], frozenset((*KINDS, DEFAULT.lower())))


def header_meant(header: str) -> str:
    """Return the header that one of no known kind is probably a misspelling of, "" for none."""
    kind, name = kind_meant(header), _parts(header)[1]
    if kind == DEFAULT.lower():
        return DEFAULT
    if not kind or kind == CIRCUS or (kind == ENV and not name):
        return kind
    return f"{kind}:{name or 'NAME'}"


def name_meant(name: str) -> str:
    """Return a name without what stands around it by mistake, as in `[watcher::web]`."""
    return name.strip(": =\"'")


def _parts(header: str) -> tuple[str, str]:
    """Return the kind and the name in a header that may have other marks than a colon."""
    if header.startswith("["):
        header = header[1:].removesuffix("]")
    kind, _, name = header.partition(":")
    if not _KIND.fullmatch(kind.strip()):
        found = _KIND.match(header.strip())
        kind, name = (found[0], header.strip()[found.end() + 1 :]) if found else ("", "")
    return kind.strip(), name_meant(name)
