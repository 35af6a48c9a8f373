"""What needs what: what can be in a circle, and the way round."""

from __future__ import annotations

import unittest

from cvec_circus.options.needs import circle, entangled


class TestCircles(unittest.TestCase):
    def test_what_is_in_one_or_behind_one(self) -> None:
        needs = {"a": ["b"], "b": ["c", "d"], "c": ["b"], "d": [], "e": ["d", "x"], "f": ["f"]}
        self.assertEqual(entangled(needs), ["a", "b", "c", "f"])
        ways = {name: circle(name, lambda one: needs.get(one, ())) for name in entangled(needs)}
        self.assertEqual(
            ways, {"a": [], "b": ["b", "c", "b"], "c": ["c", "b", "c"], "f": ["f"] * 2}
        )

    def test_none_in_a_chain_a_fan_and_a_diamond(self) -> None:
        chain = {str(one): [str(one - 1)] for one in range(5000)}
        fan = {"db": [], **{str(one): ["db", "db"] for one in range(500)}}
        diamond = {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}
        for needs in (chain, fan, diamond):
            self.assertEqual(entangled(needs), [])


if __name__ == "__main__":
    unittest.main()
