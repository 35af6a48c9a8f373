"""Terminals: whether there is one, whether it takes colours, and the colours of names."""

from __future__ import annotations

import os
from collections.abc import Mapping

PALETTE = ("36", "33", "32", "35", "34", "31")
"""Colours that are read on a dark and on a light ground."""


def takes_colours(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the terminal knows colours, and NO_COLOR is not set to anything."""
    return not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"


class Colours:
    """A colour for each name, in the order in which they appear. Owned by the thread that made it.

    Args:
        is_on: Whether there are colours.
    """

    def __init__(self, is_on: bool) -> None:
        self._is_on = is_on
        self._given: dict[str, str] = {}

    def paint(self, name: str, text: str) -> str:
        """Return a text in the colour of a name."""
        if not self._is_on:
            return text
        colour = self._given.setdefault(name, PALETTE[len(self._given) % len(PALETTE)])
        return f"\x1b[{colour}m{text}\x1b[0m"
