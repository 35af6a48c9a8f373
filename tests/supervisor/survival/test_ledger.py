"""The ledger: what was put is read again, whatever happens to the file."""

from __future__ import annotations

import os
import random
import threading
import unittest
from pathlib import Path
from typing import Any

from cvec_circus.base.loop import Loop
from cvec_circus.supervisor.survival import ledger
from cvec_circus.supervisor.survival.bookkeeper import PAUSE, LedgerBookkeeper
from cvec_circus.supervisor.survival.ledger import Head, Ledger, LedgerError, line, read
from cvec_circus.system.statedir import StateDir
from tests.support.clock import FakeClock
from tests.support.daemon import folder

HEAD = Head(ledger.VERSION, "boot", 7, ["run"], 1)


class LedgerCase(unittest.TestCase):
    """A folder for ledgers; what a thread posts is done at once."""

    is_in_memory = True

    def setUp(self) -> None:
        self.folder = StateDir(str(folder(self) / "state"))
        self.folder.hold()
        self.folder.is_in_memory = self.is_in_memory
        self.addCleanup(self.folder.close)
        self.path = Path(self.folder.file(ledger.FILE))
        self.posted: list[Any] = []

    def post(self, fn: Any, *args: Any) -> None:
        """What the thread of the ledger posts."""
        self.posted.append((fn, args))

    def begin(self, entries: dict[str, Any] | None = None) -> Ledger:
        """Begin to write one."""
        made = Ledger(self.folder, HEAD, entries or {}, self.post)
        self.addCleanup(made.end, True)
        return made

    def entries(self) -> dict[str, Any]:
        """Read it as the next daemon does."""
        head, entries = read(self.folder)
        self.assertEqual(head, HEAD)
        return entries


class TestLedger(LedgerCase):
    def test_nothing(self) -> None:
        self.assertIsNone(read(self.folder))
        self.begin()
        self.assertEqual(self.entries(), {})
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)

    def test_what_was_put_and_dropped(self) -> None:
        odd = 'socket "ä\\"'
        made = self.begin({"kept 1": [1, "ä"], "gone 1": 1, odd: 1})
        made.drop(odd)
        made.flush()
        made.put(line("new 1", {"a": None}))
        made.drop("gone 1")
        made.drop("never there")
        self.assertEqual(self.entries(), {"kept 1": [1, "ä"], "gone 1": 1})
        made.flush()
        self.assertEqual(self.entries(), {"kept 1": [1, "ä"], "new 1": {"a": None}})

    def test_a_line_that_was_being_written(self) -> None:
        made = self.begin()
        for number in range(3):
            made.put(line(f"n {number}", "x" * number))
        made.flush()
        whole = self.path.read_bytes()
        for size in range(whole.index(b"\n") + 1, len(whole)):
            self.path.write_bytes(whole[:size])
            count = whole[:size].count(b"\n") - 1
            self.assertEqual(self.entries(), {f"n {n}": "x" * n for n in range(count)})

    def test_it_does_not_grow_without_end(self) -> None:
        made, chance = self.begin(), random.Random(1)
        wanted: dict[str, Any] = {}
        longest = 0
        for number in range(5000):
            key = f"key {chance.randrange(50)}"
            if chance.random() < 0.3:
                made.drop(key)
                wanted.pop(key, None)
            else:
                wanted[key] = [number, "x" * 50]
                made.put(line(key, wanted[key]))
            made.flush()
            longest = max(longest, self.path.stat().st_size)
            if number % 100 == 0:
                self.assertEqual(self.entries(), wanted)
        self.assertEqual(self.entries(), wanted)
        self.assertLess(longest, ledger.SLACK + 5 * 50 * 100)
        self.assertFalse(os.path.exists(self.folder.file(ledger.NEW_FILE)))

    def test_it_is_written_anew_from_the_file(self) -> None:
        odd = 'socket "ä\\"'
        made = self.begin({odd: 1, 'socket "ä': 2, "gone 1": 3})
        made.drop("gone 1")
        for number in range(20):
            made.put(line("long 1", [number, "x" * ledger.SLACK]))
            made.flush()
        wanted = {odd: 1, 'socket "ä': 2, "long 1": [19, "x" * ledger.SLACK]}
        self.assertEqual(made.entries(), wanted)
        self.assertEqual(self.entries(), wanted)
        self.assertLess(self.path.stat().st_size, 6 * ledger.SLACK)

    def test_one_that_others_have_written_to(self) -> None:
        made = self.begin({"a": 1})
        self.path.write_bytes(self.path.read_bytes().replace(b'["a', b"nons"))
        with self.assertLogs("cvec_circus") as log:
            made.put(line("b", "x" * 2 * ledger.SLACK))
            made.flush()
        self.assertFalse(made.is_on)
        self.assertIn("adoption is off", log.output[0])
        self.assertEqual(made.entries(), {})

    def test_a_full_disk_is_said_once(self) -> None:
        made = self.begin({"a": 1})
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, made._fd)
        os.close(full)
        with self.assertLogs("cvec_circus") as log:
            for _ in range(3):
                made.put(line("b", 1))
                made.flush()
        self.assertFalse(made.is_on)
        (text,) = log.output
        self.assertIn(f"{self.path}: No space left on device; adoption is off", text)
        self.assertIsNone(read(self.folder))
        self.assertTrue(os.path.exists(f"{self.path}.aside"))

    def test_the_end(self) -> None:
        made = self.begin()
        made.end(is_needed=True)
        made.end(is_needed=False)
        self.assertTrue(self.path.exists(), "only the first counts")
        self.begin().end(is_needed=False)
        self.assertFalse(self.path.exists())


class TestBadLedgers(LedgerCase):
    def assert_unusable(self, text: str) -> None:
        """It is not read, for that reason."""
        with self.assertRaises(LedgerError) as caught:
            read(self.folder)
        self.assertIn(text, str(caught.exception))

    def test_one_that_is_cut_in_its_first_line(self) -> None:
        self.begin()
        self.path.write_bytes(self.path.read_bytes()[:10])
        self.assert_unusable("its first line cannot be read")

    def test_one_of_another_version(self) -> None:
        self.path.write_text(line("ledger", {**HEAD._asdict(), "version": 99}))
        self.path.chmod(0o600)
        self.assert_unusable("it is of version 99, and this daemon reads 1")

    def test_other_fields(self) -> None:
        self.path.write_text(line("ledger", {"version": 1, "more": 2}))
        self.path.chmod(0o600)
        self.assert_unusable("its first line cannot be read")

    def test_nonsense_in_the_middle(self) -> None:
        made = self.begin({"a": 1})
        made.put("nonsense\n")
        made.put(line("c", 1))
        made.flush()
        self.assert_unusable("line 3 cannot be read")

    def test_nonsense_that_is_deep(self) -> None:
        deep = f'["c",{"[" * 100_000}{"]" * 100_000}]\n'
        self.begin()
        self.path.write_text(self.path.read_text() + deep)
        self.assert_unusable("line 2 cannot be read")
        self.path.write_text(deep)
        self.assert_unusable("its first line cannot be read")

    def test_one_that_others_may_write_to(self) -> None:
        self.begin()
        self.path.chmod(0o622)
        self.assert_unusable("others may write to it (mode 622)")

    def test_a_symbolic_link(self) -> None:
        self.begin()
        os.rename(self.path, f"{self.path}.other")
        self.path.symlink_to(f"{self.path}.other")
        self.assert_unusable("it is a symbolic link")

    def test_a_fifo(self) -> None:
        os.mkfifo(self.path, 0o600)
        self.assert_unusable("it is not a regular file")


class TestOnAThread(LedgerCase):
    """Where a write may hang, a thread of its own writes."""

    is_in_memory = False

    def test_it_is_written(self) -> None:
        made = self.begin()
        self.assertFalse(made.is_prompt)
        made.put(line("a", 1))
        self.assertEqual(made.entries(), {"a": 1})
        made.end(is_needed=True)
        self.assertEqual(self.entries(), {"a": 1})

    def test_it_gets_what_is_new_when_the_turn_is_over(self) -> None:
        made, clock, seen = self.begin(), FakeClock(), list[int]()
        loop = Loop(clock)
        self.addCleanup(loop.close)
        books = LedgerBookkeeper(made, loop)

        def turn(*names: str) -> None:
            books.loaded(names)
            books.flush()
            seen.append(len(made.pending))
            loop.stop()

        for names in ([], ["api"], ["web"]):
            loop.post(turn, *names)
            loop.run()
            seen.append(len(made.pending))
        self.assertEqual(seen, [1, 0, 1, 1, 2, 2])  # the first at once, the others soon
        clock.advance(PAUSE)
        loop.post(loop.stop)
        loop.run()
        self.assertEqual(made.pending, [])
        books.flush()
        books.end(is_needed=True)
        entries = self.entries()
        self.assertEqual(entries.pop("loaded"), ["web"])
        self.assertEqual(list(entries), ["at"])
        self.assertEqual(self.posted, [])  # that it was written wakes nobody

    def test_a_file_system_that_hangs(self) -> None:
        made, hangs = self.begin(), threading.Event()
        self.addCleanup(hangs.set)
        made._append = lambda lines: hangs.wait(30)  # type: ignore[method-assign,assignment]
        with self.assertLogs("cvec_circus") as log:
            for _ in range(3):
                made.put(line("a", "x" * ledger.MOST_UNWRITTEN))
                made.flush()
        self.assertFalse(made.is_on)
        (text,) = log.output
        self.assertIn("its file system hangs; adoption is off", text)
        hangs.set()


if __name__ == "__main__":
    unittest.main()
