"""A test case for unittest suites of programs that embed an arbiter, and of plugins."""

from __future__ import annotations

from cvec_circus.testing.case import ArbiterTestCase, Event

__all__ = ["ArbiterTestCase", "Event"]
