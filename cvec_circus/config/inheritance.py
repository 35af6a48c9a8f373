"""`extends = OTHER`: a watcher or plugin that takes from another one what it does not say itself.

The other one may extend a third. What `[DEFAULT]` says comes after all of them. An empty value
takes away what any of these say, so the option has its default.
"""

from __future__ import annotations

from collections.abc import Iterable

from cvec_circus.config.section import PLUGIN, WATCHER, Findings, Section
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.wire.topics import fold

KEY = "extends"


def inherit(sections: Iterable[Section], findings: Findings) -> None:
    """Give every section that extends another one the keys of that, with their places.

    Args:
        sections: All sections, before `[DEFAULT]` is shared.
        findings: Takes names that are not there, and circles, each in a line.
    """
    rows = list(sections)
    for kind in (WATCHER, PLUGIN):
        by_name = {fold(one.name): one for one in rows if one.kind == kind}
        if any(KEY in one.values for one in by_name.values()):
            _Inheritance(by_name, findings).go()


class _Inheritance:
    """What the sections of one kind take from each other. Owned by the thread that loads them."""

    def __init__(self, by_name: dict[str, Section], findings: Findings) -> None:
        self._by_name, self._findings = by_name, findings
        self._unusable: set[str] = set()  # the names of those with a problem
        self._done: set[str] = set()

    def go(self) -> None:
        for name in self._by_name:
            way = self._way(name)
            for one in reversed(way):  # the last one of the way is complete, or wrong
                self._extend(one)

    def _way(self, name: str) -> list[str]:
        """Return a name and the names that lead on from it, up to one that is done."""
        way: dict[str, None] = {}
        while name in self._by_name and name not in self._done:
            if name in way:
                whole = list(way)
                self._complain_of_circle(whole[whole.index(name) :])
                break
            way[name] = None
            section = self._by_name[name]
            if not section.values.get(KEY):
                break
            name = fold(str(section.values[KEY]).strip())
        return list(way)

    def _complain_of_circle(self, way: list[str]) -> None:
        """Name a circle once, where it comes first in the file; the others refer to that."""
        first = next(name for name in self._by_name if name in way)
        at = way.index(first)
        shown = [self._by_name[one].name for one in [*way[at:], *way[:at], first]]
        said = "it would extend itself"
        if len(shown) > 2:
            said = f"a circle, in which each extends the next: {' -> '.join(shown)}"
        self._refuse(first, said)
        self._done.add(first)

    def _refuse(self, name: str, said: str) -> None:
        section = self._by_name[name]
        section.lacks |= {KEY}
        self._findings.problem(section, KEY, said)
        self._unusable.add(name)

    def _extend(self, name: str) -> None:
        section = self._by_name[name]
        if name in self._done:
            return
        self._done.add(name)
        given = section.values.get(KEY)
        if not given:
            return
        empty = [key for key, value in section.values.items() if _is_empty(value)]
        for key in empty:
            del section.values[key]
        section.taken_away = frozenset(empty)
        other = self._by_name.get(fold(str(given).strip()))
        if other is None:
            names = [one.name for one in self._by_name.values()]
            near = did_you_mean(str(given), names)
            said = f"there is no [{section.kind}:{given}]{near}"
            if section.kind == PLUGIN and "use" in section.values and not near:  # as in Circus
                self._findings.warn(section, KEY, f"{said}, so it is an option of the plugin's own")
                section.owns |= {KEY}
            else:
                self._refuse(name, said)
            return
        if fold(other.name) in self._unusable:
            where = other.place(KEY)
            said = f"{other.name} cannot be extended" + (f", see {where}" if where else "")
            self._refuse(name, said)
            return
        for key, value in other.values.items():
            if key not in section.values and key != KEY and key not in empty:
                section.values[key] = value
                if place := other.place(key):
                    section.places[key] = place
                section.extended[key] = other.extended.get(key, other.name)
        section.taken_away |= other.taken_away - section.values.keys()


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
