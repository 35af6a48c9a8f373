"""The client's side of the wire: asking a daemon, and receiving its events."""

from __future__ import annotations

from typing import Any

from cvec_circus.client.client import CALL_TIMEOUT, TIMED_OUT, CircusClient, Client
from cvec_circus.client.connect import DEFAULT_ENDPOINT_DEALER

__all__ = ["CALL_TIMEOUT", "DEFAULT_ENDPOINT_DEALER", "TIMED_OUT", "CircusClient", "Client"]


def __getattr__(name: str) -> Any:
    """Find what programs for Circus import from here, on first use."""
    from cvec_circus.compat.paths import find

    return find(__name__, name)
