"""What plugins know as self.loop; periodic callbacks, ours and tornado's."""

from __future__ import annotations

import gc
import logging
import os
import threading
from datetime import timedelta
from typing import Any, Callable
from unittest import mock

import zmq

from cvec_circus.plugins import AsyncPeriodicCallback, PeriodicCallback, PluginLoop
from cvec_circus.runtime.loop import announce, current_loop
from tests.runtime.loop_case import LoopCase
from tests.support.clock import FakeClock


class TestCallbacks(LoopCase):
    def test_add_callback(self) -> None:
        self.start()
        self.wait_for(self.loop.add_callback)

    def test_arguments(self) -> None:
        got: list[tuple] = []
        self.start()
        self.loop.add_callback(lambda *args, **kwargs: got.append((args, kwargs)), 1, x=2)
        self.until_idle()
        self.assertEqual(got, [((1,), {"x": 2})])

    def test_before_the_start(self) -> None:
        order: list[int] = []
        for number in range(3):
            self.loop.add_callback(order.append, number)
        self.start()
        self.until_idle()
        self.assertEqual(order, [0, 1, 2])

    def test_a_callback_that_adds_itself_keeps_nobody_waiting(self) -> None:
        def again() -> None:
            self.loop.add_callback(again)

        self.start()
        again()
        for _ in range(3):
            self.until_idle()
            self.wait_for(lambda callback: self.loop.call_later(0.001, callback))

    def test_an_exception_is_logged_and_the_loop_goes_on(self) -> None:
        self.start()
        for error in (ValueError("no"), SystemExit(3)):

            def fail(error: BaseException = error) -> None:
                raise error

            with self.assertLogs("cvec_circus", logging.ERROR) as logs:
                self.loop.add_callback(fail)
                self.until_idle()
            self.assertIn("Traceback", logs.output[0])
            self.assertIn("fail raised", logs.output[0])

    def test_a_coroutine_is_named(self) -> None:
        async def nothing() -> None: ...

        self.start()
        with self.assertLogs("cvec_circus", logging.ERROR) as logs:
            self.loop.add_callback(lambda: nothing())
            self.until_idle()
        self.assertIn("<lambda> is a coroutine", logs.output[0])

    def test_what_cannot_be_called(self) -> None:
        with self.assertRaises(TypeError):
            self.loop.add_callback(None)  # type: ignore[arg-type]

    def test_from_many_threads(self) -> None:
        self.start()
        count: list[int] = []
        threads = [
            threading.Thread(
                target=lambda: [self.loop.add_callback(count.append, 1) for _ in range(200)]
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        self.until_idle()
        self.assertEqual(len(count), 1600)


class TestTimers(LoopCase):
    def test_call_later(self) -> None:
        self.start()
        self.wait_for(lambda callback: self.loop.call_later(0.001, callback))

    def test_call_later_before_the_start(self) -> None:
        called = threading.Event()
        self.loop.call_later(0.001, called.set)
        self.start()
        self.assertTrue(called.wait(10))

    def test_cancel(self) -> None:
        called: list[int] = []
        early = self.loop.call_later(0.0, called.append, 1)
        early.cancel()
        self.start()
        self.until_idle()
        late = self.loop.call_later(0.02, called.append, 2)
        self.loop.remove_timeout(late)
        self.wait_for(lambda callback: self.loop.call_later(0.04, callback))
        self.assertEqual(called, [])
        late.cancel()

    def test_a_cancelled_timer_is_forgotten(self) -> None:
        self.start()
        for _ in range(300):
            self.loop.call_later(3600, print).cancel()
        self.until_idle()
        assert self.loop._inner is not None
        self.assertLess(len(self.loop._inner._timers), 1)

    def test_cancel_on_the_plugin_thread(self) -> None:
        called: list[int] = []

        def act() -> None:
            self.loop.call_later(0.0, called.append, 1).cancel()

        self.start()
        self.loop.add_callback(act)
        self.until_idle()
        self.until_idle()
        self.assertEqual(called, [])

    def test_add_timeout(self) -> None:
        self.start()
        self.wait_for(lambda callback: self.loop.add_timeout(self.loop.time() + 0.01, callback))
        self.wait_for(lambda callback: self.loop.add_timeout(timedelta(milliseconds=1), callback))
        timer = self.loop.add_timeout(self.loop.time() + 3600, print)
        self.loop.remove_timeout(timer)

    def test_the_wall_clock_may_jump(self) -> None:
        """What was asked for an instant of the wall clock comes after the delay that was meant."""
        clock = FakeClock()
        loop = PluginLoop("test", clock)
        called: list[int] = []
        loop.add_timeout(loop.time() + 5, called.append, 1)
        clock.wall += 3600
        inner = loop._open()
        self.addCleanup(loop._close)
        inner.wakeup.set()
        inner._turn()
        self.assertEqual(called, [])
        clock.advance(5)
        inner._turn()
        self.assertEqual(called, [1])


class TestReaders(LoopCase):
    def test_a_pipe(self) -> None:
        read_fd, write_fd = os.pipe()
        self.addCleanup(os.close, read_fd)
        self.addCleanup(os.close, write_fd)
        got: list[bytes] = []
        self.start()
        with self.subTest("from another thread"):
            os.write(write_fd, b"x")

            def read(callback: Callable[[], None]) -> None:
                self.loop.add_reader(read_fd, lambda: (got.append(os.read(read_fd, 1)), callback()))

            self.wait_for(read)
        with self.subTest("removed"):
            self.loop.remove_reader(read_fd)
            self.until_idle()
            os.write(write_fd, b"y")
            self.until_idle()
        self.assertEqual(got, [b"x"])

    def test_a_zmq_socket_before_the_start(self) -> None:
        with zmq.Context() as context, context.socket(zmq.PULL) as pull:
            with context.socket(zmq.PUSH) as push:
                port = pull.bind_to_random_port("tcp://127.0.0.1")
                push.connect(f"tcp://127.0.0.1:{port}")
                push.send(b"x")

                def read(callback: Callable[[], None]) -> None:
                    self.loop.add_reader(pull, lambda: (pull.recv(), callback()))
                    self.start()

                self.wait_for(read)
                self.loop.remove_reader(pull)
                self.until_idle()


class TestTheEnd(LoopCase):
    def test_stop_before_the_start(self) -> None:
        self.loop.add_callback(lambda: None)
        self.loop.stop()
        self.start()
        self.thread.join(10)
        self.assertFalse(self.thread.is_alive())

    def test_close_is_stop(self) -> None:
        self.start()
        self.loop.close()
        self.thread.join(10)
        self.assertFalse(self.thread.is_alive())

    def test_nothing_is_called_after_a_stop_on_the_plugin_thread(self) -> None:
        called: list[int] = []

        def act() -> None:
            self.loop.add_callback(called.append, 1)
            self.loop.call_later(0, called.append, 2)
            self.loop.stop()

        self.loop.add_callback(act)
        self.loop.add_callback(called.append, 3)
        self.start()
        self.thread.join(10)
        self.assertFalse(self.thread.is_alive())
        self.assertEqual(called, [])

    def test_after_the_end_everything_is_dropped(self) -> None:
        self.start()
        self.end()
        self.loop.add_callback(self.fail)
        self.loop.call_later(0, self.fail).cancel()
        self.loop.add_reader(0, self.fail)
        self.loop.remove_reader(0)
        self.loop.periodic(self.fail, 1).start()
        self.loop.stop()


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

    def test_due_before_its_start_has_returned(self) -> None:
        self.start()
        call_later = self.loop.call_later

        def at_once(delay: float, call: Callable[[], object]) -> Any:
            timer, turned = call_later(0, call), threading.Event()
            self.loop.add_callback(turned.set)
            turned.wait(0.2)  # it comes if the call has not waited for the start
            return timer

        def register(callback: Callable[[], None]) -> PeriodicCallback:
            periodic = PeriodicCallback(callback, 1, loop=self.loop)
            with mock.patch.object(self.loop, "call_later", at_once):
                periodic.start()
            return periodic

        self.wait_for(register).stop()

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
