"""`Watcher` for programs."""

from cvec_circus.compat.paths import finder, others
from cvec_circus.embedding.watcher import Watcher

__all__ = ["Watcher"]
__all__ += others(__name__)

__getattr__ = finder(__name__)
