"""`DecrProc`, the command `decr`, at its path in Circus."""

from cvec_circus.commands.incr import Decr as DecrProc

__all__ = ["DecrProc"]
