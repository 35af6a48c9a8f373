"""From what a configuration says of a stream to the stream."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from cvec_circus import exc, logger
from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.options.kinds import shown
from cvec_circus.stream.base import Nowhere, call
from cvec_circus.stream.source import Source

MODULES = {
    "FileStream": "file",
    "WatchedFileStream": "watched",
    "TimedRotatingFileStream": "timed",
    "StdoutStream": "stdout",
    "FancyStdoutStream": "stdout",
    "SyslogStream": "syslog",
    "QueueStream": "own",
}
"""The classes, each with its module beside this one."""

FILES = "files"
STDOUT = "stdout"
OWN = "own"


class Stream(Protocol):
    """What the pump asks of a stream. Owned by the pump thread.

    Attributes:
        lost: Bytes that were lost so far. Any thread may read it.
        waiting: Whether `look` is to be called in a second.
    """

    @property
    def lost(self) -> int: ...

    @property
    def waiting(self) -> bool: ...

    def write(self, block: bytes, pid: int) -> None:
        """Take what was read from the pipe of a process, up to 64 KiB, cut anywhere."""

    def finish(self, pid: int) -> None:
        """Learn that the pipe of a process has ended."""

    def look(self) -> None:
        """Do what is due."""

    def reopen(self) -> None:
        """Open what it writes to, or open it anew."""

    def close(self) -> None:
        """Write what is held back and end."""


def make(
    conf: Mapping[str, Any],
    clock: Clock = SYSTEM,
    on_loss: Callable[[str], object] = logger.warning,
    do: Callable[..., object] = call,
    source: Source = Source(),  # noqa: B008 - immutable
) -> Stream:
    """Make the stream that a configuration describes. Nothing is opened yet.

    Args:
        conf: The options of the stream; without `class` it is a FileStream, without anything one
            that drops what it gets.
        clock: Tells the stream the time.
        on_loss: Called on the pump thread with a line for the log when output is lost.
        do: Calls a function that takes long, on another thread if there is one.
        source: Whose output it is.

    Raises:
        cvec_circus.exc.OptionError: The class is not known, or a value will not do.
    """
    if not conf:
        return Nowhere()
    options = {name: value for name, value in conf.items() if value is not None}
    tools = {"clock": clock, "on_loss": on_loss, "source": source, "do": do}
    if _is_foreign(conf):
        own = importlib.import_module("cvec_circus.stream.own")
        foreign: Stream = own.OwnStream(**tools, **options)
        return foreign
    stream: Stream = load(options.pop("class", "FileStream"))(**options, **tools)
    return stream


def get_stream(conf: Mapping[str, Any] | None, reload: bool = False) -> Any:
    """Make a stream that a program calls by itself, `stream({"data": b"...", "pid": 123})`.

    Args:
        conf: `class` and its options; or only `filename`, for a FileStream; or `stream`, which is
            returned.
        reload: Whether the module of a class of one's own is read again.

    Returns:
        The stream; None when nothing is given.

    Raises:
        ValueError: There is none of these.
        cvec_circus.exc.OptionError: The class is not known, or a value will not do.
        ImportError: There is no such module.
    """
    if not conf:
        return None
    options = dict(conf)
    name = options.pop("class", None)
    if name is None and options.get("stream") is not None:
        return options["stream"]
    if name is None and "filename" not in options:
        raise ValueError("a stream needs a class, a stream or a filename")
    name = name or "FileStream"
    if "." not in name:
        return load(name)(**options)
    if reload:
        importlib.reload(importlib.import_module(name.rpartition(".")[0]))
    importing = importlib.import_module("cvec_circus.system.importing")
    return importing.load(name)(**options)


def lane_of(conf: Mapping[str, Any]) -> str:
    """Return which streams share a thread with the one of that configuration."""
    module = MODULES.get(conf.get("class") or "FileStream")
    if module == "syslog" or _is_foreign(conf):
        return OWN
    return STDOUT if module == "stdout" else FILES


def _is_foreign(conf: Mapping[str, Any]) -> bool:
    """Tell whether somebody else has written the class, or a program reads the stream."""
    name = conf.get("class") or "FileStream"
    return "." in name or MODULES.get(name) == "own" or conf.get("stream") is not None


def load(name: str) -> Any:
    """Return a class of streams by its name; many daemons need none.

    Raises:
        cvec_circus.exc.OptionError: There is no such class.
    """
    if name not in MODULES:
        raise exc.OptionError(
            "class", f"{shown(name)} is not available in this version; {', '.join(MODULES)} are"
        )
    return getattr(importlib.import_module(f"cvec_circus.stream.{MODULES[name]}"), name)
