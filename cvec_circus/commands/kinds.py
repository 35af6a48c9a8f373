"""Kinds of properties that only commands have; the others are in `options.kinds`.

Each converts what JSON or a command line gave, or raises ValueError with a sentence that leaves
the property's name out.
"""

from __future__ import annotations

from typing import Any

from cvec_circus.base.patterns import regex
from cvec_circus.exc import MessageError
from cvec_circus.options.kinds import shown, to_boolean, to_integer, to_text
from cvec_circus.wire.topics import why_no_name

_UNPRINTABLE = regex("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What is no part of a line: control characters, line separators, half surrogates."""

_MARKER = regex(r"[A-Za-z0-9_-]{1,64}")
_PLACE = regex("[0-9a-f]{1,32}:[0-9]{1,20}")
MAX_REASON = 500

MATCH_METHODS = ("glob", "simple", "regex")

SIGNALS = ("HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "TERM", "CONT", "STOP", "WINCH")
"""Those that people send, for completion."""

PROVED = "proved"
"""The value of `waiting` that waits for the proof as well: see `core.proof`."""
MOST_NAMES = 1000


def to_new_name(value: Any) -> str:
    """Take the name of a new watcher."""
    name = to_text(value)
    if reason := why_no_name(name):
        raise ValueError(reason)
    return name


def to_reason(value: Any) -> str:
    """Take the reason for an order; it goes into events and the log, so it becomes one line."""
    reason = " ".join(_UNPRINTABLE.sub(" ", to_text(value)).split())
    if len(reason) > MAX_REASON:
        raise ValueError(f"{shown(reason)} is longer than {MAX_REASON} characters")
    return reason


def to_match_method(value: Any) -> str:
    """Take a way of matching names; refuse others in the words of Circus."""
    if value in MATCH_METHODS:
        return str(value)
    given = value[:60] if type(value) is str and value.strip() else shown(value)
    raise MessageError(f"unknown match method {given}")


def to_waiting(value: Any) -> bool | str:
    """Take whether to wait for the end of an order: a boolean, or "proved"."""
    if value == PROVED:
        return PROVED
    try:
        return to_boolean(value)
    except ValueError:
        raise ValueError(f'{shown(value)} is neither true nor false nor "{PROVED}"') from None


def to_marker(value: Any) -> str:
    """Take a word that can be part of a topic."""
    if isinstance(value, str) and _MARKER.fullmatch(value):
        return value
    raise ValueError(f"{shown(value)} is not a word of 1 to 64 letters, digits, - and _")


def to_watcher(value: Any) -> str:
    """Take a watcher's name or pattern: an empty one is a variable that a script has not set."""
    name = to_text(value)
    if not name.strip():
        raise ValueError(f"{shown(name)} is not a name")
    return name


def to_watchers(value: Any) -> str | list[str]:
    """Take a watcher's name or pattern, or a list of them; an empty one must not mean all."""
    if not isinstance(value, (list, tuple)):
        return to_watcher(value)
    if not value:
        raise ValueError("an empty list names no watcher")
    if len(value) > MOST_NAMES:
        raise ValueError(f"{len(value)} names are more than {MOST_NAMES}")
    return [to_watcher(name) for name in value]


def to_path(value: Any) -> str:
    """Take the path of a file."""
    path = to_text(value)
    if not path:
        raise ValueError("'' is not a path")
    return path


def to_place(value: Any) -> int | str:
    """Take the place that an answer of `logs` has as `next`: of one output a number, of several a
    text."""
    if isinstance(value, str) and _PLACE.fullmatch(value):
        return value
    return to_integer(value, 0)


def to_names(value: Any) -> list[str]:
    """Take a list of texts; a lone text is a list of one."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return [to_text(name) for name in values]
