"""The client's side of the wire: asking a daemon, and receiving its events."""

from __future__ import annotations

from typing import Any

from cvec_circus.client.client import CALL_TIMEOUT as CALL_TIMEOUT
from cvec_circus.client.client import TIMED_OUT as TIMED_OUT
from cvec_circus.client.client import CircusClient as CircusClient
from cvec_circus.client.client import Client as Client
from cvec_circus.client.connect import DEFAULT_ENDPOINT_DEALER as DEFAULT_ENDPOINT_DEALER


def __getattr__(name: str) -> Any:
    """Find what programs for Circus import from here, on first use."""
    from cvec_circus.compat.paths import find

    return find(__name__, name)
