"""Streams that other people have written, and queues."""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping
from typing import Any

from cvec_circus import logger
from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.stream.base import CountingStream
from cvec_circus.stream.losses import Losses
from cvec_circus.stream.source import Source
from cvec_circus.system import importing


class OwnStream(CountingStream):
    """Calls a stream of somebody else. Owned by the pump thread of this stream alone.

    The class is imported, made and called there and nowhere else, so it may take its time: only
    the processes that write to it wait. What it raises costs the output that it was called with.
    """

    def __init__(
        self,
        clock: Clock = SYSTEM,
        on_loss: Callable[[str], object] = logger.warning,
        source: Source = Source(),  # noqa: B008 - immutable
        do: object = None,
        **conf: Any,
    ) -> None:
        """Make the stream; the class is looked for by `reopen`.

        Args:
            clock: Tells the time.
            on_loss: Called with a line for the log when output is lost.
            source: Whose output it is.
            do: Not used.
            conf: `class`, with its module before it, and what it is made with; or `stream`, which
                is called as it is.
        """
        super().__init__(Losses(clock, on_loss))
        self._clock = clock
        self._source = source
        self._conf = conf
        self._called: Callable[[Mapping[str, Any]], object] | None = None
        self._trouble = "not open"

    def write(self, block: bytes, pid: int) -> None:
        """Hand over what was read from the pipe of a process."""
        if self._called is None:
            self._losses.count(len(block), self._trouble)
            return
        at = self._clock.time()
        _fenced(
            self._called, {"data": block, "pid": pid, "name": self._source.channel, "timestamp": at}
        )

    def reopen(self) -> None:
        """Make the stream; one that is there is asked to reopen, if it knows how to."""
        if self._called is not None:
            _fenced(getattr(self._called, "reopen", _nothing))
            return
        try:
            self._called = _fenced(self._make)
        except Exception as error:
            name = self._conf.get("class", "stream")
            self._trouble = f"cannot make {name}: {type(error).__name__}: {error}"
            logger.exception("cannot make the stream %s", name)
        else:
            _fenced(getattr(self._called, "open", _nothing))

    def close(self) -> None:
        """Close it, if it knows how to."""
        super().close()
        if self._called is not None:
            _fenced(getattr(self._called, "close", _nothing))

    def _make(self) -> Any:
        options = dict(self._conf)
        stream = options.pop("stream", None)
        if stream is not None:
            return stream
        found: Any = importing.load(options.pop("class"), self._source.pythonpath)
        return found(**options)


class QueueStream(queue.Queue):  # type: ignore[type-arg]
    """Keeps what is written until somebody takes it. Safe from any thread.

    For programs: `watcher["stdout_stream"] = {"stream": QueueStream()}`, then `get()` returns
    mappings with `data`, `pid`, `name` and `timestamp`. It grows while nobody takes anything.
    """

    def __init__(self, **others: object) -> None:
        """Make it without limit.

        Args:
            others: Not used. As in Circus.
        """
        super().__init__()

    def __call__(self, data: Mapping[str, Any]) -> None:
        """Keep something."""
        self.put(data)

    def close(self) -> None:
        """Go on keeping what is there."""


def _fenced(fn: Callable[..., Any], *args: Any) -> Any:
    """Call somebody else's function, which must not end the thread."""
    try:
        return fn(*args)
    except SystemExit as error:
        raise RuntimeError(f"it has called sys.exit({error.code!r})") from error


def _nothing() -> None:
    pass
