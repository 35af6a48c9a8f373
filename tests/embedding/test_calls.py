"""Functions of a program on the supervisor thread: `cb`, and the `loop` of an arbiter."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Coroutine
from contextlib import ExitStack
from datetime import timedelta
from threading import Thread
from typing import Any

from cvec_circus import exc, logger
from cvec_circus.arbiter import Arbiter
from tests.embedding.arbiter_case import ArbiterCase
from tests.support.eventually import eventually

TIMEOUT = 30.0

SAYS = "is a coroutine function, which no loop awaits here; write a plain function: orders begin"


class Served(Arbiter):
    """An arbiter on a thread, as BentoML has it."""

    _thread: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.stack = ExitStack()
        self._thread = None

    def start(self, cb: Any = None) -> Any:
        self._thread = Thread(target=self._worker, args=(cb,), daemon=True)
        self._thread.start()

    def _worker(self, cb: Any) -> None:
        self.loop = None
        self._ensure_ioloop()
        self.ctrl.loop = self.loop
        super().start(cb)

    def stop(self, timeout: float = TIMEOUT) -> None:
        if self.loop is not None:
            self.loop.add_callback(super().stop)
        if self._thread is not None:
            self._thread.join()


class TestLoop(ArbiterCase):
    def test_an_arbiter_on_a_thread_of_its_program(self) -> None:
        arbiter = self.make(Served)
        started = threading.Event()
        arbiter.start(cb=lambda promise: started.set())
        self.assertTrue(started.wait(TIMEOUT))
        self.assertEqual(arbiter.statuses(), {"a": "active"})
        arbiter.stop()
        self.assertFalse(arbiter.running)
        self.nothing_left()

    def test_functions_of_any_thread(self) -> None:
        arbiter = self.make()
        threads: list[Any] = []
        arbiter.loop.add_callback(lambda *args: threads.append((args, threading.get_ident())), 1)
        arbiter.start()
        self.addCleanup(arbiter.stop)
        arbiter.loop.spawn_callback(threads.append, "second")
        self.assertTrue(eventually(lambda: len(threads) == 2))
        self.assertEqual(threads, [((1,), arbiter.ident), "second"])

    def test_functions_after_a_time(self) -> None:
        arbiter = self.make()
        seen: list[Any] = []
        loop = arbiter.loop
        loop.call_later(0.05, lambda *args, **more: seen.append((args, more)), 1, b=2)
        loop.remove_timeout(loop.call_later(0, seen.append, "removed"))
        arbiter.start()
        self.addCleanup(arbiter.stop)
        self.assertTrue(eventually(lambda: seen))
        loop.add_timeout(timedelta(milliseconds=1), lambda: seen.append(threading.get_ident()))
        self.assertTrue(eventually(lambda: len(seen) == 2))
        loop.add_timeout(loop.time() - 1, loop.call_at, loop.time() + 0.01, seen.append, "at")
        self.assertTrue(eventually(lambda: len(seen) == 3))
        self.assertEqual(seen, [((1,), {"b": 2}), arbiter.ident, "at"])
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            loop.call_later(0, int, "x")
            self.assertTrue(eventually(lambda: logs.output))
        self.assertIn("int raised", logs.output[0])

    def test_a_stop_before_the_start_has_opened_anything(self) -> None:
        arbiter = self.make(Arbiter)
        arbiter.loop.add_callback(arbiter.stop)
        self.assertEqual(arbiter.start().result(), 0)

    def test_nothing_is_kept_after_the_end(self) -> None:
        arbiter = self.make()
        arbiter.start()
        arbiter.stop()
        called: list[int] = []
        arbiter.loop.add_callback(called.append, 1)
        arbiter.start()
        arbiter.loop.add_callback(called.append, 2)
        self.assertTrue(eventually(lambda: called))
        arbiter.stop()
        self.assertEqual(called, [2])

    def test_at_once(self) -> None:
        """A program that does what Circus' daemon does when its arbiter fails."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            arbiter = Arbiter([], f"tcp://127.0.0.1:{taken.getsockname()[1]}", self.endpoints[1])
            with self.assertRaisesRegex(OSError, "cannot listen: Address already in use"):
                arbiter.start()
            self.assertIsNone(arbiter.loop.run_sync(arbiter._emergency_stop))
        arbiter = self.started()
        arbiter.start_watchers().result(TIMEOUT)
        arbiter.loop.run_sync(arbiter.get_watcher("a").stop, TIMEOUT)
        self.assertEqual(arbiter.statuses(), {"a": "stopped"})
        arbiter.loop.run_sync(arbiter._emergency_stop)
        self.assertFalse(arbiter.running)
        self.nothing_left()

    def test_what_it_lacks(self) -> None:
        arbiter = self.make()
        with self.assertRaisesRegex(exc.GoneError, "loop.make_current: .* write add_callback"):
            arbiter.loop.make_current  # noqa: B018
        with self.assertRaisesRegex(exc.GoneError, "ctrl.dispatch: .* write CircusClient"):
            arbiter.ctrl.dispatch  # noqa: B018
        self.assertFalse(hasattr(arbiter.loop, "_private") or hasattr(arbiter.ctrl, "_private"))


class TestCallback(ArbiterCase):
    def test_sys_exit_ends_the_arbiter_and_the_program(self) -> None:
        for kind in (Arbiter, Blocked):
            with self.subTest(kind):
                arbiter = self.make(kind)
                with self.assertRaises(SystemExit) as ended:
                    arbiter.start(cb=lambda started: sys.exit(3))
                self.assertEqual(ended.exception.code, 3)
                self.nothing_left()

    def test_sys_exit_of_a_promise(self) -> None:
        arbiter = self.make(Arbiter)

        def cb(started: Any) -> None:
            arbiter.get_watcher("a").stop().add_done_callback(lambda promise: sys.exit(4))

        with self.assertRaises(SystemExit) as ended:
            arbiter.start(cb=cb)
        self.assertEqual(ended.exception.code, 4)
        self.nothing_left()

    def test_sys_exit_where_nothing_waits(self) -> None:
        arbiter = self.make()
        end = arbiter.start(cb=lambda started: sys.exit(3))
        self.assertIsInstance(end.exception(TIMEOUT), SystemExit)
        arbiter.stop()
        self.assertEqual(arbiter.start(cb=lambda started: arbiter.stop()).result(TIMEOUT), 0)

    def test_coroutine_functions(self) -> None:
        async def later(started: Any) -> None: ...

        def of_tornado(started: Any) -> None: ...

        of_tornado.__tornado_coroutine__ = True  # type: ignore[attr-defined]  # as gen.coroutine
        for fn in (later, of_tornado):
            with self.subTest(fn):
                for arbiter in (self.make(), self.make(Arbiter)):
                    with self.assertRaisesRegex(TypeError, f"cb: .*{fn.__name__} {SAYS}"):
                        arbiter.start(cb=fn)
                    with self.assertRaisesRegex(TypeError, f"callback: .*{fn.__name__} {SAYS}"):
                        arbiter.loop.add_callback(fn)

    def test_one_that_returns_a_coroutine(self) -> None:
        async def work() -> None: ...

        def cb(started: Any) -> Coroutine[Any, Any, None]:
            arbiter.loop.add_callback(arbiter.stop)
            return work()

        arbiter = self.make(Arbiter)
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            arbiter.start(cb=cb)
        (line,) = logs.output
        self.assertIn("cb returned a coroutine, which no loop awaits here; write a plain", line)

    def test_one_that_returns_a_promise(self) -> None:
        arbiter = self.make(Arbiter)

        def cb(started: Any) -> Any:
            arbiter.loop.add_callback(arbiter.stop)
            return arbiter.get_watcher("a").stop()

        with self.assertLogs("cvec_circus", "ERROR") as logs:
            arbiter.start(cb=cb)
            logger.error("nothing else")
        self.assertEqual(len(logs.output), 1, logs.output)


class Blocked(Arbiter):
    """Starts on another thread than the main one, and raises here what that raises."""

    def start(self, cb: Any = None) -> Any:
        raised: list[BaseException] = []

        def run() -> None:
            try:
                super(Blocked, self).start(cb)
            except BaseException as error:
                raised.append(error)

        thread = Thread(target=run)
        thread.start()
        thread.join()
        raise raised[0]
