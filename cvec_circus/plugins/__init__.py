"""Plugins: programs beside the daemon that receive its events and send it commands.

`CircusPlugin` is what they derive from; those that come with cvec_circus stand beside it.
"""

from __future__ import annotations

from cvec_circus.plugins.plugin import CircusPlugin
from cvec_circus.runtime.loop import PluginLoop, Timer
from cvec_circus.runtime.periodic import AsyncPeriodicCallback, PeriodicCallback

__all__ = ["AsyncPeriodicCallback", "CircusPlugin", "PeriodicCallback", "PluginLoop", "Timer"]
