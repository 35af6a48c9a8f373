"""Configuration: from files or mappings to typed options. The tour begins in `build.py`."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Find what programs for Circus import from here, on first use."""
    from cvec_circus.compat.paths import find

    return find(__name__, name)
