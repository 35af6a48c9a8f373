"""Plugins: programs beside the daemon that receive its events and send it commands.

`CircusPlugin` is their base class; the built-in plugins stand beside it.
"""

from __future__ import annotations

from typing import Any

from cvec_circus.runtime.loop import AsyncPeriodicCallback, PeriodicCallback, PluginLoop, Timer
from cvec_circus.runtime.plugin import CircusPlugin

__all__ = ["AsyncPeriodicCallback", "CircusPlugin", "PeriodicCallback", "PluginLoop", "Timer"]


def __getattr__(name: str) -> Any:
    """Find what programs for Circus import from here, on first use."""
    from cvec_circus.compat.paths import find

    return find(__name__, name)
