"""Lines as JSON objects, one a line."""

from __future__ import annotations

import json
from datetime import datetime

from cvec_circus.base.clock import Clock
from cvec_circus.stream.lines import Buffer, Lines
from cvec_circus.stream.source import Source


class JsonLines(Lines):
    """Each line becomes `{"time", "watcher", "stream", "pid", "text"}`. Owned by the pump thread.

    What is no UTF-8 is shown as `\\xff`. A part that goes out before its line has an end has
    `"partial": true` in addition.
    """

    def __init__(self, time_format: str | None, clock: Clock, source: Source) -> None:
        """Make it for one stream.

        Args:
            time_format: As for strftime, in local time; None for seconds since 1970.
            clock: Tells the time.
            source: Whose output it is.
        """
        super().__init__()
        self._format = time_format
        self._clock = clock
        self._source = source

    def _finished(self, part: Buffer, lines: memoryview, pid: int) -> list[Buffer]:
        texts = (bytes(part) + bytes(lines)[:-1]).split(b"\n")
        return [self._objects(texts, pid, {})]

    def _unfinished(self, part: Buffer, pid: int) -> list[Buffer]:
        return [self._objects([bytes(part)], pid, {"partial": True})]

    def _objects(self, texts: list[bytes], pid: int, more: dict[str, bool]) -> bytes:
        now = self._clock.time()
        row = {
            "time": datetime.fromtimestamp(now).strftime(self._format) if self._format else now,
            "watcher": self._source.watcher,
            "stream": self._source.channel,
            "pid": pid,
        }
        rows = [
            json.dumps({**row, "text": text.decode("utf-8", "backslashreplace"), **more})
            for text in texts
        ]
        return "\n".join([*rows, ""]).encode()
