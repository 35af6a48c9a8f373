"""The built-in classes of streams, a row each."""

from __future__ import annotations

from cvec_circus.base.named import NamedTuple

FILES = "files"
STDOUT = "stdout"
OWN = "own"


class StreamClass(NamedTuple):
    """What is known of a class before its module is imported. Immutable."""

    module: str  # in `cvec_circus.stream`
    lane: str  # the pump thread it runs on: FILES, one of each device; STDOUT; or its OWN
    parts: frozenset[str] = frozenset()  # of a stream's configuration, those that it uses
    needs: tuple[str, ...] = ()  # those without which it cannot be


def _uses(words: str, others: frozenset[str] = frozenset()) -> frozenset[str]:
    return frozenset(words.split()) | others


_LINES = _uses("filename time_format json")
_TIMED = _uses("rotate_when rotate_interval utc backup_count compress", _LINES)

STREAM_CLASSES = {
    "FileStream": StreamClass(
        "file", FILES, _uses("max_bytes backup_count compress", _LINES), ("filename",)
    ),
    "WatchedFileStream": StreamClass("file", FILES, _LINES, ("filename",)),
    "TimedRotatingFileStream": StreamClass("timed", FILES, _TIMED, ("filename", "rotate_when")),
    "StdoutStream": StreamClass("stdout", STDOUT),
    "FancyStdoutStream": StreamClass("stdout", STDOUT, _uses("color time_format")),
    "SyslogStream": StreamClass("syslog", OWN, _uses("address facility level ident")),
    "QueueStream": StreamClass("own", OWN),
}
"""By the name of the class, in the order in which messages list them."""
