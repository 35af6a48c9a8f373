"""Which known word was probably meant."""

from __future__ import annotations

import unittest

from cvec_circus.options.nearest import did_you_mean, nearest_to
from cvec_circus.options.watcher import WATCHER_OPTIONS


class TestNearest(unittest.TestCase):
    def test_near_ones(self) -> None:
        known = frozenset({"numprocesses", "port", "proto", "web"})
        self.assertEqual(nearest_to("numproceses", known), "numprocesses")
        self.assertEqual(nearest_to("NUMPROCESSES", known), "numprocesses")
        self.assertEqual(nearest_to("zork", known), "")
        self.assertEqual(nearest_to("", known), "")

    def test_the_same_letters_come_first(self) -> None:
        known = frozenset({"port", "proto", "Web"})
        self.assertEqual(nearest_to("prot", known), "port")
        self.assertEqual(nearest_to("wbe", known), "Web")

    def test_the_hint(self) -> None:
        self.assertEqual(did_you_mean("prot", ["port"]), "; did you mean port?")
        for word in ("zork", "", "x" * 10**6):
            self.assertEqual(did_you_mean(word, ["port"]), "")

    def test_the_options_of_a_watcher(self) -> None:
        self.assertEqual(WATCHER_OPTIONS.near("signleton"), "; did you mean singleton?")
        self.assertEqual(WATCHER_OPTIONS.near("NumProcesses"), "; did you mean numprocesses?")
        self.assertEqual(WATCHER_OPTIONS.near("command"), "; did you mean cmd?")
        self.assertEqual(WATCHER_OPTIONS.near("colour"), "")


if __name__ == "__main__":
    unittest.main()
