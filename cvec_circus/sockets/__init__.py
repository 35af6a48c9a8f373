"""Listening sockets that the daemon opens once and its children accept on."""

from __future__ import annotations

from typing import Any

__all__ = ["CircusSocket", "CircusSockets"]


def __getattr__(name: str) -> Any:
    """Find what programs import from here, on first use."""
    if name == "CircusSocket":
        from cvec_circus.sockets.managed import CircusSocket

        return CircusSocket
    if name == "CircusSockets":
        from cvec_circus.sockets.named import CircusSockets

        return CircusSockets
    from cvec_circus.compat.paths import find

    return find(__name__, name)
