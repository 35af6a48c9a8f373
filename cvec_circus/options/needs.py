"""What watchers need of each other, by `depends_on` and `part_of`: names, and circles of them.

Names are compared by `wire.topics.fold`, which is left to the callers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

NEEDS = ("depends_on", "part_of")
"""The options."""


def needed_by(options: Mapping[str, Any]) -> list[str]:
    """Return the names of the watchers that one with these options needs, each once."""
    return list(dict.fromkeys(name for key in NEEDS for name in options[key]))


def conditions(options: Mapping[str, Any]) -> dict[str, str]:
    """Return what a watcher with these options needs: the condition of each by its name, "" for the
    usual one, which is that of `part_of` too."""
    return {**dict.fromkeys(options["part_of"], ""), **options["depends_on"]}


def entangled(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the names that are in a circle, or need one that is, in their order."""
    free = set(in_order(needs))
    return [name for name in needs if name not in free]


def in_order(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the names so that each one comes after all that it needs, without the `entangled`.

    It takes a time in proportion to the needs; `circle` of each of thousands would take seconds.
    """
    counts = {name: 0 for name in needs}
    needing: dict[str, list[str]] = {}
    for name, others in needs.items():
        for other in set(others) & needs.keys():
            counts[name] += 1
            needing.setdefault(other, []).append(name)
    free = [name for name, count in counts.items() if not count]
    for name in free:  # grows while it is walked
        for other in needing.get(name, ()):
            counts[other] -= 1
            if not counts[other]:
                free.append(other)
    return free


def knotted(needs: Mapping[str, Iterable[str]]) -> set[str]:
    """Return the names that are in a circle, or on a way from one to another."""
    needing: dict[str, list[str]] = {name: [] for name in needs}
    for name, others in needs.items():
        for other in set(others) & needs.keys():
            needing[other].append(name)
    return {*entangled(needs)} & {*entangled(needing)}


def circle(name: str, needs: Callable[[str], Iterable[str]]) -> list[str]:
    """Return the shortest way from a watcher over what it needs back to it, [] if there is none.

    Args:
        name: The watcher's, as `needs` writes it.
        needs: Returns the names that a watcher needs; none for one that is not there.
    """
    ways = [[name]]
    seen = set()
    for way in ways:  # grows while it is walked
        for other in needs(way[-1]):
            if other == name:
                return [*way, name]
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []


def circle_text(way: list[str]) -> str:
    """Say that a watcher would wait for itself."""
    if len(way) == 2:
        return f"{way[0]} would wait for itself"
    return f"a circle, in which each waits for the next: {' -> '.join(way)}"
