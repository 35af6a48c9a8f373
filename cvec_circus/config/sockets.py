"""The sockets of a configuration: those that it refers to, and where one comes from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from cvec_circus.base.patterns import regex
from cvec_circus.config.configuration import (
    Configuration,
    PluginConfig,
    SocketConfig,
    WatcherConfig,
)
from cvec_circus.config.inheritance import KEY as EXTENDS
from cvec_circus.config.section import Findings
from cvec_circus.options.references import (
    NO_SOCKET,
    REFERRING,
    UNREACHABLE,
    references,
    unknown_sockets,
)

_ABOUT_ONE = regex(r"socket (.+?): (.*)", re.DOTALL)
_WHERE = ("path", "port", "host")
"""The keys that say where a socket listens; the first one that is given."""


def look(
    everything: Configuration,
    beside: Collection[str],
    refused: Mapping[str, Collection[str]],
    findings: Findings,
) -> None:
    """Find references to sockets that do not exist, and what waits for a connection in vain.

    Args:
        everything: The configuration, with what has problems.
        beside: The names of the sockets that exist beside it.
        refused: By the header of a section the keys whose values were refused.
        findings: Takes what is wrong.
    """
    alone = {one.name.lower() for one in everything.sockets if one.options["so_reuseport"]}
    known = {name.lower() for name in (*beside, *(one.name for one in everything.sockets))}
    runs: list[WatcherConfig | PluginConfig] = [*everything.watchers, *everything.plugins]
    for one in runs:
        if EXTENDS in one.section.lacks:
            continue
        for key, said in unknown_sockets(one.options, known):
            findings.problem(one.section, key, said)
        if one.options.on_demand and REFERRING.isdisjoint(refused[one.section.header]):
            found = references(one.options)
            vain = [f"socket {name} {UNREACHABLE}" for name in sorted(found & alone)[:1]]
            if one.options.use_sockets and not found:
                vain = [f"{NO_SOCKET}, so it is never started; write $(circus.sockets.NAME)"]
            for text in vain:
                findings.warn(one.section, "on_demand", text)


def located(reason: str, sockets: Iterable[SocketConfig]) -> str:
    """Return why a socket cannot be opened, which begins with its name, with the place of the key
    that says where it listens; as it is, if no file has that."""
    found = _ABOUT_ONE.fullmatch(reason)
    for one in sockets:
        section = one.section
        key = next((key for key in _WHERE if key in section.places), "")
        place = section.place(key)
        if found and found[1] == one.name and key and place is not None:
            return f"{place}: [{section.header}] {key}: {found[2]}"
    return reason
