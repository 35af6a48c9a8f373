"""`AddWatcher`, the command `add`, at its path in Circus."""

from cvec_circus.commands.add import Add as AddWatcher

__all__ = ["AddWatcher"]
