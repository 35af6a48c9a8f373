"""`Pidfile` for programs."""

from cvec_circus.system.pidfile import Pidfile

__all__ = ["Pidfile"]
