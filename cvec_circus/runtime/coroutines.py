"""Periodic calls of coroutine functions, for plugins written for Circus."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from cvec_circus.runtime.loop import PeriodicCallback


class AsyncPeriodicCallback(PeriodicCallback):
    """Calls a function that may be a coroutine function, of tornado's, too. Safe from any thread.

    A call lasts until the coroutine has ended: the plugin thread runs it, and no event is delivered
    and no other callback is called meanwhile. The period is counted from the end of one call to the
    beginning of the next one.
    """

    _awaits = True

    def _made(self) -> object:
        try:
            asyncio.run(_awaited(self.callback))
        finally:
            self._due_at = self._loop.monotonic()
        return None


async def _awaited(callback: Callable[[], object]) -> None:
    """Call a function where tornado's coroutines find a loop, and wait for what it returns."""
    result = callback()
    if isinstance(result, Awaitable):
        await result
