"""The children's output: pump threads read it, streams write it."""

from __future__ import annotations

from typing import Any

from cvec_circus.options.stream_classes import STREAM_CLASSES

ELSEWHERE = ("Empty", "Queue", "Redirector", "resolve_name", "to_str")

__all__ = [*STREAM_CLASSES, *ELSEWHERE, "get_stream"]


def __getattr__(name: str) -> Any:
    """Import the names that programs for Circus use when they are first used."""
    if name in ELSEWHERE:
        from cvec_circus.compat.paths import find

        return find(__name__, name)
    if name not in __all__:  # every program here imports a module first
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cvec_circus.stream import base

    return base.get_stream if name == "get_stream" else base.load(name)
