"""A loop to test, in a thread of its own."""

from __future__ import annotations

import threading
from typing import Any, Callable

from cvec_circus.plugins import PluginLoop
from tests.support.leaks import LeakCheckedTestCase


class LoopCase(LeakCheckedTestCase):
    """A loop that runs in a thread of its own until the test ends."""

    def setUp(self) -> None:
        super().setUp()
        self.loop = PluginLoop("test")
        self.thread = threading.Thread(target=self._live, name="plugin thread")
        self.ran_on: list[str] = []
        self.addCleanup(self.end)

    def _live(self) -> None:
        self.loop._open()
        self.loop._run()
        self.loop._close()

    def start(self) -> None:
        self.thread.start()

    def end(self) -> None:
        self.loop.stop()
        if self.thread.ident is not None:
            self.thread.join(10)
            self.assertFalse(self.thread.is_alive())

    def wait_for(self, register: Callable[[Callable[[], None]], Any]) -> Any:
        """Hand over a callback and wait until it has been called on the plugin thread."""
        called = threading.Event()

        def callback() -> None:
            self.ran_on.append(threading.current_thread().name)
            called.set()

        result = register(callback)
        self.assertTrue(called.wait(10), "not called")
        self.assertEqual(set(self.ran_on), {"plugin thread"})
        return result

    def until_idle(self) -> None:
        """Wait until what was asked for before has been done."""
        self.wait_for(self.loop.add_callback)
