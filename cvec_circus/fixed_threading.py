"""The names of threading that programs take from Circus' `fixed_threading`."""

from threading import RLock, Thread, Timer, get_ident

__all__ = ["RLock", "Thread", "Timer", "get_ident"]
