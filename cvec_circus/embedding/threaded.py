"""The arbiter on a thread of its own, and the function that makes either of mappings."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from cvec_circus import logger
from cvec_circus.base.calling import in_order
from cvec_circus.base.overrides import ORDERS, require_plain
from cvec_circus.embedding.arbiter import LONGEST_STOP, Arbiter, Started
from cvec_circus.embedding.promise import Promise
from cvec_circus.embedding.registry import Described


class ThreadedArbiter(Arbiter):
    """An arbiter on a thread of its own. Safe from any thread.

    It is no `Thread`, because it may be started again. The end of the program stops it.

    Attributes:
        daemon: True; the thread keeps no program from ending.
    """

    _circus_class = "arbiter.ThreadedArbiter"
    daemon = True

    @property
    def ident(self) -> int | None:
        """The number of its thread; None before the start."""
        return None if self._thread is None else self._thread.ident

    def start(self, cb: Started | None = None) -> Promise:
        """Open everything that listens, and return while its thread starts the watchers.

        Returns:
            A promise whose result comes at the end; it is that of `Arbiter.start`, or raises
            SystemExit where that does.

        It takes and raises what `Arbiter.start` does, but for what signal handlers raise.
        """
        require_plain("cb", cb, ORDERS)
        self._signals.require_main_thread()
        return self._launch(cb, to_the_end=False)

    def stop(self, timeout: float = LONGEST_STOP) -> Promise:
        """Stop everything, and return when nothing is left, the thread included."""
        end = super().stop(timeout)
        self.join(timeout)
        return end

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end of its thread, unless that is the calling one."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def is_alive(self) -> bool:
        """Tell whether its thread is running."""
        return self._thread is not None and self._thread.is_alive()


@in_order(
    "statsd stats_endpoint statsd_close_outputs multicast_endpoint env name context background"
    " stream_backend httpd plugins debug proc_name loop check_delay"
)
def get_arbiter(
    watchers: Iterable[Described],
    controller: str | None = None,
    pubsub_endpoint: str | None = None,
    *,
    env: Mapping[str, str] | None = None,
    background: bool = False,
    **options: Any,
) -> Arbiter:
    """Return an arbiter made of mappings, not started; `cvec_circus.get_arbiter` is this function.

    Args:
        watchers: As for `Arbiter`; a nameless one gets the name of its program.
        controller, pubsub_endpoint: The endpoints for commands and for events.
        env: Without effect, as in Circus; watchers have one.
        background: Whether to run on a thread of its own, as a `ThreadedArbiter`.
        **options: The other arguments of `Arbiter`, such as `plugins` and `sockets`. A
            `stats_endpoint` implies `statsd`.
    """
    if env:
        logger.warning("get_arbiter: env has no effect; give it to the watchers")
    kind = ThreadedArbiter if background else Arbiter
    return kind(watchers, controller, pubsub_endpoint, **options)
