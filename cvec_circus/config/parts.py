"""Which parts of a stream mean nothing for its class. Only `--check` wants to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cvec_circus.options.stream import IGNORED, STREAMS

_LINES = frozenset({"filename", "time_format", "json"})

USED = {
    "FileStream": _LINES | {"max_bytes", "backup_count", "compress"},
    "WatchedFileStream": _LINES,
    "TimedRotatingFileStream": _LINES
    | {"rotate_when", "rotate_interval", "utc", "backup_count", "compress"},
    "StdoutStream": frozenset(),
    "FancyStdoutStream": frozenset({"color", "time_format"}),
    "SyslogStream": frozenset({"address", "facility", "level", "ident"}),
}
"""What each class of ours is made with."""

_ALWAYS = frozenset({"class", IGNORED})


def idle_parts(given: Mapping[str, str], options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what changes nothing, as pairs of key and reason.

    Args:
        given: What a section of a file says, by key.
        options: What it comes to.
    """
    for stream in STREAMS:
        conf = options.get(stream) or {}
        name = conf.get("class", "FileStream")
        used = USED.get(name)
        if used is None:
            continue
        for key in given:
            whose, _, part = key.partition(".")
            if whose == stream and part not in used | _ALWAYS:
                users = [other for other, parts in USED.items() if part in parts]
                if users:
                    yield key, f"a {name} does not use it, only a {' or '.join(users)}"
        size = f"{stream}.max_bytes"
        if name == "FileStream" and size in given and not conf.get("backup_count"):
            yield size, f"without {stream}.backup_count nothing is rotated"
        channel = stream.partition("_")[0]
        if conf and options.get(f"close_child_{channel}"):
            yield f"close_child_{channel}", f"nothing comes to {stream} then"
