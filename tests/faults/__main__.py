"""Run the fault suite, and print a summary by group: python -m tests.faults [GROUP OR ID ...]

CVEC_CIRCUS_NIGHTLY=1 repeats everything as often as a night allows.
"""

from __future__ import annotations

import argparse
import sys
import unittest
from typing import NamedTuple

from cvec_circus.base.clock import SYSTEM
from tests.faults import ids
from tests.faults.ids import Fault, Group
from tests.support.nightly import DONE


class Outcome(NamedTuple):
    """What has come of a test. Immutable."""

    passed: bool
    skipped: bool
    repetitions: int
    seconds: float


class Runner:
    """Runs each test once, whatever it shows. Owned by the main thread."""

    def __init__(self) -> None:
        self.done: dict[str, Outcome] = {}
        self._named = ids.named()

    def tests(self, fault: Fault) -> list[unittest.TestCase]:
        """Return all that show a fault."""
        loaded = unittest.defaultTestLoader.loadTestsFromNames(fault.tests)
        return [*self._named.get(fault.name, ()), *ids.cases(loaded)]

    def run(self, test: unittest.TestCase) -> Outcome:
        """Run a test, unless it has been."""
        if test.id() not in self.done:
            result = unittest.TestResult()
            began = SYSTEM.monotonic()
            unittest.TestSuite([test]).run(result)
            for _, text in (*result.failures, *result.errors):
                print(f"{test.id()}\n{text}", file=sys.stderr, flush=True)
            self.done[test.id()] = Outcome(
                result.wasSuccessful(),
                bool(result.skipped),
                max(1, DONE[test.id()]),
                SYSTEM.monotonic() - began,
            )
        return self.done[test.id()]


def run(group: Group, wanted: set[str], runner: Runner) -> bool:
    """Run the faults of a group, and print its line; return whether all has passed."""
    faults = [one for one in group.faults if not wanted or wanted & {one.name, group.letter}]
    outcomes = {}
    for fault in faults:
        outcomes.update({test.id(): runner.run(test) for test in runner.tests(fault)})
    if not faults:
        return True
    ran = [one for one in outcomes.values() if not one.skipped]
    passed = sum(one.passed for one in ran)
    failed = len(ran) - passed
    print(
        f"{group.letter}  {group.title:<34}{len(faults):>7}{len(outcomes):>7}{passed:>8}"
        f"{failed:>8}{len(outcomes) - len(ran):>9}{sum(one.repetitions for one in ran):>13}"
        f"{sum(one.seconds for one in ran):>9.0f}",
        flush=True,
    )
    return not failed


def main() -> int:
    """Run what the command line names; the exit code is 1 when anything failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("wanted", nargs="*", metavar="GROUP OR ID", type=str.upper)
    wanted = set(parser.parse_args().wanted)
    columns = ("faults", "tests", "passed", "failed", "skipped", "repetitions", "seconds")
    head = "{:>7}{:>7}{:>8}{:>8}{:>9}{:>13}{:>9}".format(*columns)
    print(f"{'group':<37}{head}")
    runner = Runner()
    return int(not all([run(group, wanted, runner) for group in ids.groups()]))


if __name__ == "__main__":
    sys.exit(main())
