"""TOML as another way to write a configuration: from a text to the same entries as an INI file.

A table is a section, and tables in it are the parts of its keys::

    [watcher.web]                   [watcher:web]
    cmd = ["serve", "a b"]          cmd = serve 'a b'
    numprocesses = 2                numprocesses = 2
    [watcher.web.stdout_stream]
    filename = "web.log"            stdout_stream.filename = web.log
    [watcher.web.env]               [env:web]
    WORKERS = 4                     WORKERS = 4

Values become text, which the tables of options judge as that of an INI file. The standard library
has a parser from Python 3.11 on; it tells the line of a mistake, but of no key. So the text is cut
into statements, the shortest pieces that the parser takes, and each is asked what it gives.
"""

from __future__ import annotations

import glob
import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import date, time
from importlib import import_module
from typing import Any

from cvec_circus.base.patterns import regex
from cvec_circus.config.section import (
    CIRCUS,
    ENV,
    KINDS,
    PLUGIN,
    SOCKET,
    WATCHER,
    Entry,
    Findings,
    Place,
    kind_meant,
)
from cvec_circus.options.needs import NEEDS

MOST_ENDS = 500
"""Lines at which a statement may end, and does not. What is in a longer one, or follows it, has the
line of its table."""

_INSTALL = "a file in TOML needs tomli before Python 3.11: pip install 'cvec_circus[toml]'"
_NAMED = (WATCHER, SOCKET, PLUGIN)
_WORDS = frozenset({"cmd", "args", "shell_args"})
_BLANKS = frozenset({"include", "include_dir"})
_OCTAL = frozenset({"umask", "endpoint_mode"})
_AT = regex(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_INI_HEADER = regex(r"^\[(?:watcher|socket|plugin|env)\s*:.*\]", re.IGNORECASE | re.MULTILINE)

Path = tuple[str, ...]


def parse(text: str, path: str, findings: Findings) -> list[Entry]:
    """Return the headers and keys of a file in their order.

    Args:
        text: The whole file.
        path: Its name, for what is found.
        findings: Takes what is not TOML, and what has no meaning.
    """
    try:
        loads = _parser()
    except ModuleNotFoundError:
        findings.at(Place(path, 0), _INSTALL, is_problem=True)
        return []
    try:
        document = loads(text)
    except RecursionError:
        findings.at(Place(path, 0), "nested too deeply", is_problem=True)
        return []
    except ValueError as error:
        found = _AT.search(str(error))
        wrong = str(error)[: found.start()] if found else str(error)
        line = int(found[1]) if found and found[1] else text.count("\n") + 1
        said = f"not TOML: {_lower(wrong)}{_meant(text, wrong)}"
        findings.at(Place(path, line), said, is_problem=True)
        return []
    return _Reader(_lines(text, loads), path, findings).entries(document)


def _meant(text: str, wrong: str) -> str:
    """Return what to say of a text that the parser does not take; "" for nothing."""
    if _INI_HEADER.search(text):
        return "; this looks like an INI file: give it a name that does not end in .toml"
    return "; TOML has text in quotes, and true or false" if wrong == "Invalid value" else ""


def _parser() -> Any:
    """Return what makes a dict of a text.

    Raises:
        ModuleNotFoundError: This Python has none, and tomli is not installed.
    """
    try:
        return import_module("tomllib").loads
    except ModuleNotFoundError:
        return import_module("tomli").loads


def _lines(text: str, loads: Any) -> dict[Path, int]:
    """Return on which line each table and each key begins, of a text that is valid."""
    found: dict[Path, int] = {}
    table: Path = ()
    piece: list[str] = []
    begins, ends = 1, 0
    for number, line in enumerate(text.split("\n"), 1):
        if not piece:
            begins, ends = number, 0
        piece.append(line)
        if line.rstrip().endswith(",") and "#" not in line:
            continue  # in a list
        try:
            said = loads("\n".join(piece))
        except ValueError:
            ends += 1
            if ends < MOST_ENDS:
                continue
            return found
        is_header = piece[0].lstrip().startswith("[")
        piece = []
        way = _way(said)
        if is_header:
            table = way
        else:
            way = (*table, *way) if way else ()
        for length in range(1, len(way) + 1):
            found.setdefault(way[:length], begins)
    return found


def _way(said: Any) -> Path:
    """Return the names that lead to the one thing that a statement gives."""
    way: list[str] = []
    while isinstance(said, list) and said:  # of a header in double brackets
        said = said[0]
    while isinstance(said, dict) and len(said) == 1:
        [(name, said)] = said.items()
        way.append(name)
    return tuple(way)


def _is_misspelt(name: str, tables: Mapping[str, Any]) -> bool:
    """Tell whether a table of no known kind has names of its own in it, as [watchr.web] has."""
    meant = name != ENV and kind_meant(name) in (*_NAMED, ENV)
    return meant and bool(tables) and all(isinstance(one, dict) for one in tables.values())


class _Reader:
    """Makes entries of one document. Owned by the thread that loads it."""

    def __init__(self, lines: Mapping[Path, int], path: str, findings: Findings) -> None:
        self._lines, self._path, self._findings = lines, path, findings

    def entries(self, document: Mapping[str, Any]) -> list[Entry]:
        """Return all of them; those of a table's own environment come right after it."""
        found: list[Entry] = []
        for name, value in document.items():
            if not isinstance(value, dict):
                self._refuse((name,), _why_no_table(name, value))
            elif name in _NAMED or _is_misspelt(name, value):
                for own, section in value.items():
                    if isinstance(section, dict):
                        found += self._section(f"{name}:{own}", (name, own), section)
                    else:
                        self._refuse((name, own), _why_no_table(name, section, own))
            elif name == ENV:
                found += self._environment(value)
            else:
                found += self._section(name, (name,), value)
        return found

    def _section(self, header: str, way: Path, section: Mapping[str, Any]) -> Iterator[Entry]:
        yield Entry(header, None, "", self._line(way))
        own = section.get(ENV) if header.partition(":")[0] in (WATCHER, PLUGIN) else None
        for key, value in section.items():
            if not (key == ENV and isinstance(own, dict)):
                yield from self._keys(header, (*way, key), key, value)
        if isinstance(own, dict):
            name = header if way[0] == PLUGIN else way[-1]
            if "," in name:
                self._refuse((*way, ENV), f"a name with a comma has none; write [{ENV}.PATTERN]")
                return
            pattern = f"{ENV}:{glob.escape(name)}"
            yield Entry(pattern, None, "", self._line((*way, ENV)))
            for key, value in own.items():
                yield from self._keys(pattern, (*way, ENV, key), key, value)

    def _environment(self, section: Mapping[str, Any]) -> Iterator[Entry]:
        """Yield the variables of all, and the sections of patterns."""
        plain = {name: one for name, one in section.items() if not isinstance(one, dict)}
        if plain:
            yield from self._section(ENV, (ENV,), plain)
        for name, variables in section.items():
            if isinstance(variables, dict):
                yield from self._section(f"{ENV}:{name}", (ENV, name), variables)

    def _keys(self, header: str, way: Path, key: str, value: Any) -> Iterator[Entry]:
        """Yield a key, or those of the table that it is."""
        if isinstance(value, dict) and key not in NEEDS:
            for name, part in value.items():
                yield from self._keys(header, (*way, name), f"{key}.{name}", part)
            return
        try:
            text = _text(key, value)
        except ValueError as error:
            self._refuse(way, str(error), header, key)
        else:
            yield Entry(header, key, text, self._line(way))

    def _line(self, way: Path) -> int:
        """Return the line of a key, or that of the closest table around it."""
        while way and way not in self._lines:
            way = way[:-1]
        return self._lines.get(way, 0)

    def _refuse(self, way: Path, text: str, header: str = "", key: str = "") -> None:
        place = Place(self._path, self._line(way))
        self._findings.at(place, text, header, key or way[-1], is_problem=True)


def _why_no_table(name: str, value: Any, own: str = "") -> str:
    """Say what to write where a table is missing: above a key of the file, or of what has names."""
    is_kind = name in KINDS
    above = f"{name}.NAME" if name in _NAMED else name if is_kind else CIRCUS
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        table = f"{name}.{own}" if own else above
        return f"a list of tables; write [{table}], in single brackets"
    if own:
        return f"of no {name}; write [{above}] above it"
    if is_kind:
        return f"not a value but a table; write [{above}]"
    return f"outside any table; write [{above}] above it"


def _text(key: str, value: Any) -> str:
    """Return a value as an INI file has it.

    Raises:
        ValueError: It has no such form.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if key in _OCTAL and isinstance(value, (int, float)):
        raise ValueError('a number is not octal here; write it as text, such as "027"')
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, (date, time)):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, dict):
        return ", ".join(f"{name}:{_plain(one)}" for name, one in value.items())
    words = [_plain(one) for one in value]
    if key in _WORDS:
        return shlex.join(words)
    return (" " if key in _BLANKS else ", ").join(words)


def _plain(value: Any) -> str:
    if isinstance(value, (dict, list)):
        raise ValueError("a list or table is not allowed here; write text, a number or true")
    return _text("", value)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
