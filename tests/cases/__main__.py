"""Run the cases, with a line for each: python -m tests.cases [--list] [WORD ...]

With words, those whose names contain one of them.
"""

from __future__ import annotations

import argparse
import os
import sys
import unittest
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cvec_circus.base.clock import SYSTEM

HERE = Path(__file__).resolve().parent
WIDTH = 68


def cases(tests: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    """Yield the tests of a suite, and of the suites in it."""
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            yield from cases(test)
        else:
            yield test


def name_of(case: unittest.TestCase) -> str:
    """Name a case by its file and its method: core.the_program_is_renamed_away."""
    module, _, method = case.id().rpartition(".")
    return f"{module.split('.')[-2].replace('test_', '')}.{method.replace('test_', '')}"


class Lines(unittest.TestResult):
    """Prints a line for each case. Owned by the main thread."""

    def __init__(self) -> None:
        super().__init__()
        self._outcome = "ok"
        self._began = 0.0
        self.texts: list[str] = []

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._outcome, self._began = "ok", SYSTEM.monotonic()
        print(f"{name_of(test):{WIDTH}}", end=" ", flush=True)

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        print(f"{self._outcome}  {SYSTEM.monotonic() - self._began:.1f} s", flush=True)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self._outcome = f"skipped: {reason}"

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        if err is not None:
            name = f"{name_of(test)} {subtest._subDescription()}"  # type: ignore
            self._fail(test, name, err)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        self._fail(test, name_of(test), err)

    addError = addFailure

    def _fail(self, test: unittest.TestCase, name: str, err: Any) -> None:
        self._outcome = "FAILED"
        self.texts.append(f"{name}: {self._exc_info_to_string(err, test)}")  # type: ignore


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; the exit code is 1 when a case failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.cases", description=__doc__)
    parser.add_argument("--list", action="store_true", help="say what each case is about")
    parser.add_argument("words", nargs="*", metavar="WORD")
    wanted = parser.parse_args(arguments)
    os.environ["CVEC_CIRCUS_NIGHTLY"] = "1"
    loader = unittest.TestLoader()
    found = [*cases(loader.discover(str(HERE), top_level_dir=str(HERE.parents[1])))]
    chosen = [one for one in found if not wanted.words or _says(name_of(one), wanted.words)]
    if wanted.list:
        for case in chosen:
            print(f"{name_of(case)}\n    {case._testMethodDoc}")
        return 0
    lines = Lines()
    unittest.TestSuite(chosen).run(lines)
    print(f"{lines.testsRun} cases, {len(lines.texts)} failed, {len(lines.skipped)} skipped")
    print("\n".join(lines.texts), end="")
    return bool(lines.texts)


def _says(name: str, words: Sequence[str]) -> bool:
    return any(word in name for word in words)


if __name__ == "__main__":
    sys.exit(main())
