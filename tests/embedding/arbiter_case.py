"""What the tests of embedded arbiters share."""

from __future__ import annotations

import os
import threading
from typing import Any

from cvec_circus.arbiter import Arbiter, ThreadedArbiter
from tests.support.daemon import folder
from tests.support.eventually import eventually
from tests.support.leaks import LeakCheckedTestCase, children

SLEEP = {"name": "a", "cmd": "sleep 1000", "numprocesses": 2}


class ArbiterCase(LeakCheckedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = folder(self)
        self.endpoints = (f"ipc://{self.folder}/control", f"ipc://{self.folder}/events")

    def make(self, kind: type[Arbiter] = ThreadedArbiter, *watchers: Any, **options: Any) -> Any:
        return kind(watchers or [SLEEP], *self.endpoints, **options)

    def nothing_left(self) -> None:
        self.assertEqual(children(), {})
        self.assertEqual(os.listdir(self.folder), [])

    def started(self, *watchers: Any, **options: Any) -> Any:
        """Start a threaded arbiter that is stopped when the test ends."""
        arbiter = self.make(ThreadedArbiter, *watchers, **options)
        arbiter.start()
        self.addCleanup(arbiter.stop)
        return arbiter

    def run_in_a_thread(self, arbiter: Arbiter, **options: Any) -> threading.Thread:
        """Start a blocking arbiter on a thread of the test's; `codes` has what comes of it."""
        self.codes: list[int] = []
        thread = threading.Thread(
            target=lambda: self.codes.append(arbiter.start(**options).result())
        )
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(arbiter.stop)
        self.assertTrue(eventually(lambda: arbiter.running))
        return thread
