"""Messages as programs for Circus make them by hand: mappings, or JSON."""

from __future__ import annotations

from typing import Any

from cvec_circus.base.clock import SYSTEM
from cvec_circus.wire import messages

NOT_SPECIFIED = 0
BAD_MSG_DATA_ERROR = 6


def make_message(command: str, **props: Any) -> dict[str, Any]:
    """Make a message for `CircusClient.call`, which adds an id. Any thread."""
    return {"command": command, "properties": props}


def cast_message(command: str, **props: Any) -> dict[str, Any]:
    """Make a message that gets no answer. Any thread."""
    return {"command": command, "msg_type": "cast", "properties": props}


def make_json(command: str, **props: Any) -> bytes:
    """Make a message as a frame of JSON. Any thread.

    Raises:
        TypeError: A property cannot be written as JSON.
    """
    return messages.encode(make_message(command, **props))


def ok(props: dict[str, Any] | None = None) -> dict[str, Any]:
    """Make a reply that reports success. Any thread."""
    return messages.ok(props or {}, SYSTEM.time())


def error(
    reason: str = "unknown", tb: str | None = None, errno: int = NOT_SPECIFIED
) -> dict[str, Any]:
    """Make a reply that reports a failure. Any thread."""
    return {**messages.error(reason, errno, SYSTEM.time()), "tb": tb}
