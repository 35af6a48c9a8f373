"""`Watcher` for programs."""

from cvec_circus.embedding.watcher import Watcher

__all__ = ["Watcher"]
