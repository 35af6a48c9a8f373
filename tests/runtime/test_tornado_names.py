"""What plugins for Circus call of tornado's loop."""

from __future__ import annotations

import importlib
import os
import threading
import unittest
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

from cvec_circus.exc import GoneError
from cvec_circus.plugins import AsyncPeriodicCallback, PluginLoop
from tests.runtime.loop_case import LoopCase
from tests.support.idle_tornado import Timers, is_there, needs_tornado

READ, WRITE, ERROR = 1, 4, 24


async def coroutine() -> None:
    """What no loop here awaits."""


class TestNames(LoopCase):
    def test_calls(self) -> None:
        self.start()
        self.wait_for(self.loop.spawn_callback)
        self.wait_for(self.loop.add_callback_from_signal)
        self.wait_for(partial(self.loop.call_at, self.loop.time()))
        self.wait_for(partial(self.loop.add_timeout, timedelta(0)))
        self.loop.remove_timeout(self.loop.call_at(self.loop.time() + 1000, self.fail))

    def test_a_source(self) -> None:
        self.start()
        reads, writes = os.pipe()
        self.addCleanup(os.close, reads)
        self.addCleanup(os.close, writes)
        heard: list[Any] = []

        def register(callback: Any) -> None:
            def handler(fd: int, events: int) -> None:
                heard.append((fd, events, os.read(fd, 10)))
                self.loop.remove_handler(fd)
                callback()

            self.loop.add_handler(reads, handler, READ | ERROR)
            os.write(writes, b"a")

        self.wait_for(register)
        self.assertEqual(heard, [(reads, READ, b"a")])
        with self.assertRaisesRegex(ValueError, "waits for READ only"):
            self.loop.add_handler(writes, lambda fd, events: None, WRITE)

    def test_a_future(self) -> None:
        self.start()
        found: list[Future[int]] = []
        with ThreadPoolExecutor(1) as pool:

            def register(callback: Any) -> None:
                def done(future: Future[int]) -> None:
                    found.append(future)
                    callback()

                self.loop.add_future(pool.submit(int, "7"), done)

            self.wait_for(register)
        self.assertEqual(found[0].result(), 7)

    def test_close(self) -> None:
        self.start()
        self.until_idle()
        self.loop.close()
        self.thread.join(10)
        self.assertFalse(self.thread.is_alive())

    def test_what_it_has_not(self) -> None:
        self.assertFalse(hasattr(self.loop, "run_in_executor"))
        with self.assertRaisesRegex(GoneError, "loop.run_sync: .* write add_callback, call_later"):
            self.loop.run_sync(coroutine)
        with self.assertRaises(AttributeError):
            self.loop._no_such_name  # noqa: B018

    def test_coroutines(self) -> None:
        said = "coroutine is a coroutine function, which no loop awaits here; write a plain"
        for call in (
            self.loop.add_callback,
            self.loop.spawn_callback,
            partial(self.loop.call_later, 1),
            lambda fn: self.loop.periodic(fn, 1000),
        ):
            with self.assertRaisesRegex(TypeError, said):
                call(coroutine)


class TestPeriodicCallback(unittest.TestCase):
    def test_a_loop_in_the_place_of_the_jitter(self) -> None:
        loop = PluginLoop("own")
        self.assertEqual(AsyncPeriodicCallback(print, 1000, loop).jitter, 0.0)
        callback = AsyncPeriodicCallback(print, 1000, 0.1, loop)
        self.assertEqual((callback.jitter, callback.callback_time), (0.1, 1000.0))


class TestIdle(LoopCase):
    @needs_tornado
    def test_a_timer_of_tornado_is_told_once(self) -> None:
        timers = Timers(self)

        def register(callback: Any) -> None:
            def begin() -> None:
                timers.begin()
                callback()

            self.loop.add_callback(begin)

        with self.assertLogs("cvec_circus", "WARNING") as caught:
            self.start()
            self.wait_for(register)
            self.wait_for(register)
            self.until_idle()
        (said,) = caught.output
        self.assertIn("tornado has calls to make on a loop that is not running: use self.", said)


class TestAsync(LoopCase):
    def test_coroutines(self) -> None:
        """Of Python's, of tornado's, and plain functions."""
        kinds: list[Callable[[Any], Any]] = [coroutine_of, lambda fn: fn]
        if is_there:
            kinds.append(coroutine_of_tornado)
        self.start()
        for made in kinds:
            with self.subTest(made):

                def register(fn: Any, made: Any = made) -> AsyncPeriodicCallback:
                    period = AsyncPeriodicCallback(made(fn), 1, loop=self.loop)
                    period.start()
                    return period

                self.wait_for(register).stop()

    def test_the_time_from_its_end_to_the_next(self) -> None:
        times: list[float] = []
        twice = threading.Event()

        async def slow() -> None:
            times.append(self.loop.monotonic())
            threading.Event().wait(0.12)  # longer than the period
            times.append(self.loop.monotonic())
            if len(times) > 5:
                twice.set()

        period = AsyncPeriodicCallback(slow, 50, loop=self.loop)
        period.start()
        self.start()
        self.assertTrue(twice.wait(10))
        period.stop()
        for end, begin in (times[1:3], times[3:5]):
            self.assertGreaterEqual(begin - end, 0.049)

    def test_one_that_raises(self) -> None:
        calls = iter(range(2))

        def register(callback: Any) -> AsyncPeriodicCallback:
            async def fails() -> None:
                if next(calls) == 0:
                    raise ValueError("at first")
                period.stop()
                callback()

            period = AsyncPeriodicCallback(fails, 1, loop=self.loop)
            period.start()
            return period

        with self.assertLogs("cvec_circus", "ERROR") as logs:
            self.start()
            self.wait_for(register)
        self.assertIn("ValueError: at first", logs.output[0])

    def test_a_callback_that_returns_a_coroutine(self) -> None:
        self.start()
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            self.loop.add_callback(lambda: coroutine())
            self.until_idle()
        self.assertIn("which no loop awaits; write a plain function, or an Async", logs.output[0])


def coroutine_of(fn: Callable[[], object]) -> Callable[[], Any]:
    async def called() -> None:
        await coroutine()
        fn()

    return called


def coroutine_of_tornado(fn: Callable[[], object]) -> Callable[[], Any]:
    gen = importlib.import_module("tornado.gen")

    @gen.coroutine
    def called() -> Any:
        yield gen.moment
        fn()

    return called  # type: ignore[no-any-return]


if __name__ == "__main__":
    unittest.main()
