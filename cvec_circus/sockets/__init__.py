"""Listening sockets that the daemon opens once and its children accept on."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Import the public names on first use."""
    from cvec_circus.compat.paths import find

    return find(__name__, name)
