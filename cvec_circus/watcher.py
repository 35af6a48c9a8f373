"""`Watcher` for programs."""

from cvec_circus.compat.paths import finder
from cvec_circus.embedding.watcher import Watcher

__all__ = ["Watcher"]

__getattr__ = finder(__name__)
