"""The client's side of the wire: asking a daemon, and receiving its events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus.client.calls import CALL_TIMEOUT as CALL_TIMEOUT
from cvec_circus.client.calls import TIMED_OUT as TIMED_OUT
from cvec_circus.client.endpoints import DEFAULT_ENDPOINT_DEALER as DEFAULT_ENDPOINT_DEALER

if TYPE_CHECKING:
    from cvec_circus.client.client import CircusClient as CircusClient
    from cvec_circus.client.client import Client as Client


def __getattr__(name: str) -> Any:
    """Import the clients, which load libzmq, and names for Circus programs on first use."""
    if name in ("CircusClient", "Client"):
        from cvec_circus.client.client import CircusClient, Client

        globals().update(CircusClient=CircusClient, Client=Client)
        return globals()[name]
    from cvec_circus.compat.paths import find

    return find(__name__, name)
