"""`Arbiter` for programs."""

from cvec_circus.compat.paths import finder
from cvec_circus.embedding.arbiter import Arbiter, ThreadedArbiter, get_arbiter

__all__ = ["Arbiter", "ThreadedArbiter", "get_arbiter"]

__getattr__ = finder(__name__)
