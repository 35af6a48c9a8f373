"""Which places of one configuration cannot be had together: endpoints, sockets, and files, those
of the configuration too."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping

from cvec_circus.base.named import NamedTuple
from cvec_circus.config.configuration import Configuration, PluginConfig, WatcherConfig
from cvec_circus.config.section import CIRCUS, SOCKET, Findings, Section
from cvec_circus.options import address
from cvec_circus.options.stream import STREAMS
from cvec_circus.options.stream_classes import FILES, STREAM_CLASSES
from cvec_circus.options.watcher import stands_beside

ENDPOINTS = ("endpoint", "pubsub_endpoint", "stats_endpoint")
"""The options that say where the daemon listens."""

_OF_A_SOCKET = frozenset({"path", "host", "port", "family", "type", "interface", "so_reuseport"})
_ALONE = ("pidfile", "schedule_file")
_ROTATING = ("backup_count", "rotate_when")


class Use(NamedTuple):
    """What uses one place. Immutable.

    Attributes:
        section, key: What says so.
        what: What it is, for messages.
        at: Where.
        is_needed: Whether the daemon cannot be without it. No endpoint may take the place of
            another one all the same.
        is_alone: Whether nothing else may be written there.
        is_log: Whether it is the daemon's log.
        is_rotated: Whether the file is renamed when it is full, or old.
    """

    section: Section
    key: str
    what: str
    at: address.Address
    is_needed: bool = True
    is_alone: bool = True
    is_log: bool = False
    is_rotated: bool = False


def look(
    everything: Configuration,
    circus: Section,
    sections: Iterable[Section],
    refused: Mapping[str, Collection[str]],
    findings: Findings,
) -> None:
    """Add what cannot be together. It may look at links in paths.

    Args:
        everything: All that a configuration says.
        circus: The section of the daemon.
        sections: All sections, from the files that nothing may be written to.
        refused: By the header of a section the keys whose values were refused.
        findings: Takes it.
    """
    taken: dict[tuple[str, str | int], list[Use]] = {}
    uses = (*_endpoints(everything, circus), *_sockets(everything), *_files(everything, circus))
    for source in _sources(circus, sections):
        taken.setdefault((source.at.kind, source.at.host), [source])
    for use in uses:
        keys = refused.get(use.section.header, ())
        if use.key in keys or (use.what.startswith("socket ") and _OF_A_SOCKET & {*keys}):
            continue
        if use.section.kind not in (CIRCUS, SOCKET) and stands_beside(use.key, keys):
            continue
        names: list[str | int] = [use.at.host] if use.at.port is None else [use.at.port]
        if use.at.spare:
            names.append(use.at.spare)
        found = [taken.setdefault((use.at.kind, name), []) for name in names]
        for other in dict.fromkeys(one for others in found for one in others):
            _compare(use, other, findings)
        if use.is_alone or use.is_log:  # streams, which come last, may share a file
            for others in found:
                others.append(use)


def _compare(use: Use, other: Use, findings: Findings) -> None:
    """Add what two uses of a place mean."""
    if not address.are_one(use.at, other.at):
        return
    if use.is_alone or other.is_alone:
        place = "address" if use.at.port is not None else "path"
        if use.at.port is None and use.at.host != other.at.host:
            place = "second name"
        theirs = "" if other.at.shown == use.at.shown else f" ({other.at.shown})"
        said = f"{use.at.shown} takes the {place} of {other.what}{theirs}; change one of them"
        findings.at(
            use.section.place(use.key),
            said,
            use.section.header,
            use.section.label(use.key),
            is_problem=(use.is_needed and other.is_needed) or {use.key, other.key} <= {*ENDPOINTS},
        )
    elif other.is_log and use.is_rotated:
        said = (
            f"{use.at.shown} is the daemon's log, which would go on in a backup; change one of them"
        )
        findings.warn(use.section, use.key, said)


def _sources(circus: Section, sections: Iterable[Section]) -> Iterator[Use]:
    """Yield the files that have been read."""
    read: dict[str, str] = {}
    for section in sections:
        read.update((place.path, "the configuration") for place in section.places.values())
        read.update((place.path, "an env_file") for place in section.variable_places.values())
    for path, what in read.items():
        yield Use(circus, what, what, address.of_file(path))


def _endpoints(everything: Configuration, circus: Section) -> Iterator[Use]:
    for option in ENDPOINTS:
        is_stats = option == "stats_endpoint"
        at = address.of_endpoint(everything.circus[option])
        if at is not None and (not is_stats or everything.circus["statsd"]):
            yield Use(circus, option, option, at, not is_stats)


def _sockets(everything: Configuration) -> Iterator[Use]:
    for one in everything.sockets:
        at = address.of_socket(one.options)
        if at is not None:
            key = "path" if at.port is None else "port"
            yield Use(one.section, key, f"socket {one.name}", at)


def _files(everything: Configuration, circus: Section) -> Iterator[Use]:
    """Yield the files that are written."""
    folders: dict[str, str] = {}
    for key in (*_ALONE, "logoutput"):
        path = everything.circus[key]
        if path and path != "-" and "://" not in path:
            is_log = key == "logoutput"
            yield Use(circus, key, key, address.of_file(path), True, not is_log, is_log)
    runs: list[WatcherConfig | PluginConfig] = [*everything.watchers, *everything.plugins]
    for one in runs:
        for stream in STREAMS:
            conf = one.options[stream]
            row = STREAM_CLASSES.get(conf.get("class", "FileStream")) if conf else None
            path = conf.get("filename")
            if row is None or row.lane != FILES or not isinstance(path, (str, os.PathLike)):
                continue
            at, key = address.of_file(os.fspath(path), folders), f"{stream}.filename"
            is_rotated = any(conf.get(part) for part in _ROTATING)
            what = f"{stream}.filename of {one.name}"
            yield Use(one.section, key, what, at, True, False, False, is_rotated)
