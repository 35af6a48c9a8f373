"""What was written last."""

import random
import threading
import tracemalloc
import unittest

from cvec_circus.stream.history import LARGE, LONGEST_LINE, PAGE, History
from cvec_circus.system.handover import VARIABLE, Handover, receive
from tests.support.clock import FakeClock


class HistoryTest(unittest.TestCase):
    def setUp(self) -> None:
        self.clock = FakeClock()
        self.history = History(64 * 1024, self.clock)

    def write(self, block: bytes, pid: int = 1) -> None:
        self.history.append(block, pid)

    def last(self, count: int = 1000) -> list:
        return [line.text for line in self.history.last(count)[1]]

    def after(self, place: int) -> tuple:
        missed, end, lines = self.history.after(place)
        return missed, end, [line.text for line in lines if line.has_end]

    def test_nothing(self) -> None:
        self.assertEqual(self.history.last(5), (0, []))
        self.assertEqual(self.after(0), (0, 0, []))
        self.assertEqual(self.after(7), (0, 0, []))

    def test_another_one_goes_on(self) -> None:
        for number in range(300):
            self.write(b"%d of one\n" % number)
            self.clock.advance(0.5)
        self.write(b"x" * LARGE + b"\nhalf ", 2)
        out = Handover()
        fd = out.write({"state": self.history.hand_over(out)})
        inherited = receive({VARIABLE: str(fd)})
        assert inherited is not None
        other = History(64 * 1024, self.clock)
        other.take_over(inherited, inherited.document["state"])
        for history in (self.history, other):
            history.append(b"a line\n", 2, 1)
        for place in (0, 1000, self.history.end - 20):
            before, after = (one.after(place) for one in (self.history, other))
            self.assertEqual(before[:2], after[:2])
            for one, two in zip(before[2], after[2]):
                self.assertEqual(one._replace(number=0), two._replace(number=0))
        self.assertEqual(other.last(1)[1][0].text, b"half a line")

    def test_lines_with_time_and_pid(self) -> None:
        self.write(b"one\ntw")
        self.clock.advance(5)
        self.write(b"other\n", 2)
        self.write(b"o\nthree\n")
        _, lines = self.history.last(9)
        began = self.clock.time() - 5
        self.assertEqual([line.text for line in lines], [b"one", b"other", b"two", b"three"])
        self.assertEqual([line.pid for line in lines], [1, 2, 1, 1])
        self.assertEqual([line.at - began for line in lines], [0, 5, 0, 5])
        self.assertEqual([line.end for line in lines], [4, 12, 14, 20])
        self.assertFalse(any(line.is_cut for line in lines))

    def test_the_last_ones(self) -> None:
        self.write(b"".join(b"%d\n" % number for number in range(5000)))
        self.write(b"prompt: ")
        end, lines = self.history.last(3)
        self.assertEqual([line.text for line in lines], [b"4998", b"4999", b"prompt: "])
        self.assertEqual([line.has_end for line in lines], [True, True, False])
        self.assertEqual(self.history.last(0), (end, []))

    def test_a_line_whose_process_has_ended_has_an_end(self) -> None:
        self.write(b"first\nlast words")
        self.history.finish(1)
        self.history.finish(1)
        self.history.finish(2)
        self.assertEqual(self.after(0), (0, 17, [b"first", b"last words"]))
        self.write(b"of another one\n")
        self.assertEqual(self.last(1), [b"of another one"])

    def test_what_comes_after_a_place(self) -> None:
        self.write(b"one\ntwo")
        _, end, texts = self.after(0)
        self.assertEqual((end, texts), (7, [b"one"]))
        self.write(b"more", 2)
        self.assertEqual(self.after(7), (0, 11, []))
        self.write(b"!\nthree\n")
        self.assertEqual(self.after(11), (0, 19, [b"two!", b"three"]))
        self.assertEqual(self.after(13), (0, 19, [b"three"]))
        self.assertEqual(self.after(19), (0, 19, []))
        self.assertEqual(self.after(20), (0, 19, [b"one", b"two!", b"three"]))

    def test_what_is_gone_is_counted(self) -> None:
        written = 0
        for _ in range(9000):
            self.write(b"%09d\n" % written)
            written += 10
        missed, end, texts = self.after(0)
        self.assertEqual(missed + 10 * len(texts), written)
        self.assertEqual(end, written)
        self.assertEqual(texts[0], b"%09d" % missed)
        self.assertEqual(self.after(10)[0], missed - 10)
        self.assertEqual(self.after(missed)[0], 0)

    def test_a_line_whose_beginning_is_gone(self) -> None:
        self.write(b"begun")
        self.write(b"x" * 2 * PAGE + b"\n", 2)
        self.write(b"a\n" * 65536, 2)
        self.write(b" long ago\nthe next\n")
        _, lines = self.history.last(2)
        self.assertEqual([line.text for line in lines], [b" long ago", b"the next"])
        self.assertEqual([line.is_cut for line in lines], [True, False])

    def test_a_line_that_is_too_long(self) -> None:
        for _ in range(10):
            self.write(b"x" * PAGE)
        self.write(b"end\n")
        [line] = self.history.last(5)[1]
        self.assertEqual((len(line.text), line.text[-3:]), (LONGEST_LINE, b"end"))
        self.assertTrue(line.is_cut)

    def test_memory_is_what_was_written_up_to_the_limit(self) -> None:
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        histories = [History(64 * 1024, self.clock) for _ in range(1000)]
        self.assertLess(tracemalloc.get_traced_memory()[0], 700_000)
        for history in histories:
            history.append(b"a line of a hundred bytes".ljust(100, b".") + b"\n", 1)
        self.assertLess(tracemalloc.get_traced_memory()[0], 2_200_000)
        before = tracemalloc.get_traced_memory()[0]
        history = histories[0]
        for size in (1, 30, PAGE, LARGE - 1, LARGE, 65536):
            for number in range(min(300_000 // size + 1, 20_000)):
                history.append(b"x" * size, number % 2)
            self.assertLess(tracemalloc.get_traced_memory()[0] - before, 3 * 65536)

    def test_a_limit_that_changes(self) -> None:
        for _ in range(100):
            self.write(b"x\n" * 200)
        self.history.limit = 100
        self.write(b"y" * PAGE + b"\n")
        self.write(b"y\n")
        self.assertEqual(set(self.last()), {b"y" * PAGE, b"y"})

    def test_blocks_cut_anywhere(self) -> None:
        # Whatever the blocks are, what is there is what was written last, in order.
        for seed in range(60):
            chance = random.Random(seed)
            self.history = History(chance.choice((500, 5000, 10**6)), self.clock)
            wanted: list = []
            parts = {1: b"", 2: b""}
            place, seen = 0, []
            for _ in range(chance.randrange(1, 200)):
                pid = chance.choice((1, 2))
                size = chance.choice((1, 3, 40, 700))
                block = bytes(chance.choice(b"ab\n") for _ in range(size))
                self.write(block, pid)
                *lines, parts[pid] = (parts[pid] + block).split(b"\n")
                wanted += lines
                if chance.random() < 0.1:
                    missed, place, texts = self.after(place)
                    seen += [b"?"] * bool(missed) + texts
            missed, place, texts = self.after(place)
            seen += [b"?"] * bool(missed) + texts
            with self.subTest(seed):
                if b"?" not in seen:
                    self.assertEqual(seen, wanted)
                else:
                    self.assertLess(self.history.limit, 10**6)
                lines_left = [line for line in self.history.after(0)[2] if line.has_end]
                whole = [line.text for line in lines_left if not line.is_cut]
                self.assertEqual(whole[-5:], wanted[len(wanted) - len(whole[-5:]) :])
                count = chance.randrange(1, 9)
                tail = [line.text for line in self.history.last(count)[1] if line.has_end]
                self.assertEqual(tail, wanted[len(wanted) - len(tail) :])

    def test_whoever_waits_is_told_once(self) -> None:
        told: list = []
        self.history.when_beyond(0, lambda: told.append("first"))
        self.assertEqual(told, [])
        self.write(b"x")
        self.write(b"y")
        self.assertEqual(told, ["first"])
        self.history.when_beyond(1, lambda: told.append("at once"))
        self.assertEqual(told, ["first", "at once"])

    def test_many_threads(self) -> None:
        def write(pid: int) -> None:
            for number in range(500):
                self.write(b"%d %d\n" % (pid, number), pid)

        self.history.limit = 10**7
        threads = [threading.Thread(target=write, args=[pid]) for pid in range(4)]
        for thread in threads:
            thread.start()
        place, seen = 0, []
        while any(thread.is_alive() for thread in threads):
            missed, place, texts = self.after(place)
            self.assertEqual(missed, 0)
            seen += texts
        seen += self.after(place)[2]
        for pid in range(4):
            mine = [text for text in seen if text.startswith(b"%d " % pid)]
            self.assertEqual(mine, [b"%d %d" % (pid, number) for number in range(500)])
