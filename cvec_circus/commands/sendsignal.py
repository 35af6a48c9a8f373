"""`Signal`, the command `signal`, at its path in Circus."""

from cvec_circus.commands.signal import Signal

__all__ = ["Signal"]
