"""Common to all ways to ask a daemon: the timeout, and the frame of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus import exc
from cvec_circus.wire import messages

TIMED_OUT = "Timed out."
"""The text of a call's error that programs compare with."""

CALL_TIMEOUT = 5.0
"""Seconds that a call waits for its reply by default."""


def frame(message: Mapping[str, Any]) -> bytes:
    """Encode a message, and refuse one that the daemon would refuse.

    Raises:
        CallError: The daemon would refuse it.
    """
    try:
        encoded = messages.encode(message)
        if len(encoded) > messages.MAX_FRAME:
            raise ValueError(f"{len(encoded)} bytes are more than {messages.MAX_FRAME}")
        messages.decode(encoded)  # a refusal without an id matches no call
    except (ValueError, TypeError, RecursionError, exc.MessageError) as error:
        raise exc.CallError(f"This cannot be sent: {error}.") from None
    return encoded


def reply_of(content: bytes) -> dict[str, Any]:
    """Decode a reply.

    Raises:
        CallError: It cannot be read.
    """
    try:
        return messages.decode(content)
    except exc.MessageError as error:
        raise exc.CallError(f"The reply cannot be read: {error}.") from None
