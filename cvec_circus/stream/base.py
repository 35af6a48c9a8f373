"""The base of all streams, and making a stream from a configuration."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from cvec_circus import exc, logger
from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.base.figures import counted
from cvec_circus.base.named import NamedTuple
from cvec_circus.options.kinds import shown
from cvec_circus.options.stream_classes import FILES, OWN, STREAM_CLASSES

T = TypeVar("T")

REPORT_DELAY = 60.0
"""Seconds between two log lines about what one stream loses."""

PASSED = ":passed"
"""The lane, and in a configuration the key, of output that goes where the daemon's own goes; its
value is a `passing.Outlet`. No option has such a name."""


def call(fn: Callable[..., object], *args: Any) -> None:
    """Call a function on this thread, where there is no other one for it."""
    fn(*args)


class Source(NamedTuple):
    """The source of an output. Immutable.

    Attributes:
        watcher: The name of the watcher.
        channel: `stdout` or `stderr`.
        pythonpath: The watcher's PYTHONPATH, where its own stream classes may be.
        wid: The slot of the process, for the pipe of one; else 0.
        has_others: Whether the watcher has other slots, so that its name alone is ambiguous.
        is_adopted: Whether another daemon has read the pipe before.
    """

    watcher: str = ""
    channel: str = "stdout"
    pythonpath: str = ""
    wid: int = 0
    has_others: bool = False
    is_adopted: bool = False


UNKNOWN = Source()


class Context(NamedTuple):
    """What a stream needs besides its options. Immutable.

    Attributes:
        clock: The source of time.
        on_loss: Logs a line about lost output.
        do: Calls a slow function, on another thread if there is one.
        source: Whose output it is.
    """

    clock: Clock = SYSTEM
    on_loss: Callable[[str], object] = logger.warning
    do: Callable[..., object] = call
    source: Source = UNKNOWN


ALONE = Context()
"""The context of a stream that a program makes and calls."""


class Losses:
    """Counts what one stream loses, and logs it once a minute. Owned by the stream's thread.

    Attributes:
        total: Bytes lost since the stream was made. Any thread may read it.
    """

    def __init__(self, context: Context) -> None:
        self.total = 0
        self._unreported = 0
        self._why = ""
        self._clock = context.clock
        self._on_loss = context.on_loss
        self._who = f"{context.source.watcher}: " if context.source.watcher else ""
        self._report_at = self._clock.monotonic()

    @property
    def waiting(self) -> bool:
        """Whether there is a loss that is not logged yet."""
        return self._unreported > 0

    def count(self, size: int, why: str) -> None:
        """Add lost bytes, and log them unless the last line is less than a minute old."""
        self.total += size
        self._unreported += size
        self._why = why
        self.look()

    def note(self, text: str) -> None:
        """Log another failure, unless the last line is less than a minute old."""
        if self._clock.monotonic() >= self._report_at:
            self._report(text)

    def look(self) -> None:
        """Log losses, if a line is due."""
        if self._unreported and self._clock.monotonic() >= self._report_at:
            self.settle()

    def settle(self) -> None:
        """Log losses not logged yet: this is the last chance."""
        if self._unreported:
            size, self._unreported = self._unreported, 0
            self._report(f"{self._why}; {counted(size, 'byte')} of output lost")

    def _report(self, text: str) -> None:
        self._report_at = self._clock.monotonic() + REPORT_DELAY
        self._on_loss(f"{self._who}{text}")


class Unfinished(NamedTuple):
    """A line of a process whose end has not come. Immutable.

    Attributes:
        held: What is not written of it.
        is_open: What is written is the beginning of it.
        is_broken: Its beginning is written, and lines of others behind that.
    """

    held: bytes = b""
    is_open: bool = False
    is_broken: bool = False


FINISHED = Unfinished()


class Stream:
    """Takes blocks of bytes, and counts what it cannot write. Owned by the thread that reads.

    A program that makes one calls it like any stream of Circus:
    `stream({"data": b"...", "pid": 123})`.

    Attributes:
        losses: The bytes it could not write.
    """

    def __init__(self, context: Context) -> None:
        self.losses = Losses(context)

    def __call__(self, data: Mapping[str, Any]) -> None:
        """Write something at once, whether its last line is complete or not.

        Args:
            data: `data` is what to write, as bytes or text; `pid` is the process that wrote it.
        """
        block, pid = data["data"], data.get("pid", 0)
        self.write(block.encode() if isinstance(block, str) else block, pid)
        self.finish(pid)

    @property
    def lost(self) -> int:
        """Bytes that could not be written. Any thread may read it."""
        return self.losses.total

    @property
    def trouble(self) -> str:
        """What keeps it from writing, "" if nothing does. Any thread may read it."""
        return ""

    @property
    def waiting(self) -> bool:
        """Whether `look` is to be called in a second."""
        return self.losses.waiting

    def begin(self, pid: int, source: Source) -> None:
        """Note whose pipe is read from now on, before anything of it is written."""

    def write(self, block: bytes, pid: int) -> None:
        """Take a block read from the pipe of a process: up to 64 KiB, cut anywhere."""
        raise NotImplementedError

    def finish(self, pid: int) -> None:
        """Note that the pipe of a process has ended."""

    def give_up(self, pid: int) -> Unfinished:
        """Return what is unfinished of a process, whose pipe another stream reads from now on."""
        return FINISHED

    def go_on(self, pid: int, line: Unfinished) -> None:
        """Go on with what the stream before had unfinished; `begin` came before."""

    def look(self) -> None:
        """Do what is due: called once a second while the stream is `waiting`."""
        self.losses.look()

    def reopen(self) -> None:
        """Open or reopen the destination."""

    def close(self) -> None:
        """Write held output, log remaining losses, and end."""
        self.losses.settle()


class Nowhere(Stream):
    """Drops everything: output that is only kept in memory or, if a reason is given, lost.

    Lost output is counted, and the reason logged.
    """

    def __init__(self, context: Context, why: str = "") -> None:
        super().__init__(context)
        self._why = why

    @property
    def trouble(self) -> str:
        return self._why

    def write(self, block: bytes, pid: int) -> None:
        if self._why:
            self.losses.count(len(block), self._why)

    def reopen(self) -> None:
        if self._why:
            self.losses.note(f"{self._why}; its output is lost")


def converted(option: str, convert: Callable[..., T], value: object, *args: object) -> T:
    """Convert an option of a stream.

    Raises:
        cvec_circus.exc.OptionError: The value is wrong.
    """
    try:
        return convert(value, *args)
    except ValueError as error:
        raise exc.OptionError(option, str(error)) from None


def make(conf: Mapping[str, Any], context: Context = ALONE) -> Stream:
    """Make the stream that a configuration describes, without opening anything yet.

    Without `class` it is a FileStream; without anything, a stream that drops its output.

    Raises:
        cvec_circus.exc.OptionError: The class is unknown, or a value is wrong.
    """
    if not conf:
        return Nowhere(context)
    if PASSED in conf:
        passing = importlib.import_module("cvec_circus.stream.passing")
        return passing.PassedStream(conf[PASSED], context)  # type: ignore[no-any-return]
    options = {name: value for name, value in conf.items() if value is not None}
    row = STREAM_CLASSES.get(conf.get("class") or "FileStream")
    if lane_of(conf) == OWN and (row is None or row.module == "own" or "stream" in options):
        own = importlib.import_module("cvec_circus.stream.own")
        return own.OwnStream(context, options)  # type: ignore[no-any-return]
    cls = load(options.pop("class", "FileStream"))
    return cls(**options, context=context)  # type: ignore[no-any-return]


def lane_of(conf: Mapping[str, Any]) -> str:
    """Return the lane of a configuration: streams of one lane may share a thread."""
    if PASSED in conf:
        return PASSED
    name = conf.get("class") or "FileStream"
    if "." in name or conf.get("stream") is not None:
        return OWN
    row = STREAM_CLASSES.get(name)
    return FILES if row is None else row.lane


def load(name: str) -> Any:
    """Return a built-in class of streams.

    Raises:
        cvec_circus.exc.OptionError: There is no such class.
    """
    if name not in STREAM_CLASSES:
        known = ", ".join(STREAM_CLASSES)
        raise exc.OptionError("class", f"{shown(name)} is not a stream class; there are {known}")
    module = importlib.import_module(f"cvec_circus.stream.{STREAM_CLASSES[name].module}")
    return getattr(module, name)


def get_stream(conf: Mapping[str, Any] | None, reload: bool = False) -> Any:
    """Make a stream for a program to call; None without a configuration.

    Args:
        conf: `class` and its options; or only `filename`, for a FileStream; or `stream`, which is
            returned.
        reload: Whether to reload the module of a class that is not built in.

    Raises:
        ValueError: The configuration has none of these.
        cvec_circus.exc.OptionError: The class is unknown, or a value is wrong.
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
