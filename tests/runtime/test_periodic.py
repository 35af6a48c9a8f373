"""Periodic callbacks, ours and tornado's."""

from __future__ import annotations

import gc
import logging
import threading
from datetime import timedelta
from typing import Callable

from cvec_circus.plugins import AsyncPeriodicCallback, PeriodicCallback, PluginLoop
from cvec_circus.runtime.loop import announce, current_loop
from tests.runtime.loop_case import LoopCase
from tests.support.clock import FakeClock


class TestPeriodic(LoopCase):
    def test_periodic(self) -> None:
        count: list[str] = []
        done = threading.Event()

        def tick() -> None:
            count.append(threading.current_thread().name)
            if len(count) == 3:
                periodic.stop()
                done.set()

        periodic = self.loop.periodic(tick, 1)
        self.assertFalse(periodic.is_running())
        self.start()
        periodic.start()
        periodic.start()
        self.assertTrue(done.wait(10))
        self.assertFalse(periodic.is_running())
        self.wait_for(lambda callback: self.loop.call_later(0.01, callback))
        self.assertEqual(count, ["plugin thread"] * 3)

    def test_it_goes_on_after_an_exception(self) -> None:
        done = threading.Event()
        count: list[int] = []

        def tick() -> None:
            count.append(1)
            if len(count) == 2:
                done.set()
            raise ValueError("tick")

        periodic = PeriodicCallback(tick, timedelta(milliseconds=1), self.loop)
        with self.assertLogs("cvec_circus", logging.ERROR) as logs:
            self.start()
            periodic.start()
            self.assertTrue(done.wait(10))
            periodic.stop()
            self.until_idle()
        self.assertIn("ValueError: tick", logs.output[0])

    def test_stop_before_the_first_call(self) -> None:
        periodic = self.loop.periodic(self.fail, 10)
        self.start()
        periodic.start()
        periodic.stop()
        periodic.stop()
        self.wait_for(lambda callback: self.loop.call_later(0.03, callback))

    def test_on_a_grid(self) -> None:
        """Late calls do not push back later ones, and missed ones are left out."""
        clock = FakeClock(now=1000.0)
        loop = PluginLoop("test", clock)
        called: list[float] = []
        loop.periodic(lambda: called.append(clock.now), 1000).start()
        inner = loop._open()
        self.addCleanup(loop._close)
        for now in (1000.0, 1000.5, 1001.2, 1002.0, 1004.5, 1004.9, 1005.0):
            clock.now = now
            inner.wakeup.set()
            inner._turn()
        self.assertEqual(called, [1001.2, 1002.0, 1004.5, 1005.0])

    def test_restarted_by_its_own_callback(self) -> None:
        clock = FakeClock(now=1000.0)
        loop = PluginLoop("test", clock)
        called: list[float] = []

        def tick() -> None:
            called.append(clock.now)
            periodic.stop()
            periodic.start()

        periodic = loop.periodic(tick, 1000)
        periodic.start()
        inner = loop._open()
        self.addCleanup(loop._close)
        for now in (1000.0, 1001.5, 1002.0, 1002.5, 1003.0, 1003.5):
            clock.now = now
            inner.wakeup.set()
            inner._turn()
        self.assertEqual(called, [1001.5, 1002.5, 1003.5])

    def test_the_default_loop(self) -> None:
        self.assertIs(current_loop(), self.loop)
        other = PluginLoop("other")
        self.assertIs(AsyncPeriodicCallback(print, 10)._loop, other)
        found: list[object] = []
        self.start()
        self.wait_for(
            lambda callback: self.loop.add_callback(
                lambda: (found.append(PeriodicCallback(print, 10)._loop), callback())
            )
        )
        announce(other)
        self.wait_for(
            lambda callback: self.loop.add_callback(
                lambda: (found.append(PeriodicCallback(print, 10)._loop), callback())
            )
        )
        self.assertEqual(found, [self.loop, self.loop])

    def test_no_loop_at_all(self) -> None:
        PluginLoop("gone")
        gc.collect()
        with self.assertRaises(RuntimeError) as caught:
            PeriodicCallback(print, 10)
        self.assertIn("CircusPlugin.__init__", str(caught.exception))

    def test_no_time(self) -> None:
        for milliseconds in (0, -1, timedelta(0)):
            with self.assertRaises(ValueError):
                self.loop.periodic(print, milliseconds)


class TestTornado(LoopCase):
    """tornado's PeriodicCallback, in the shapes it has had, is refused with one helpful line."""

    def assert_refused(self, act: Callable[[], object]) -> None:
        with self.assertRaises(TypeError) as caught:
            act()
        self.assertIn("self.loop.periodic", str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))

    def test_given_the_loop(self) -> None:
        """Up to version 4 it took a loop, and asked it for a time-out."""

        class Old:
            def _run(self) -> None: ...

        Old.__module__ = "tornado.ioloop"
        self.assert_refused(lambda: self.loop.add_timeout(self.loop.time() + 1, Old()._run))
        self.assert_refused(lambda: self.loop.call_later(1, Old()._run))
        self.assert_refused(lambda: self.loop.add_callback(Old()._run))

    def test_the_loop_as_a_factor(self) -> None:
        """Since version 5 the third argument is the jitter, which it multiplies."""
        self.assert_refused(lambda: self.loop * 0.3)  # type: ignore[operator]
        self.assert_refused(lambda: 0.3 * self.loop)  # type: ignore[operator]
