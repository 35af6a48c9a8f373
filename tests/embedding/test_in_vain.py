"""What programs for Circus do in vain, and what they learn then."""

from __future__ import annotations

import subprocess
import sys
import unittest
import warnings
from typing import Any

from cvec_circus.arbiter import Arbiter, ThreadedArbiter
from cvec_circus.watcher import Watcher
from tests.embedding.arbiter_case import ArbiterCase
from tests.support.idle_tornado import needs_tornado
from tests.support.wire import TIMEOUT

TORNADO = """
from tornado.ioloop import PeriodicCallback
from cvec_circus import get_arbiter

PeriodicCallback(print, 10).start()
arbiter = get_arbiter([], {!r}, {!r})
arbiter.start(lambda started: arbiter.stop())
"""

LATER = """
from tornado.ioloop import PeriodicCallback
from cvec_circus import get_arbiter

def begin(started):
    PeriodicCallback(print, 10).start()
    arbiter.loop.add_callback(arbiter.stop)

arbiter = get_arbiter([], {!r}, {!r})
arbiter.start(begin)
"""


class TestInVain(ArbiterCase):
    @needs_tornado
    def test_a_callback_of_tornado(self) -> None:
        for text in (TORNADO, LATER):
            done = subprocess.run(
                [sys.executable, "-c", text.format(*self.endpoints)],
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=True,
            )
            said = "tornado has calls to make on a loop that is not running"
            self.assertEqual(done.stderr.count(said), 1, done.stderr)
            self.assertEqual(done.stdout, "")

    def test_a_coroutine(self) -> None:
        async def later(*given: Any) -> None:
            raise AssertionError("nothing awaits it")

        says = "later is a coroutine function, which no loop awaits here; write a plain function"
        for name, call in (
            ("cb", self.make(Arbiter).start),
            ("cb", self.make(ThreadedArbiter).start),
            ("prereload_fn", lambda later: self.make(Arbiter, prereload_fn=later)),
            ("prereload_fn", lambda later: Watcher("w", "sleep 1", prereload_fn=later)),
        ):
            with self.assertRaisesRegex(TypeError, f"{name}: .*{says}"):
                call(later)
        self.nothing_left()

    def test_a_method_that_nobody_calls(self) -> None:
        with self.assertWarnsRegex(
            UserWarning, "only your own program calls spawn_process: "
        ) as one:

            class Mine(Watcher):
                def spawn_process(self) -> None:
                    raise AssertionError

        self.assertIn("Mine: ", str(one.warning))
        self.assertEqual(one.filename, __file__)

        class Mixed:
            def manage_watchers(self) -> None:
                raise AssertionError

        says = "calls manage_watchers, reload: commands and .*; override start or stop, or"
        with self.assertWarnsRegex(UserWarning, says):

            class Other(Mixed, Arbiter):
                def reload(self, *kind: Any, **more: Any) -> Any:
                    return super().reload(*kind, **more)

    def test_one_that_is_called(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")

            class Mine(Arbiter):
                def start(self, cb: Any = None) -> Any:
                    return super().start(cb)

                def stop(self, timeout: float = 1.0) -> Any:
                    return super().stop(timeout)

                def anything_else(self) -> None:
                    return None


if __name__ == "__main__":
    unittest.main()
