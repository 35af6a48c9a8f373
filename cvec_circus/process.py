"""`Process` for programs."""

from cvec_circus.compat.paths import finder, others
from cvec_circus.embedding.process import DEAD_OR_ZOMBIE, OTHER, RUNNING, UNEXISTING, Process

__all__ = ["DEAD_OR_ZOMBIE", "OTHER", "RUNNING", "UNEXISTING", "Process"]
__all__ += others(__name__)

__getattr__ = finder(__name__)
