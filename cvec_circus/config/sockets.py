"""The sockets of a configuration: each has an address of its own, and all that are referred to are
there."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cvec_circus.config.configuration import Configuration
from cvec_circus.config.section import Findings
from cvec_circus.options import address
from cvec_circus.options.references import unknown_sockets

_ADDRESS = frozenset({"path", "host", "port", "family", "type", "interface", "so_reuseport"})


def look(
    everything: Configuration,
    beside: Collection[str],
    refused: Mapping[str, Collection[str]],
    findings: Findings,
) -> None:
    """Find sockets at one address, and watchers that refer to none.

    Args:
        everything: The configuration, with what has problems.
        beside: The names of the sockets that are there beside it.
        refused: By the header of a section the keys whose values were refused.
        findings: Takes what is wrong.
    """
    _look_at_addresses(everything, refused, findings)
    known = {name.lower() for name in (*beside, *(one.name for one in everything.sockets))}
    rows = [(one.options, one.section) for one in everything.watchers]
    rows += [(one.options, one.section) for one in everything.plugins]
    for options, section in rows:
        for key, said in unknown_sockets(options, known):
            findings.problem(section, key, said)


def _look_at_addresses(
    everything: Configuration, refused: Mapping[str, Collection[str]], findings: Findings
) -> None:
    """Refuse a socket where another one is."""
    taken: list[tuple[str, address.Address]] = []
    for one in everything.sockets:
        key = "path" if one.options["path"] else "port"
        here = address.of_socket(one.options)
        if here is None or not _ADDRESS.isdisjoint(refused[one.section.header]):
            continue
        for name, other in taken:
            if address.are_one(here, other):
                text = f"{here.shown} is the address of socket {name}; change one of them"
                findings.problem(one.section, key, text)
        taken.append((one.name, here))
