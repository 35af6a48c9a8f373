"""The pid file, for programs of yours."""

from __future__ import annotations

from cvec_circus.system.pidfile import Pidfile

__all__ = ["Pidfile"]
