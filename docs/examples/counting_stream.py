"""A stream that counts lines, and says now and then how many there were."""

from __future__ import annotations

from typing import Any

from cvec_circus import logger


class CountingStream:
    def __init__(self, every: str = "1000", **others: str) -> None:
        self.every = int(every)
        self.lines = 0

    def __call__(self, data: dict[str, Any]) -> None:
        before = self.lines // self.every
        self.lines += data["data"].count(b"\n")
        if self.lines // self.every > before:
            logger.info("%d lines so far, the last by %d", self.lines, data["pid"])

    def close(self) -> None:
        logger.info("%d lines in all", self.lines)
