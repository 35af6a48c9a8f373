"""`RmWatcher`, the command `rm`, at its path in Circus."""

from cvec_circus.commands.rm import Rm as RmWatcher

__all__ = ["RmWatcher"]
