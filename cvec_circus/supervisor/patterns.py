"""Patterns for the names of watchers, as clients give them.

A search for a regular expression holds the interpreter until it is over, and with repeats in each
other that may be never: ``(a+)+$`` takes twice as long for each letter of a name. So repeats are
bounded: with three of them, a name of 200 characters takes some milliseconds.
"""

from __future__ import annotations

import fnmatch
import re

from cvec_circus.exc import MessageError

LONGEST = 1000
MOST_REPEATS = 3

# None of these is compiled before a client gives a pattern.
#: What stands for one character.
_ATOM = r"(?s)\\.|\[\^?\]?(?:\\.|[^\]\\])*\]"
#: A repeat that takes as little as it can, or gives nothing back.
_MODIFIED = r"([*+?}])[?+]"
_GROUP_REPEATED = r"\)[*+{]"


def compile(pattern: str, match: str) -> re.Pattern[str]:
    """Compile a pattern that a client gave; `match` is "glob" or "regex". Safe from any thread.

    Raises:
        MessageError: It is no regular expression, or a search for it might take too long.
    """
    if len(pattern) > LONGEST:
        raise MessageError(f"{pattern[:60]!r}... is longer than {LONGEST} characters")
    if match == "glob":
        return re.compile(fnmatch.translate(pattern), re.IGNORECASE)
    bare = re.sub(_MODIFIED, r"\1", re.sub(_ATOM, "x", pattern).replace("(?", "("))
    if re.search(_GROUP_REPEATED, bare) or sum(map(bare.count, "*+?{")) > MOST_REPEATS:
        raise MessageError(
            f"{pattern!r} might be searched for ever: "
            f"use {MOST_REPEATS} repeats at most, and none of a group"
        )
    try:
        return re.compile(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise MessageError(f"{pattern!r} is not a regular expression: {error}") from None
