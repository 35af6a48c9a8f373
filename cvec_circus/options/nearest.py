"""The hint after an unknown name: which known one was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

LONGEST_WORD = 64
"""Characters of a word that are compared and remembered: any client can send one."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean WORD?" for the known word nearest to an unknown one, or "".

    Args:
        word: The unknown name.
        known: The known names.
    """
    nearest = nearest_to(word[:LONGEST_WORD], frozenset(known))
    return f"; did you mean {nearest}?" if nearest else ""


@lru_cache(maxsize=256)
def nearest_to(word: str, known: frozenset[str]) -> str:
    """Return the known word nearest to an unknown one, or "" if none is near.

    A word of the same letters in another order comes first: fingers exchange them. The result is
    cached, because a thousand sections often have the same key.
    """
    word = word.lower()
    for each in sorted(known):
        if sorted(each.lower()) == sorted(word):
            return each
    # Most daemons and command lines never need it, and it takes as long to import as all our
    # tables of options.
    import difflib

    matches = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.75)
    return matches[0] if matches else ""
