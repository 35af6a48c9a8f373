"""`Arbiter` for programs."""

from cvec_circus.compat.paths import finder, others
from cvec_circus.embedding.arbiter import Arbiter
from cvec_circus.embedding.threaded import ThreadedArbiter, get_arbiter

__all__ = ["Arbiter", "ThreadedArbiter", "get_arbiter"]
__all__ += others(__name__)

__getattr__ = finder(__name__)
