"""Looking for texts in blocks of output, wherever the blocks and the lines begin."""

from __future__ import annotations

import random
import unittest

from cvec_circus.stream.search import HEAD, Search, Sought


class SearchTest(unittest.TestCase):
    def setUp(self) -> None:
        self.found: list[str] = []

    def sought(self, **texts: bytes) -> Sought:
        return Sought(texts, self.found.append)

    def feed(self, *blocks: bytes, **texts: bytes) -> list[str]:
        self.found = []
        search = Search(self.sought(**texts))
        for block in blocks:
            search.feed(block)
        return self.found

    def test_in_one_block(self) -> None:
        self.assertEqual(self.feed(b"it is ready now\n", a=b"ready"), ["a"])
        self.assertEqual(self.feed(b"it is red\ny now\n", a=b"ready"), [])

    def test_each_once(self) -> None:
        search = Search(self.sought(a=b"one", b=b"two"))
        self.assertTrue(search.feed(b"one one\none\n"))
        self.assertFalse(search.feed(b"two\n"))
        self.assertFalse(search.feed(b"one two\n"))
        self.assertEqual(self.found, ["a", "b"])

    def test_two_outputs_of_one_process(self) -> None:
        sought = self.sought(a=b"one", b=b"two")
        out, err = Search(sought), Search(sought)
        out.feed(b"one")
        err.feed(b"one two")
        self.assertEqual(self.found, ["a", "b"])
        self.assertFalse(out.feed(b"x"))

    def test_half_of_it_in_each_output_is_nothing(self) -> None:
        sought = self.sought(a=b"ready")
        for search, block in ((Search(sought), b"rea"), (Search(sought), b"dy\n")):
            search.feed(block)
        self.assertEqual(self.found, [])

    def test_only_the_beginning_of_a_line(self) -> None:
        for size, found in ((HEAD - 5, ["a"]), (HEAD - 4, []), (HEAD, [])):
            line = b"x" * size + b"ready"
            self.assertEqual(self.feed(line + b"\n", a=b"ready"), found)
            self.assertEqual(self.feed(line[:100], line[100:], a=b"ready"), found)
            self.assertEqual(self.feed(line[:-2], line[-2:], a=b"ready"), found)
        self.assertEqual(self.feed(b"x" * 9000 + b"ready", b" ready\nready", a=b"ready"), ["a"])

    def test_however_it_is_cut(self) -> None:
        rng = random.Random(7)
        for _ in range(500):
            lines = [bytes(rng.choices(b"ab", k=rng.choice((0, 1, 3, 9)))) for _ in range(8)]
            text = bytes(rng.choices(b"ab", k=rng.randint(1, 5)))
            content, blocks = b"\n".join(lines), []
            while content:
                cut = rng.randint(1, 6)
                blocks.append(content[:cut])
                content = content[cut:]
            wanted = ["a"] if any(text in line for line in lines) else []
            self.assertEqual(self.feed(*blocks, a=text), wanted, (blocks, text))

    def test_a_long_line_costs_one_look(self) -> None:
        search = Search(self.sought(a=b"aab"))
        search.feed(b"x" * HEAD)
        for _ in range(200):
            search.feed(b"aab" * 20000)  # 12 MB; one look at each place took a minute
        self.assertEqual(self.found, [])
