"""The kinds of options about what survives the daemon."""

from __future__ import annotations

import re
from typing import Any, Union

from cvec_circus.base.patterns import regex
from cvec_circus.options.kinds import shown, to_boolean, to_text

STOP = "stop"

Adoption = Union[bool, str]
"""Whether processes of an earlier daemon are taken over: True, False, or STOP to stop them."""

_NAME = regex(r"[A-Za-z0-9_][\w.-]{0,63}", re.ASCII)


def to_adoption(value: Any) -> Adoption:
    """Return whether to adopt."""
    if isinstance(value, str) and value.strip().lower() == STOP:
        return STOP
    try:
        return to_boolean(value)
    except ValueError:
        raise ValueError(f"{shown(value)} is none of True, False and stop") from None


def to_state_name(value: Any) -> str:
    """Return a name that a folder can have."""
    text = to_text(value)
    if not _NAME.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a name of letters, digits, '_', '-' and '.'")
    return text
