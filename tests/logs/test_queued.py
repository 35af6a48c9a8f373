"""A log that is written on a thread of its own: nobody waits for it, and nothing goes unsaid."""

from __future__ import annotations

import logging
import re
import threading
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from cvec_circus import exc
from cvec_circus.base.clock import SYSTEM
from cvec_circus.base.loop import Loop
from cvec_circus.logs.log import Log
from cvec_circus.logs.queued import FLUSH_TIMEOUT, LINES, TEXT, QueuedLog
from cvec_circus.options.variables import AS_IS
from tests.logs.log_case import LogCase
from tests.support.hurry import hurry

MISSING = re.compile(r"(\d+) lines? missing here: the log did not take them in time")


class Gate(logging.Handler):
    """Keeps what it is given, each line once the gate is open. Shared with the test."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = threading.Event()
        self.reached = threading.Event()
        self.lines: list[str] = []
        self.threads: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.threads.add(threading.current_thread().name)
        self.reached.set()
        self.opened.wait(60)
        self.lines.append(record.getMessage())


class GatedLog(Log):
    """A log behind a gate."""

    def __init__(self, target: logging.Logger, gate: Gate) -> None:
        super().__init__(target, [gate])
        self.gate = gate
        self.is_closed = False
        target.addHandler(gate)
        target.setLevel("INFO")

    def reopen(self) -> None:
        self.gate.lines.append("reopened")

    def close(self) -> None:
        self.is_closed = True


class Frozen:
    """What makes a line of text only while it may."""

    text = "before"

    def __str__(self) -> str:
        return self.text


class QueuedCase(LogCase):
    """A log behind a gate, on a thread of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.gate = Gate()
        self.gated = GatedLog(self.logger, self.gate)
        self.log = QueuedLog(self.gated)
        self.addCleanup(self.log._worker.join, 30)
        self.addCleanup(self.log.close)
        self.addCleanup(self.gate.opened.set)

    def hold(self) -> None:
        """Have the writer wait at the gate, with a line in its hands."""
        self.logger.info("first")
        self.assertTrue(self.gate.reached.wait(30))

    def written(self) -> list[str]:
        """Open the gate, end the log, and return all its lines."""
        self.gate.opened.set()
        self.log.close()
        self.assertTrue(self.gated.is_closed)
        return self.gate.lines


class TestTheQueue(QueuedCase):
    def test_lines_are_written_in_their_order_on_another_thread(self) -> None:
        self.hold()
        for number in range(100):
            self.logger.info("line %d", number)
        self.logger.debug("not this one")
        self.assertEqual(self.gate.lines, [])
        self.assertEqual(self.written(), ["first", *(f"line {n}" for n in range(100))])
        self.assertEqual(self.gate.threads, {"log"})

    def test_an_error_names_a_variable_and_not_its_value(self) -> None:
        self.log.variables.add("tcp://here:1", "$(circus.env.ENDPOINT)")
        self.logger.info("up at tcp://here:1")
        self.logger.error("cannot listen at tcp://here:1")
        self.logger.warning("risky: tcp://here:1", extra={AS_IS: True})
        said = ["up at tcp://here:1", "cannot listen at $(circus.env.ENDPOINT)"]
        self.assertEqual(self.written(), [*said, "risky: tcp://here:1"])

    def test_the_text_is_made_where_it_is_logged(self) -> None:
        self.hold()
        state = Frozen()
        self.logger.info("%s", state)
        self.logger.info("%d of %s", "two", "four")
        try:
            raise ValueError("why")
        except ValueError:
            self.logger.exception("trouble")
        state.text = "after"
        with mock.patch.object(self.gate, "emit", wraps=self.gate.emit) as emit:
            lines = self.written()
        self.assertEqual(lines[1], "before")
        self.assertIn("'%d of %s' with ('two', 'four')", lines[2])
        record = emit.call_args[0][0]
        self.assertIsNone(record.exc_info)
        self.assertIn("ValueError: why", logging.Formatter().format(record))

    def test_what_does_not_fit_is_counted_where_it_is_missing(self) -> None:
        self.hold()
        for number in range(LINES + 6):
            self.logger.info("%d", number)
        lines = self.written()
        self.assertEqual(lines[1:LINES], [str(number) for number in range(LINES - 1)])
        self.assertEqual([MISSING.fullmatch(line)[1] for line in lines[LINES:]], ["7"])  # type: ignore[index]

    def test_the_writer_waits_for_the_end_of_the_turn(self) -> None:
        self.gate.opened.set()
        loop = Loop(name="test loop")
        self.addCleanup(loop.close)
        self.log.give_way(loop)

        def turn() -> None:
            self.logger.info("inside")
            self.assertFalse(self.log._is_due)
            another = threading.Thread(target=self.logger.info, args=("by another thread",))
            another.start()
            another.join(30)
            self.assertTrue(self.gate.reached.wait(30))  # which does not wait for the turn

        loop.post(turn)
        loop.post(self.logger.info, "later in it")
        loop.post(loop.stop)
        loop.on_error = self.fail  # type: ignore[assignment]
        loop.run()
        self.logger.info("behind it")
        lines = ["inside", "by another thread", "later in it", "behind it"]
        self.assertEqual(self.written(), lines)

    def test_a_gap_in_the_middle(self) -> None:
        self.hold()
        for number in range(LINES):
            self.logger.info("%d", number)
        with self.log._lock:
            self.assertEqual(self.log._lost, 1)
            self.log._count -= 2  # as if some had been written
            self.logger.info("behind the gap")
            self.log._count += 2
        lines = self.written()
        self.assertRegex(lines[-2], MISSING)
        self.assertEqual(lines[-1], "behind the gap")

    def test_long_lines_are_few(self) -> None:
        self.hold()
        for _ in range(10):
            self.logger.info("x" * (TEXT // 4))
        lines = self.written()
        self.assertEqual(len(lines), 1 + 3 + 1)
        self.assertRegex(lines[-1], "^7 lines missing")

    def test_one_line_may_be_longer_than_all(self) -> None:
        self.gate.opened.set()
        self.logger.info("x" * (2 * TEXT))
        self.assertEqual([len(line) for line in self.written()], [2 * TEXT])

    def test_files_are_opened_anew_between_the_lines(self) -> None:
        self.hold()
        self.log.reopen()
        self.log.reopen()
        self.logger.info("second")
        calls: list[Any] = []
        self.log.after(lambda: calls.append(list(self.gate.lines)))
        self.logger.info("third")
        self.assertEqual(self.written(), ["first", "reopened", "second", "third"])
        self.assertEqual(calls, [["first", "reopened", "second"]])

    def test_an_output_that_raises(self) -> None:
        self.catch_stderr()
        with mock.patch.object(self.gate, "emit", side_effect=MemoryError("no memory")):
            self.logger.info("one")
            self.log._worker.do(self.gate.reached.set)
            self.assertTrue(self.gate.reached.wait(30))
        self.logger.info("two")
        self.assertEqual(self.written(), ["two"])
        self.assertEqual(self.text("stderr"), "cvec_circus: cannot write the log: no memory\n")

    def test_levels_of_handlers(self) -> None:
        self.gate.setLevel("WARNING")
        self.logger.info("one")
        self.logger.warning("two")
        self.assertEqual(self.written(), ["two"])


class TestTheEnd(QueuedCase):
    def test_it_does_not_wait_for_what_hangs(self) -> None:
        hurry(self, {"logs.queued.FLUSH_TIMEOUT": 0.3})
        self.catch_stderr()
        self.hold()
        for number in range(LINES + 10):
            self.logger.info("%d", number)
        began = SYSTEM.monotonic()
        with mock.patch("atexit.unregister") as unregister:
            self.log.close()
        self.assertGreater(SYSTEM.monotonic() - began, 0.3 * 0.9)
        self.assertLess(SYSTEM.monotonic() - began, FLUSH_TIMEOUT * 10)
        unregister.assert_called_once_with(logging.shutdown)
        expected = f"cvec_circus: {LINES + 11} lines of the log not written\n"
        self.assertEqual(self.text("stderr"), expected)
        self.assertFalse(self.gated.is_closed)
        self.logger.info("nobody hears this")
        self.gate.opened.set()

    def test_it_can_be_ended_twice(self) -> None:
        self.gate.opened.set()
        self.log.close()
        self.log.close()
        self.assertEqual(self.logger.handlers, [])

    def test_another_log_takes_its_place(self) -> None:
        self.gate.opened.set()
        self.logger.info("one")
        self.open(str(self.path()))
        self.logger.info("two")
        self.assertEqual(self.gate.lines, ["one"])
        self.assertIn("two", self.text())


class TestOutputs(LogCase):
    """Around the outputs that there are."""

    def queued(self, *args: Any, **options: Any) -> QueuedLog:
        log = QueuedLog(self.open(*args, **options))
        self.addCleanup(log.close)
        return log

    def test_a_file(self) -> None:
        path = self.path()
        log = self.queued(str(path))
        self.assertEqual((log.url, log.level), (str(path), "info"))
        fd = log.fileno()
        self.logger.info("one")
        log.reopen()
        log.close()
        self.assertRegex(self.text(), r"^\S+ \S+ cvec_circus_test\[\d+\] \[INFO\] one\n$")
        self.assertIsNotNone(fd)
        self.assertIsNone(log.fileno())

    def test_the_number_of_a_file_stays(self) -> None:
        path = self.path()
        log = self.open(str(path))
        fd = log.fileno()
        path.rename(self.path("moved"))
        log.reopen()
        self.assertEqual(log.fileno(), fd)
        self.assertEqual(Path(f"/proc/self/fd/{fd}").resolve(), path.resolve())

    def test_a_configuration(self) -> None:
        file = {"class": "logging.FileHandler", "filename": str(self.path()), "delay": True}
        config = {
            "version": 1,
            "handlers": {"file": file},
            "root": {"level": "INFO", "handlers": ["file"]},
        }
        log = self.queued(config=config)
        self.logger.info("one")
        moved = self.path("moved")
        log.after(lambda: self.path().rename(moved))
        log.reopen()
        self.logger.info("two")
        log.close()
        self.assertEqual((self.text("moved"), self.text()), ("one\n", "two\n"))

    def test_no_thread(self) -> None:
        log = self.open(str(self.path()))
        with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("none")):
            with self.assertRaisesRegex(exc.CircusError, "cannot write the log: none"):
                QueuedLog(log)
        self.logger.info("one")
        self.assertIn("one", self.text())


if __name__ == "__main__":
    unittest.main()
