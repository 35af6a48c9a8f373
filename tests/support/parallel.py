"""The whole suite in several processes, which take one module of tests after the other.

Most tests wait for a child or a clock, so that one process for each processor leaves the machine
idle. Each module runs as it does alone: `python -m unittest tests.daemon.test_start`.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import subprocess
import sys
import threading
import unittest
from collections.abc import Iterator, Sequence
from typing import Any, Optional

WORKER = "tests.support.parallel"

Message = Optional[list[Any]]
"""The results of a test: for each the name of a method of `unittest.TestResult`, and what it needs.
Or `["begins", TEST]`, `["done"]` at the end of a module, and None at the worker's end."""


class ParallelSuite(unittest.TestSuite):
    """Has the tests of modules run by workers. Owned by the thread that runs it.

    Args:
        tests: What was found. What is no test of a module, such as one that cannot be imported,
            runs here.
        patterns: The patterns of `-k`.
        jobs: How many workers there are.
    """

    def __init__(self, tests: unittest.TestSuite, patterns: Sequence[str], jobs: int) -> None:
        cases = list(_cases(tests))
        super().__init__(cases)
        self._here: list[unittest.TestCase] = []
        self._cases: dict[str, unittest.TestCase] = {}
        modules: dict[str, None] = {}
        for case in cases:
            module = type(case).__module__
            if module.startswith("tests."):
                self._cases[case.id()] = case
                modules[module] = None
            else:
                self._here.append(case)
        self._modules = list(modules)
        self._patterns, self._jobs = patterns, jobs

    def run(self, result: unittest.TestResult, debug: bool = False) -> unittest.TestResult:
        """Run all, and give the result what the workers report."""
        for case in self._here:
            case(result)
        messages: queue.Queue[tuple[_Worker, Message]] = queue.Queue()
        count = min(self._jobs, len(self._modules))
        workers = {_Worker(self._patterns, messages) for _ in range(count)}
        waiting = iter(self._modules)
        try:
            for worker in list(workers):
                worker.give(next(waiting, None))
            while workers:
                worker, message = messages.get()  # one that ends says so
                if message is None:
                    workers.remove(worker)
                    if not worker.is_done:
                        text = f"the process that ran it has ended in the middle of {worker.test}"
                        result.addError(_Named(worker.module), _remote(text))
                elif message == ["done"]:
                    worker.give(None if result.shouldStop else next(waiting, None))
                else:
                    self._take(worker, message, result)
        finally:
            for worker in workers:
                worker.process.kill()
        for module in waiting:
            if not result.shouldStop:
                result.addError(_Named(module), _remote("no process was left to run it"))
        return result

    def _take(self, worker: _Worker, message: list[Any], result: unittest.TestResult) -> None:
        if message[0] == "begins":
            worker.test = message[1]
            return
        for one in message:
            self._apply(result, *one)

    def _apply(self, result: unittest.TestResult, method: str, name: str, *more: str) -> None:
        case = self._cases.get(name) or _Named(name)
        if method in ("addError", "addFailure", "addExpectedFailure"):
            getattr(result, method)(case, _remote(more[0]))
        else:
            getattr(result, method)(case, *more)


class _Worker:
    """A process that runs modules. Owned by the suite; a thread of its own reads its reports."""

    def __init__(self, patterns: Sequence[str], messages: queue.Queue[Any]) -> None:
        ours, theirs = os.pipe()
        options = [f"-W{one}" for one in sys.warnoptions]
        words = [sys.executable, *options, "-m", WORKER, str(theirs), json.dumps(patterns)]
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            text=True,
            pass_fds=[theirs],
            env=dict(os.environ),  # without COLUMNS, which the module readline sets beneath it
        )
        os.close(theirs)
        self.module = self.test = ""
        self.is_done = False
        threading.Thread(target=self._read, args=(ours, messages), daemon=True).start()

    def _read(self, fd: int, messages: queue.Queue[Any]) -> None:
        with open(fd) as file:
            for line in file:
                messages.put((self, json.loads(line)))
        self.process.wait()
        messages.put((self, None))

    def give(self, module: str | None) -> None:
        """Have it run a module; end it if there is none."""
        assert self.process.stdin is not None
        if module is None:
            self.is_done = True
            self.process.stdin.close()
            return
        self.module = module
        self.process.stdin.write(f"{module}\n")
        self.process.stdin.flush()


class _Named(unittest.TestCase):
    """What has no test of its own in this process: a subtest, or the fixture of a class."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def runTest(self) -> None:
        """Do nothing: it has run elsewhere."""

    def id(self) -> str:
        return self._name

    def shortDescription(self) -> None:
        return None

    __str__ = id


class RemoteError(Exception):
    """What a worker has reported: the text of an exception with its traceback."""


def _remote(text: str) -> tuple[type[Exception], Exception, None]:
    return RemoteError, RemoteError(text), None


def _cases(tests: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            yield from _cases(test)
        else:
            yield test


class _Reporter(unittest.TestResult):
    """Reports what has come of each test in a line of JSON. Owned by the worker's main thread."""

    def __init__(self, file: Any) -> None:
        super().__init__()
        self._file = file
        self._results: list[tuple[str, ...]] = []

    def send(self, message: Sequence[Any]) -> None:
        self._file.write(json.dumps(message) + "\n")
        self._file.flush()

    def tell(self, *result: str) -> None:
        self._results.append(result)

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.send(["begins", test.id()])
        self.tell("startTest", test.id())

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        self.tell("stopTest", test.id())
        self.flush()

    def flush(self) -> None:
        """Send the results there are: of one test, or of the fixtures of classes and modules."""
        results, self._results = self._results, []
        if results:
            self.send(results)

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.tell("addSuccess", test.id())

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        self.tell("addError", test.id(), self._exc_info_to_string(err, test))

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        self.tell("addFailure", test.id(), self._exc_info_to_string(err, test))

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
        self.tell("addExpectedFailure", test.id(), self._exc_info_to_string(err, test))

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        self.tell("addUnexpectedSuccess", test.id())

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self.tell("addSkip", test.id(), reason)

    def addSubTest(self, test: unittest.TestCase, subtest: Any, err: Any) -> None:
        if err is not None:
            is_failure = issubclass(err[0], test.failureException)
            (self.addFailure if is_failure else self.addError)(subtest, err)


def main(fd: str, patterns: str) -> None:
    """Run the modules that stand in standard input, a line each, and report to a descriptor."""
    loader = unittest.TestLoader()
    loader.testNamePatterns = json.loads(patterns) or None
    os.set_inheritable(int(fd), False)
    modules = os.fdopen(os.dup(0))
    with open(os.devnull) as nothing:  # what a test starts does not read our lines
        os.dup2(nothing.fileno(), 0)
    with modules, open(int(fd), "w") as file:
        reporter = _Reporter(file)
        for line in modules:
            tests = loader.loadTestsFromName(line.strip())
            gc.collect()
            gc.freeze()  # the tests that look for leaks collect often, and what is loaded stays
            tests.run(reporter)
            reporter.flush()
            reporter.send(["done"])


if __name__ == "__main__":
    main(*sys.argv[1:])
