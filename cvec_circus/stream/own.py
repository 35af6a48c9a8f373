"""Streams of classes that are not built in, and queues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from logging import DEBUG, ERROR
from queue import Empty as Empty
from queue import Queue
from types import CoroutineType
from typing import Any

from cvec_circus import logger
from cvec_circus.stream.base import Context, Stream
from cvec_circus.system import importing


class OwnStream(Stream):
    """Calls a stream that is not built in. Owned by the pump thread of this stream alone.

    The class is imported, made and called only there, so it may block: only the processes that
    write to it wait. An exception loses the output of that call.
    """

    def __init__(self, context: Context, conf: Mapping[str, Any]) -> None:
        """Make the stream; the class is imported by `reopen`.

        The configuration has `class`, with its module before it, and its options; or `stream`,
        which is called as it is.
        """
        super().__init__(context)
        self._clock = context.clock
        self._source = context.source
        self._conf = conf
        self._called: Callable[[Mapping[str, Any]], object] | None = None
        self._trouble = "not open"
        self._imports = False

    @property
    def trouble(self) -> str:
        return self._trouble if self._called is None else ""

    def write(self, block: bytes, pid: int) -> None:
        """Pass on a block read from the pipe of a process."""
        if self._called is None:
            self.losses.count(len(block), self._trouble)
            return
        name, at = self._source.channel, self._clock.time()
        _fenced(self._called, {"data": block, "pid": pid, "name": name, "timestamp": at})

    def reopen(self) -> None:
        """Make the stream, or call its `reopen` if it has one."""
        if self._called is not None:
            self._call_if_any("reopen")
            return
        try:
            self._called = _fenced(self._make)
        except Exception as error:
            name = self._conf.get("class", "stream")
            self._trouble = f"cannot make {name}: {type(error).__name__}: {error}"
            text, who = "%s: cannot make the stream %s", (self._source.watcher, name)
            is_line = self._imports or importing.is_raised_in(error, __file__)
            if is_line:
                logger.error(f"{text}: %s", *who, importing.why(error))
            logger.log(DEBUG if is_line else ERROR, text, *who, exc_info=error)
        else:
            self._call_if_any("open")

    def close(self) -> None:
        """Log remaining losses, and call the stream's `close` if it has one."""
        super().close()
        self._call_if_any("close")

    def _call_if_any(self, name: str) -> None:
        method = getattr(self._called, name, None)
        if method is not None:
            _fenced(method)

    def _make(self) -> Any:
        options = dict(self._conf)
        stream = options.pop("stream", None)
        if stream is not None:
            return stream
        self._imports = True
        found: Any = importing.load(options.pop("class"), self._source.pythonpath)
        self._imports = False
        made = found(**options)
        if not callable(made):
            what = "it has returned None, which" if made is None else f"a {type(made).__name__}"
            raise TypeError(f"{what} cannot be called with output")
        return made


class QueueStream(Queue):  # type: ignore[type-arg]
    """Keeps what is written until a program takes it. Safe from any thread.

    `watcher["stdout_stream"] = {"stream": QueueStream()}`; then `get()` returns mappings with
    `data`, `pid`, `name` and `timestamp`. It grows while nothing is taken.
    """

    def __init__(self, **others: object) -> None:
        """Make an unbounded queue. Options are ignored, as in Circus."""
        super().__init__()

    def __call__(self, data: Mapping[str, Any]) -> None:
        """Keep one call's data."""
        self.put(data)

    def close(self) -> None:
        """Keep what is there."""


def _fenced(fn: Callable[..., Any], *args: Any) -> Any:
    """Call a function that must not end the thread; raise TypeError for a coroutine function."""
    try:
        result = fn(*args)
    except SystemExit as error:
        raise RuntimeError(f"it called sys.exit({error.code!r})") from error
    if isinstance(result, CoroutineType):
        result.close()
        raise TypeError("a coroutine function, which is never awaited")
    return result
