"""Random histories: whatever is ordered and whatever happens, the core ends where it was sent."""

from __future__ import annotations

import os
import unittest

from tests.support.history import History

HISTORIES = int(os.environ.get("CVEC_CIRCUS_FUZZ_HISTORIES", "500"))
FIRST_SEED = int(os.environ.get("CVEC_CIRCUS_FUZZ_SEED", "1"))


def play(seed: int) -> None:
    """One history, to its end; two of three come to rest in fair weather before that."""
    history = History(seed)
    try:
        history.play(30)
        foul = seed % 3 == 0
        if not foul:
            history.end()
        history.shut_down(foul)
    except Exception as error:
        story = "\n".join(history.log)
        raise AssertionError(f"seed {seed}:\n{story}\n{error!r}") from error


class TestRandomHistories(unittest.TestCase):
    """A failing seed prints its history; CVEC_CIRCUS_FUZZ_SEED and _HISTORIES choose others."""

    def test_random_histories(self) -> None:
        for seed in range(FIRST_SEED, FIRST_SEED + HISTORIES):
            play(seed)


if __name__ == "__main__":
    unittest.main()
