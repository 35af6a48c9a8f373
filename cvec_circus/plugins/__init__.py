"""Plugins: programs beside the daemon that receive its events and send it commands.

`CircusPlugin` is their base class; the built-in plugins stand beside it.
"""

from __future__ import annotations

from cvec_circus.runtime.loop import AsyncPeriodicCallback, PeriodicCallback, PluginLoop, Timer
from cvec_circus.runtime.plugin import CircusPlugin

__all__ = ["AsyncPeriodicCallback", "CircusPlugin", "PeriodicCallback", "PluginLoop", "Timer"]
