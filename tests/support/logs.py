"""Shows that nothing is logged; unittest has this only from Python 3.10 on."""

from __future__ import annotations

import logging
import unittest
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silent(case: unittest.TestCase, level: int = logging.WARNING) -> Iterator[None]:
    """Fail a test when anything of that level or above is logged meanwhile, by any thread."""
    records: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(self.format(record))

    collector = Collector(level)
    root = logging.getLogger()
    root.addHandler(collector)
    try:
        yield
    finally:
        root.removeHandler(collector)
    case.assertEqual(records, [])
