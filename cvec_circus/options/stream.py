"""The options of a watcher's streams: the rows, and what they mean together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus.options.nearest import did_you_mean
from cvec_circus.options.option import Option

CHANNELS = ("stdout", "stderr")
STREAMS = ("stdout_stream", "stderr_stream")
IGNORED = "refresh_time"
"""A part of a stream that many files for Circus have. It is taken, and means nothing."""

FILES = frozenset({"FileStream", "WatchedFileStream", "TimedRotatingFileStream"})

WHENS = ("S", "M", "H", "D", "W0", "W1", "W2", "W3", "W4", "W5", "W6", "midnight")
"""When a TimedRotatingFileStream can end a file; W0 is Monday."""

FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron"),
    *("authpriv", "ftp", "ntp", "security", "console", "solaris-cron", "local0", "local1"),
    *("local2", "local3", "local4", "local5", "local6", "local7"),
)
"""Those of syslog, each at its number (RFC 5424, table 1), by the names of syslog.conf(5)."""

SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
"""Likewise."""

SYSLOG_PORT = 514

HISTORY = "log_history"
HISTORY_SIZE = 64 * 1024
"""Bytes that are kept of a stream's output for `logs`, unless the option says otherwise."""

HISTORY_ROW = Option(
    HISTORY,
    "integer",
    None,
    "How many bytes of each output of the processes are kept in memory for `cvec_circusctl logs`, "
    f"the last ones. Not given: {HISTORY_SIZE} of an output that has a stream, nothing of others. "
    "Given, outputs without a stream are kept too, and go nowhere else; of a process that runs "
    "already, only if its output was kept or had a stream at its start. 0 keeps nothing.",
    low=0,
    high=2**30,
)

OUTPUT_OPTIONS = frozenset({*STREAMS, HISTORY})
"""What decides where output goes."""

_PARTS = tuple(f"{stream}." for stream in STREAMS)


def stream_rows(stream: str, channel: str) -> list[Option]:
    """Return the rows of one of the streams."""

    def row(key: str, kind: str, default: Any, doc: str, **rest: Any) -> Option:
        return Option(f"{stream}.{key}", kind, default, doc, reloads=True, **rest)

    return [
        Option(
            stream,
            "stream",
            {},
            f"Where the processes' {channel} goes; without it, where the daemon's own goes. "
            f"In a file each part is a key of its own, `{stream}.filename = ...`. A part that the "
            "class does not know is not used.",
            reloads=True,
        ),
        row(
            "class",
            "stream_class",
            "FileStream",
            "What writes the output: FileStream, a file; WatchedFileStream, a file that something "
            "else rotates, followed at once; TimedRotatingFileStream, a "
            "file for each hour, day or week; StdoutStream, the daemon's own standard output; "
            "FancyStdoutStream, the same in colour, with times; SyslogStream, a syslog; "
            "package.module.Class, one's own, which is called on a thread of its own.",
        ),
        row("filename", "text", None, "The file, which grows at its end. A FileStream needs one."),
        row(
            "max_bytes",
            "integer",
            0,
            "The size in bytes that a FileStream does not pass; 0 for no limit. Takes effect "
            "together with `backup_count`.",
            low=0,
        ),
        row(
            "backup_count",
            "integer",
            0,
            "How many full files are kept, as FILE.1, FILE.2 and so on. With 0 the file is not "
            "rotated, so nothing is ever discarded.",
            low=0,
        ),
        row(
            "time_format",
            "text",
            None,
            "A strftime format. With it each line begins `<time> [<pid>] | `.",
        ),
        row(
            "compress",
            "boolean",
            False,
            "Whether rotated files are compressed by gzip, after a moment: FILE.1.gz.",
        ),
        row(
            "json",
            "boolean",
            False,
            "Whether each line that goes to a file becomes a JSON object with `time`, `watcher`, "
            "`stream` (stdout or stderr), `pid` and `text`. The time is in seconds since 1970, or "
            "as `time_format` says.",
        ),
        row(
            "rotate_when",
            "choice",
            None,
            "When a TimedRotatingFileStream begins a new file: after so many seconds (S), minutes "
            "(M), hours (H) or days (D), at midnight, or at the midnight that begins a Monday (W0) "
            "to Sunday (W6). It must be given. The old file gets the time as FILE.YYYYMMDDHHMMSS, "
            "without the parts that are not needed.",
            choices=WHENS,
        ),
        row(
            "rotate_interval",
            "integer",
            1,
            "How many of these a file lasts.",
            low=1,
        ),
        row("utc", "boolean", False, "Whether its days and names are those of UTC."),
        row(
            "color",
            "text",
            None,
            "The colour of a FancyStdoutStream: red, green, yellow, blue, magenta, cyan or white; "
            "anything else is one of these by chance.",
        ),
        row(
            "address",
            "text",
            "/dev/log",
            "Where a SyslogStream finds its syslog: the path of a socket, `HOST` or `HOST:PORT`.",
        ),
        row(
            "facility",
            "choice",
            "user",
            "What a SyslogStream says its messages are about.",
            choices=FACILITIES,
        ),
        row(
            "level",
            "choice",
            "info",
            "How urgent a SyslogStream says they are.",
            choices=SEVERITIES,
        ),
        row(
            "ident",
            "text",
            None,
            "What stands before the pid in the messages of a SyslogStream; the watcher's name "
            "without it.",
        ),
        row(
            IGNORED,
            "number",
            None,
            "How often Circus wrote.",
            warning="nothing waits to be written; leave it out",
        ),
        row(
            "stream",
            "stream_object",
            None,
            "A stream that a program has made, such as a QueueStream, instead of a class.",
        ),
        row(
            "*",
            "part",
            None,
            "What a class of one's own is made with, as it is given.",
        ),
    ]


def history_size(full: Mapping[str, Any], channel: str) -> int:
    """Return how many bytes of an output are kept.

    Args:
        full: A full set of a watcher's options.
        channel: `stdout` or `stderr`.
    """
    if full[f"close_child_{channel}"]:
        return 0
    size: int | None = full[HISTORY]
    if size is None:
        return HISTORY_SIZE if full[f"{channel}_stream"] else 0
    return size


def take_parts(full: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Have parts that were given by themselves change the streams in a full set of options."""
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
    if name in FILES and not conf.get("filename"):
        return [(f"{stream}.filename", f"a {name} needs a file name")]
    if name == "TimedRotatingFileStream" and not conf.get("rotate_when"):
        return [(f"{stream}.rotate_when", f"a {name} needs one of {', '.join(WHENS)}")]
    if name == "SyslogStream" and "address" in conf:
        try:
            syslog_address(conf["address"])
        except ValueError as error:
            return [(f"{stream}.address", str(error))]
    return []


def syslog_address(address: str) -> tuple[str, int, str]:
    """Return host, port and path of a syslog; the host or the path is "".

    Raises:
        ValueError: That is no address.
    """
    if address.startswith("/"):
        return "", 0, address
    host, colon, digits = address.rpartition(":")
    if not colon or address.endswith("]"):
        host, digits = address, str(SYSLOG_PORT)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not (host and digits.isdecimal() and 0 < int(digits) < 65536) or "/" in host or " " in host:
        raise ValueError(f"{address!r} is neither /PATH nor HOST nor HOST:PORT")
    return host, int(digits), ""


PARTS = [row.name.partition(".")[2] for row in stream_rows("", "")[1:-1]]
"""What streams of ours are made with."""


def shown_stream(conf: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stream as the wire shows it: an object cannot travel."""
    if "stream" not in conf:
        return dict(conf)
    return {**conf, "stream": type(conf["stream"]).__name__}
