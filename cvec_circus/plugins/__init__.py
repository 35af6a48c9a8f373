"""Plugins: programs beside the daemon that receive its events and send it commands.

`CircusPlugin` is what they derive from; everything else here serves it.
"""

from __future__ import annotations

from cvec_circus.plugins.loop import PluginLoop, Timer
from cvec_circus.plugins.periodic import AsyncPeriodicCallback, PeriodicCallback
from cvec_circus.plugins.plugin import CircusPlugin

__all__ = ["AsyncPeriodicCallback", "CircusPlugin", "PeriodicCallback", "PluginLoop", "Timer"]
