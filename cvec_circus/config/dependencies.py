"""What watchers need of each other, with names compared as in topics; and what a file has wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cvec_circus.base.patterns import regex
from cvec_circus.config.configuration import PluginConfig, WatcherConfig
from cvec_circus.config.section import Findings
from cvec_circus.options.checks import CONDITIONS
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.options.needs import NEEDS, circle, circle_text, entangled, needed_by
from cvec_circus.wire.topics import fold

_BETWEEN = regex(r"[\s;|+&=:]+")
"""What people write where a comma or a colon belongs."""

_OURS = regex(r"(cvec_)?circus\.plugins\.")
_NAMING = frozenset({"watcher", "service", "restart_on_error", "restart_on_timeout"})
"""Options of our plugins that name a watcher."""


def folded_needs(options: Mapping[str, Any]) -> list[str]:
    """Return the folded names of the watchers that one with these options needs."""
    return list(map(fold, needed_by(options)))


def need_option(options: Mapping[str, Any], name: str) -> str:
    """Return the option by which a watcher with these options needs one of that folded name."""
    return next(key for key in NEEDS if name in map(fold, options[key]))


def dependants(runs: Iterable[WatcherConfig | PluginConfig], lost: Iterable[str]) -> dict[str, str]:
    """Return what cannot start without the watchers that are left out.

    Args:
        runs: Watchers and plugins.
        lost: The names of those that are left out.

    Returns:
        By the name of each of the others that depends on one of these, over whatever others, the
        name of that one.
    """
    causes = {fold(name): name for name in lost}
    needing: dict[str, list[str]] = {}
    for one in runs:
        for name in folded_needs(one.options):
            needing.setdefault(name, []).append(one.name)
    found: dict[str, str] = {}
    waiting = list(causes)
    for key in waiting:  # grows while it is walked
        for name in needing.get(key, ()):
            if fold(name) not in causes:
                found[name] = causes[fold(name)] = causes[key]
                waiting.append(fold(name))
    return found


def look(watchers: list[WatcherConfig], names: list[str], findings: Findings) -> None:
    """Find what would wait for ever, and what starts in another order than the priorities say.

    Args:
        watchers: Those of the file.
        names: All names that others may depend on: of watchers, and of plugins' watchers.
        findings: Takes what is wrong.
    """
    by_name = {fold(one.name): one for one in watchers}
    known = set(map(fold, names))
    for watcher in watchers:
        for key in NEEDS:
            for name in watcher.options[key]:
                if fold(name) not in known:
                    said = f"there is no watcher {name}{_hint(key, name, names)}"
                    findings.problem(watcher.section, key, said)
        _look_at_conditions(watcher, by_name, findings)
        _look_at_priorities(watcher, by_name, findings)


def look_at_plugins(plugins: Iterable[PluginConfig], names: list[str], findings: Findings) -> None:
    """Warn of built-in plugins whose watcher does not exist; `names` as for `look`."""
    known = set(map(fold, names))
    for plugin in plugins:
        if "." in plugin.use and not _OURS.match(plugin.use):
            continue
        for key in _NAMING.intersection(plugin.section.own_keys()):
            name = str(plugin.config.get(key) or "")
            if name and fold(name) not in known:
                said = f"there is no watcher {name}{did_you_mean(name, names)}"
                findings.warn(plugin.section, key, said)


def _hint(key: str, name: str, names: list[str]) -> str:
    """Say what may be meant by the name of a watcher that is not there."""
    known = {fold(one): one for one in names}
    words = [word for word in _BETWEEN.split(name) if word]
    first, *rest = words or [name]
    if fold(first) in known and rest:
        if len(rest) == 1 and rest[0].lower() in CONDITIONS:
            meant = f"{first}:{rest[0]}" if key == "depends_on" else f"{first}, without a condition"
            return f"; write {meant}"
        if all(fold(word) in known for word in rest):
            return f"; write {', '.join(words)}"
    return did_you_mean(name, names)


def look_for_circles(watchers: Iterable[WatcherConfig], findings: Findings) -> None:
    """Find watchers each of which waits for the next, for ever."""
    by_name = {fold(one.name): one for one in watchers}
    needs = {name: folded_needs(one.options) for name, one in by_name.items()}
    told: set[frozenset[str]] = set()
    for name in entangled(needs):
        watcher, way = by_name[name], circle(name, lambda other: needs.get(other, ()))
        if way and frozenset(way) not in told:
            told.add(frozenset(way))
            shown = [by_name[one].name for one in way]
            findings.problem(
                watcher.section, need_option(watcher.options, way[1]), circle_text(shown)
            )


def _look_at_conditions(
    watcher: WatcherConfig, by_name: dict[str, WatcherConfig], findings: Findings
) -> None:
    """Warn where a watcher waits for the end of what is started again and again."""
    for name, condition in watcher.options["depends_on"].items():
        other = by_name.get(fold(name))
        if other is None or condition not in ("completed", "succeeded"):
            continue
        is_job = not other.options["respawn"] or other.options["schedule"]
        if other.options["on_demand"] or not is_job:
            said = (
                f"{other.name} never has {condition}, because its processes are started again; "
                f"write {name}:ready, or respawn = False in [watcher:{other.name}]"
            )
            findings.warn(watcher.section, "depends_on", said)


def _look_at_priorities(
    watcher: WatcherConfig, by_name: dict[str, WatcherConfig], findings: Findings
) -> None:
    """Warn where a watcher has a higher priority than one that it depends on."""
    own = watcher.options["priority"]
    for name in needed_by(watcher.options):
        other = by_name.get(fold(name))
        if other is None or other is watcher or other.options["priority"] >= own:
            continue
        theirs = other.options["priority"]
        said = (
            f"{own} is higher than that of {other.name} ({theirs}), which {watcher.name} depends "
            f"on: {other.name} starts first all the same"
        )
        findings.warn(watcher.section, "priority", said)
