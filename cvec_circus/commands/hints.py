"""Guess what somebody meant to type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def hint(word: str, words: Iterable[str]) -> str:
    """Make the end of a sentence that suggests the nearest of `words`; "" when none is near."""
    near = difflib.get_close_matches(word[:60].lower(), list(words), n=1)
    return f", did you mean {near[0]}?" if near else ""
