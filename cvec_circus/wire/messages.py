"""Messages between the daemon and its clients: one JSON object in one frame, with its limits.

A request is ``{"id", "command", "properties"}``, and ``"msg_type": "cast"`` when nobody waits for
an answer. A reply is ``{"status", "time", ..., "id"}``. Whoever decodes a frame may be looking at
anything at all, so decoding is bounded: no NaN, no number that a float or 64 bits cannot hold, no
key twice in one object, no nesting deeper than `MAX_DEPTH`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from cvec_circus.exc import MessageError

#: Bytes that one request may have; more is answered with an error.
MAX_FRAME = 1024 * 1024
#: Bytes above which the daemon drops the connection without reading the frame.
DROP_FRAME = 16 * MAX_FRAME
#: How deep objects and lists may stand in each other.
MAX_DEPTH = 64
#: Values that a request may have: a mebibyte of ``{},{}`` takes a second to decode.
MAX_VALUES = 20_000

NOT_SPECIFIED = 0
INVALID_JSON = 1
UNKNOWN_COMMAND = 2
BAD_MESSAGE = 3
OS_ERROR = 4
COMMAND_FAILED = 5
BAD_DATA = 6

#: The longest number that is read: 64 bits have 20 digits with their sign.
_MAX_DIGITS = 20
_INFINITY = float("inf")
#: A text of JSON; one without an end goes to the end of all, so that nothing is searched twice.
_TEXT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?')


def new_id() -> str:
    """Make up the id of a message: 128 random bits, as hexadecimal text."""
    return os.urandom(16).hex()


def call(command: str, properties: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Make a request that is answered.

    Args:
        command: The command's name, as in the command table.
        properties: What the command takes; None means nothing.

    Returns:
        The message, with an id of its own by which its reply is known.
    """
    return {"id": new_id(), "command": command, "properties": dict(properties or {})}


def cast(command: str, properties: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Make a request that gets no answer; the arguments are those of `call`."""
    return {**call(command, properties), "msg_type": "cast"}


def ok(fields: Mapping[str, Any], time: float) -> dict[str, Any]:
    """Make a reply that reports success.

    Args:
        fields: What the command answers; a ``status`` among them stands instead of "ok".
        time: The wall clock in seconds.
    """
    return {"status": "ok", "time": time, **fields}


def error(reason: str, errno: int, time: float) -> dict[str, Any]:
    """Make a reply that reports a failure.

    Args:
        reason: A sentence for people.
        errno: One of this module's error numbers.
        time: The wall clock in seconds.
    """
    return {"status": "error", "reason": reason, "tb": None, "time": time, "errno": errno}


def encode(message: Mapping[str, Any]) -> bytes:
    """Turn a message into a frame.

    Raises:
        ValueError: A value in it has no JSON form (NaN among them).
        TypeError: The same, for a type that JSON does not know.
    """
    return _ENCODER.encode(message).encode("ascii")


def decode(frame: bytes, most: int | None = None) -> dict[str, Any]:
    """Turn a frame that may hold anything into a message.

    Args:
        frame: The frame.
        most: How many values it may have; None for any number.

    Raises:
        MessageError: With `INVALID_JSON` for what is no JSON within the limits of this module,
            with `BAD_MESSAGE` for JSON that is not an object.
    """
    try:
        text = frame.decode("utf-8")
        if most is not None and _values(text) > most and _values(_TEXT.sub("", text)) > most:
            raise _Limit(f"more than {most} values")
        message = _DECODER.decode(text)
    except _Limit as limit:
        raise MessageError(f"json invalid: {limit}", INVALID_JSON) from None
    except (ValueError, RecursionError):
        raise MessageError("json invalid", INVALID_JSON) from None
    if not isinstance(message, dict):
        raise MessageError("message invalid: not an object", BAD_MESSAGE)
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth_exceeds(message, MAX_DEPTH):
        raise MessageError("json invalid: nested too deep", INVALID_JSON)
    return message


def _values(text: str) -> int:
    """Count the values of JSON, with what looks so within its texts; it may be no JSON."""
    return text.count(",") + text.count("[") + text.count("{")


class _Limit(Exception):  # noqa: N818 - never leaves this module
    """Immutable. Says which limit a text goes beyond; no ValueError, so that json passes it on."""


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise _Limit("a number is out of range")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if number in (_INFINITY, -_INFINITY):
        raise _Limit("a number is out of range")
    return number


def _constant(name: str) -> NoReturn:
    raise _Limit(f"{name} is not a number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Limit(f"{twice[:80]!r} stands twice in one object")
    return result


def _depth_exceeds(value: Any, limit: int) -> bool:
    """Tell whether containers stand in each other deeper than `limit`, without recursion."""
    level = [value]
    for _ in range(limit + 1):
        inner: list[Any] = []
        for container in level:
            members = container.values() if isinstance(container, dict) else container
            inner.extend(member for member in members if isinstance(member, (dict, list)))
        if not inner:
            return False
        level = inner
    return True


_ENCODER = json.JSONEncoder(allow_nan=False, check_circular=False)
_DECODER = json.JSONDecoder(
    parse_int=_integer,
    parse_float=_float,
    parse_constant=_constant,
    object_pairs_hook=_object,
)
