"""The sockets that watchers and plugins of a configuration refer to: all of them are there."""

from __future__ import annotations

from collections.abc import Collection

from cvec_circus.config.configuration import Configuration, PluginConfig, WatcherConfig
from cvec_circus.config.inheritance import KEY as EXTENDS
from cvec_circus.config.section import Findings
from cvec_circus.options.references import unknown_sockets


def look(everything: Configuration, beside: Collection[str], findings: Findings) -> None:
    """Find references to sockets that do not exist.

    Args:
        everything: The configuration, with what has problems.
        beside: The names of the sockets that exist beside it.
        findings: Takes what is wrong.
    """
    known = {name.lower() for name in (*beside, *(one.name for one in everything.sockets))}
    runs: list[WatcherConfig | PluginConfig] = [*everything.watchers, *everything.plugins]
    for one in runs:
        if EXTENDS in one.section.lacks:
            continue
        for key, said in unknown_sockets(one.options, known):
            findings.problem(one.section, key, said)
