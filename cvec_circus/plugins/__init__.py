"""Plugins: programs beside the daemon that receive its events and send it commands.

`CircusPlugin` is their base class; this package also has the built-in plugins.
"""

from __future__ import annotations

from typing import Any

from cvec_circus.runtime.loop import PeriodicCallback as PeriodicCallback
from cvec_circus.runtime.loop import PluginLoop as PluginLoop
from cvec_circus.runtime.loop import Timer as Timer
from cvec_circus.runtime.plugin import CircusPlugin as CircusPlugin


def __getattr__(name: str) -> Any:
    """Import names for Circus programs on first use."""
    from cvec_circus.compat.paths import find

    return find(__name__, name)
