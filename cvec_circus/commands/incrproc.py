"""`IncrProc`, the command `incr`, at its path in Circus."""

from cvec_circus.commands.incr import Incr as IncrProc

__all__ = ["IncrProc"]
