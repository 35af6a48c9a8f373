"""Where programs import `Watcher` from."""

from __future__ import annotations

from cvec_circus.embedding.watcher import Watcher

__all__ = ["Watcher"]
