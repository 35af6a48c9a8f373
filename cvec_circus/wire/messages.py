"""Messages between the daemon and its clients: one JSON object in one frame, with its limits.

A request is ``{"id", "command", "properties"}``, with ``"msg_type": "cast"`` if it wants no answer.
A reply is ``{"status", "time", ..., "id"}``. A frame may contain anything, so decoding is bounded:
no NaN, no number that a float or 64 bits cannot hold, no key twice in one object, no nesting deeper
than `MAX_DEPTH`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NoReturn

from cvec_circus.base.patterns import regex
from cvec_circus.exc import MessageError

#: Bytes of one request; more is answered with an error.
MAX_FRAME = 1024 * 1024
#: Bytes above which the daemon drops the connection without reading the frame.
DROP_FRAME = 16 * MAX_FRAME
#: How deeply objects and lists may be nested.
MAX_DEPTH = 64
#: Values of one request: a mebibyte of ``{},{}`` takes a second to decode.
MAX_VALUES = 20_000

INVALID_JSON = 1
UNKNOWN_COMMAND = 2
BAD_MESSAGE = 3
OS_ERROR = 4
COMMAND_FAILED = 5

#: Digits of the longest integer: 64 bits have 20 with their sign.
_MAX_DIGITS = 20
_INFINITY = float("inf")
#: A string of JSON; an unterminated one extends to the end, so that nothing is searched twice.
_TEXT = regex(r'"[^"\\]*(?:\\.[^"\\]*)*"?')


def new_id() -> str:
    """Return an id for a message: 128 random bits, in hexadecimal."""
    return os.urandom(16).hex()


def call(command: str, properties: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Make a request that is answered, with a new id that its reply repeats."""
    return {"id": new_id(), "command": command, "properties": dict(properties or {})}


def cast(command: str, properties: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Make a request that gets no answer; see `call`.

    Raises:
        TypeError: The command is no text, which no reply could say.
    """
    if not isinstance(command, str):
        raise TypeError(f"cast takes the name of a command, not {type(command).__name__}")
    return {**call(command, properties), "msg_type": "cast"}


def ok(fields: Mapping[str, Any], time: float) -> dict[str, Any]:
    """Make a reply that reports success; a ``status`` among the fields replaces "ok"."""
    return {"status": "ok", "time": time, **fields}


def error(reason: str, errno: int, time: float) -> dict[str, Any]:
    """Make a reply that reports a failure: a sentence, and an error number of this module."""
    return {"status": "error", "reason": reason, "tb": None, "time": time, "errno": errno}


def encode(message: Mapping[str, Any]) -> bytes:
    """Encode a message; ValueError or TypeError if JSON cannot express a value, such as NaN."""
    return _ENCODER.encode(message).encode("ascii")


def decode(frame: bytes, most: int | None = None) -> dict[str, Any]:
    """Decode a frame that may contain anything; `most` limits its values.

    Raises:
        MessageError: With `INVALID_JSON` if it is not JSON within the limits of this module, with
            `BAD_MESSAGE` if it is not an object.
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
    """Count the values of JSON, and lookalikes inside strings; it may not be JSON."""
    return text.count(",") + text.count("[") + text.count("{")


class _Limit(Exception):  # noqa: N818 - never leaves this module
    """Which limit a text exceeds. Immutable. Not a ValueError, so that json does not catch it."""


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
        raise _Limit(f"{twice[:80]!r} occurs twice in one object")
    return result


def _depth_exceeds(value: Any, limit: int) -> bool:
    """Return whether containers are nested deeper than `limit`, without recursion."""
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
