"""Which watchers are the daemon's own, so that plugins that act on others leave them alone."""

from __future__ import annotations

from cvec_circus.runtime.statistics import WATCHER as STATISTICS


def is_own(name: str) -> bool:
    """Tell whether a watcher runs a plugin, or what publishes statistics. Any thread."""
    return name.lower().startswith("plugin:") or name.lower() == STATISTICS
