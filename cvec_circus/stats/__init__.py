"""Statistics: the process that measures all others and publishes the results, and its clients."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Import names for Circus programs on first use."""
    from cvec_circus.compat.paths import find

    return find(__name__, name)
