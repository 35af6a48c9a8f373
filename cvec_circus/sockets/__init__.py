"""Listening sockets that the daemon opens once and its children accept on."""

from __future__ import annotations

from typing import Any

__all__ = ["CircusSocket"]


def __getattr__(name: str) -> Any:
    """Find what programs import from here, on first use."""
    if name != "CircusSocket":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cvec_circus.sockets.managed import CircusSocket

    return CircusSocket
