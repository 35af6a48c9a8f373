"""Runs a module of Circus' own tests on our package: python bridge.py MODULE

It is run in an environment where `circus` is ours. Circus' tests run an arbiter on tornado's loop
and wait for it there. Here it has a thread of its own, so what they call is put between: an arbiter
whose `start` and `stop` may be waited for in a coroutine, a client that works on a thread, and
tornado's sleep. What a test finds out is printed as JSON: "ok", "skipped", or the first line of
what it has failed with.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import circus
import circus.arbiter
import circus.client
import circus.util
import circus.watcher

# The loops that the tests run on; nothing else of ours has one of these.
asyncio: Any = importlib.import_module("asyncio")
gen: Any = importlib.import_module("tornado.gen")
ioloop: Any = importlib.import_module("tornado.ioloop")

POOL = ThreadPoolExecutor(16)


def on_a_thread(fn: Any, *args: Any) -> Any:
    """Call a function on a thread, and return a future that coroutines wait for."""
    return ioloop.IOLoop.current().run_in_executor(POOL, fn, *args)


def is_in_a_coroutine() -> bool:
    """Tell whether a loop runs on this thread, which nothing may hold up."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class AsyncClient(circus.client.CircusClient):
    """A client as Circus' asynchronous one is called."""

    def send_message(self, command: str, **props: Any) -> Any:
        return self.call(circus.client.make_message(command, **props))

    def call(self, cmd: Any) -> Any:
        return on_a_thread(super().call, cmd)

    def stop(self) -> None:
        super().stop()


class Bridged(circus.arbiter.ThreadedArbiter):
    """An arbiter on a thread of its own whose beginning and end a coroutine waits for."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.pop("loop", None)
        super().__init__(*args, **options)

    @classmethod
    def load_from_config(cls, config_file: str, loop: Any = None) -> Any:
        return super().load_from_config(config_file)

    def start(self, cb: Any = None) -> Any:
        if not is_in_a_coroutine():
            return super(circus.arbiter.ThreadedArbiter, self).start(cb)
        loop = ioloop.IOLoop.current()
        started = loop.asyncio_loop.create_future()

        def tell(promise: Any) -> None:
            loop.add_callback(lambda: started.done() or started.set_result(None))
            if cb is not None:
                cb(promise)

        super().start(tell)
        return started

    def stop(self, timeout: float = 60.0) -> Any:
        if not is_in_a_coroutine():
            return super().stop(timeout)
        return on_a_thread(super().stop, timeout)

    _emergency_stop = stop

    @property
    def _watchers_names(self) -> dict[str, Any]:
        return {watcher.name: watcher for watcher in self.iter_watchers()}


class Watcher(circus.watcher.Watcher):
    """A watcher whose loop is not needed."""

    def __init__(self, *args: Any, loop: Any = None, **options: Any) -> None:
        super().__init__(*args, **options)


def get_arbiter(watchers: Any, *args: Any, background: bool = False, **options: Any) -> Any:
    """Make an arbiter that coroutines wait for."""
    options.pop("loop", None)
    made = original(watchers, *args, background=True, **options)
    made.__class__ = Bridged
    return made


original = circus.get_arbiter


class Result(unittest.TestResult):
    """Collects what each test has found out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        self.found.setdefault(test.id(), "ok")

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        said = str(err[1]).strip().splitlines() or [""]
        self.found[test.id()] = f"{err[0].__name__}: {said[0]}"

    addError = addFailure  # noqa: N815

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        self.found[test.id()] = "skipped"


def main() -> None:
    sleep = gen.sleep
    vars(circus.util)["tornado_sleep"] = vars(circus.watcher)["tornado_sleep"] = sleep
    vars(circus.client)["AsyncCircusClient"] = AsyncClient
    vars(circus)["get_arbiter"] = get_arbiter
    vars(circus.arbiter)["Arbiter"] = Bridged
    vars(circus.watcher)["Watcher"] = Watcher
    module = importlib.import_module(sys.argv[1])
    result = Result()
    unittest.defaultTestLoader.loadTestsFromModule(module).run(result)
    print(json.dumps(result.found), flush=True)
    faulthandler.dump_traceback_later(60, exit=True)  # what a failed test has left running


if __name__ == "__main__":
    main()
