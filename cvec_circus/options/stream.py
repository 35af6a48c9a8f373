"""The options of a watcher's streams: the rows, and the checks of what belongs together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus.options.nearest import did_you_mean
from cvec_circus.options.stream_classes import STREAM_CLASSES
from cvec_circus.options.syslog import FACILITIES, SEVERITIES, SYSLOG, syslog_address
from cvec_circus.options.table import Option

CHANNELS = ("stdout", "stderr")
STREAMS = ("stdout_stream", "stderr_stream")
IGNORED = "refresh_time"
"""A part of a stream that many files for Circus have. It is accepted without effect."""

WHENS = ("S", "M", "H", "D", "W0", "W1", "W2", "W3", "W4", "W5", "W6", "midnight")
"""When a TimedRotatingFileStream can end a file; W0 is Monday."""

HISTORY = "log_history"
HISTORY_SIZE = 64 * 1024
"""Bytes that are kept of a stream's output for `logs`, unless the option says otherwise."""

MOST_HISTORY = 2**30

OUTPUT_OPTIONS = frozenset({*STREAMS, HISTORY})
"""What decides where output goes."""

_NEEDED = {"filename": "a file name", "rotate_when": f"one of {', '.join(WHENS)}"}
"""What to call a part that a class needs, where its name does not say it."""

_PARTS = tuple(f"{stream}." for stream in STREAMS)


def _row(part: str, kind: str, default: Any, **rest: Any) -> Option:
    return Option(f".{part}", kind, default, **rest)


PART_ROWS = (
    _row("class", "stream_class", "FileStream"),
    _row("filename", "text", None),
    _row("max_bytes", "size", 0, low=0, harmless=True),
    _row("backup_count", "integer", 0, low=0, harmless=True),
    _row("time_format", "text", None),
    _row("compress", "boolean", False, harmless=True),
    _row("json", "boolean", False, harmless=True),
    _row("rotate_when", "choice", None, choices=WHENS, harmless=True),
    _row("rotate_interval", "integer", 1, low=1, harmless=True),
    _row("utc", "boolean", False, harmless=True),
    _row("color", "text", None, harmless=True),
    _row("address", "text", SYSLOG),
    _row("facility", "choice", "user", choices=FACILITIES),
    _row("level", "choice", "info", choices=SEVERITIES),
    _row("ident", "text", None),
    _row(IGNORED, "number", None, warning="nothing waits to be written; leave it out"),
    _row("stream", "stream_object", None),
    _row("*", "part", None),
)
"""The rows of the parts of a stream, without the name of the stream."""


def history_size(
    full: Any,
    channel: str,
    default: int | None = None,
    is_captured: bool = False,
) -> int:
    """Return how many bytes of an output are kept.

    Args:
        full: All options of a watcher, as attributes.
        channel: `stdout` or `stderr`.
        default: How many, for a watcher that does not say; None if nothing does.
        is_captured: Whether the output is read although it has no stream.
    """
    if getattr(full, f"close_child_{channel}"):
        return 0
    size: int | None = default if full.log_history is None else full.log_history
    if size is None:
        return HISTORY_SIZE if getattr(full, f"{channel}_stream") or is_captured else 0
    return size


def is_captured(
    full: Any,
    channel: str,
    default: int | None = None,
    captures_all: bool = False,
) -> bool:
    """Tell whether an output is read from a pipe, rather than the daemon's own file.

    It is for its stream, to be kept, or to look for a text in it.

    Args:
        full, channel, default: As for `history_size`.
        captures_all: Whether it is even though it has no stream, and is not kept.
    """
    if getattr(full, f"close_child_{channel}"):
        return False
    if captures_all or getattr(full, f"{channel}_stream") or history_size(full, channel, default):
        return True
    return bool(full.ready) and any(check.kind == "log" for check in full.ready.values())


def take_parts(full: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Merge the given parts of streams into the streams of a full set of options."""
    for key in given:
        if key.startswith(_PARTS):
            stream, _, part = key.partition(".")
            full[stream] = {**full[stream], part: full.pop(key)}
    for stream in STREAMS:
        if IGNORED in full[stream]:
            full[stream] = {k: v for k, v in full[stream].items() if k != IGNORED}
        if full[stream] and "class" not in full[stream] and "stream" not in full[stream]:
            full[stream] = {"class": "FileStream", **full[stream]}


def stream_problems(stream: str, conf: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what does not go together in a stream, as pairs of key and reason."""
    name = conf.get("class", "")
    if not name or "." in name or conf.get("stream") is not None:
        return []
    if name == "QueueStream":
        return [(f"{stream}.class", "only a program can read a queue: it gives one as `stream`")]
    unknown = [
        (f"{stream}.{part}", f"a {name} has no such part{did_you_mean(part, PARTS)}")
        for part in conf
        if part not in PARTS
    ]
    if unknown:
        return unknown
    for part in STREAM_CLASSES[name].needs:
        if not conf.get(part):
            return [(f"{stream}.{part}", f"a {name} needs {_NEEDED.get(part, f'its part {part}')}")]
    if name == "SyslogStream" and "address" in conf:
        try:
            syslog_address(conf["address"])
        except ValueError as error:
            return [(f"{stream}.address", str(error))]
    return []


PARTS = [row.name[1:] for row in PART_ROWS[:-1]]
"""The parts of the built-in streams."""


def shown_stream(conf: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stream as the wire shows it: an object cannot travel."""
    if "stream" not in conf:
        return dict(conf)
    return {**conf, "stream": type(conf["stream"]).__name__}
