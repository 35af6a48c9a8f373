"""The arbiter: a supervisor inside a program of yours."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any, Callable

import zmq

from cvec_circus import exc
from cvec_circus.config.mappings import from_mappings
from cvec_circus.supervisor.supervisor import Supervisor
from cvec_circus.wire.outcome import Outcome, Wait

Options = Mapping[str, Any]

LONGEST_STOP = 86_400.0
"""Seconds that `stop` waits at most where nobody says otherwise: a graceful_timeout may be long,
but a bound is a bound."""


class Arbiter:
    """All watchers, sockets and plugins of a program. Safe from any thread.

    `start` makes the calling thread the supervisor thread and returns when everything has been
    stopped; `ThreadedArbiter` makes a thread of its own for that. No signal handler is installed
    either way: a program that embeds an arbiter keeps its signals.

    Args:
        watchers: The options of each watcher: `name`, `cmd`, and the rest of the options reference.
        endpoint: Where commands are taken; `tcp://127.0.0.1:0` and `ipc://...` work too.
        pubsub_endpoint: Where events are published.
        check_delay: Seconds; reported, and handed to the plugins. Nothing polls here.
        sockets: The options of each listening socket: `name`, `host`, `port`, ...
        plugins: The options of each plugin: `use`, mostly `name`, and what its class takes.
        warmup_delay: Seconds between two watchers when all are started.
        context: The process' zmq context; the arbiter makes one of its own without it.
        circus: Further options of the `[circus]` section.

    Raises:
        ConfigError: Everything that is wrong with the options, a line each.
    """

    def __init__(
        self,
        watchers: Iterable[Options] = (),
        endpoint: str | None = None,
        pubsub_endpoint: str | None = None,
        check_delay: float = 1.0,
        *,
        stats_endpoint: str | None = None,
        sockets: Iterable[Options] | None = None,
        plugins: Iterable[Options] | None = None,
        warmup_delay: float = 0.0,
        context: zmq.Context[Any] | None = None,
        **circus: Any,
    ) -> None:
        self._configuration = from_mappings(
            watchers,
            plugins or (),
            sockets or (),
            {
                "endpoint": endpoint,
                "pubsub_endpoint": pubsub_endpoint,
                "stats_endpoint": stats_endpoint,
                "check_delay": check_delay,
                "warmup_delay": warmup_delay,
                **circus,
            },
        )
        self._given_context = context
        self._lock = threading.Lock()
        self._supervisor: Supervisor | None = None
        self.endpoint: str = self._configuration.circus["endpoint"]
        self.pubsub_endpoint: str = self._configuration.circus["pubsub_endpoint"]

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._supervisor is not None

    def start(self) -> int:
        """Runs everything on the calling thread until `stop`, which another thread calls.

        Returns:
            0, or 1 if a process would not end.

        Raises:
            SocketError: An endpoint or a listening socket cannot be opened.
            ConflictError: It runs already.
        """
        context = self._given_context or zmq.Context()
        return self._run(self._open(context), context)

    def _open(self, context: zmq.Context[Any]) -> Supervisor:
        """Opens everything that listens; from here on the real addresses are known."""
        try:
            with self._lock:
                if self._supervisor is not None:
                    raise exc.ConflictError("this arbiter runs already")
                supervisor = Supervisor(self._configuration, context)
                self._supervisor = supervisor
        except BaseException:
            self._end_context(context)
            raise
        self.endpoint = supervisor.control.address
        self.pubsub_endpoint = supervisor.events.address
        return supervisor

    def _run(self, supervisor: Supervisor, context: zmq.Context[Any]) -> int:
        """The whole life of the supervisor thread."""
        try:
            with supervisor.loop.wakeup.set_by_signals():
                return supervisor.run()
        finally:
            self._close(supervisor, context)

    def _close(self, supervisor: Supervisor, context: zmq.Context[Any]) -> None:
        supervisor.close()
        with self._lock:
            self._supervisor = None
        self._end_context(context)

    def _end_context(self, context: zmq.Context[Any]) -> None:
        if context is not self._given_context:
            context.term()

    def ask(self, fn: Callable[..., Any], *args: Any, timeout: float | None = None) -> Any:
        """Calls `fn(supervisor, *args)` on the supervisor thread and returns what it returns.

        Raises:
            SupervisorStopped: It is not running, or has ended meanwhile.
        """
        supervisor = self._supervisor
        if supervisor is None:
            raise exc.SupervisorStopped("the arbiter is not running")
        return supervisor.loop.ask(fn, supervisor, *args, timeout=timeout)

    def statuses(self) -> dict[str, str]:
        """The state of each watcher by name."""
        found: dict[str, str] = self.ask(_statuses)
        return found

    def stop(self, timeout: float = LONGEST_STOP) -> None:
        """Stops everything, and returns when nothing is left.

        On the supervisor thread itself, such as in a signal handler of a program that is in
        `start`, it only begins that.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            TimeoutError: It takes longer; it goes on all the same.
        """
        supervisor = self._supervisor
        if supervisor is None:
            return
        if supervisor.loop.on_thread():
            supervisor.loop.post(supervisor.stop, "stop")
            return
        done = threading.Lock()
        done.acquire()

        def then(outcome: Outcome) -> None:
            done.release()

        try:
            # Asked, because what is only posted in the last turn of the loop is never done.
            supervisor.loop.ask(supervisor.stop, "stop", Wait(then), timeout=timeout)
        except exc.SupervisorStopped:
            return
        if not done.acquire(timeout=timeout):
            raise TimeoutError(f"the arbiter has not stopped within {timeout:g} s")


class ThreadedArbiter(Arbiter):
    """An arbiter on a thread of its own. Safe from any thread."""

    _thread: threading.Thread | None = None

    def start(self) -> int:
        """Opens everything that listens, and returns while the watchers are started by its thread.

        Returns:
            0.

        Raises:
            SocketError: An endpoint or a listening socket cannot be opened.
            ConflictError: It runs already.
            RuntimeError: The system has no thread for it.
        """
        context = self._given_context or zmq.Context()
        supervisor = self._open(context)
        thread = threading.Thread(
            target=self._run, args=(supervisor, context), name="supervisor", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            self._close(supervisor, context)
            raise
        self._thread = thread
        return 0

    def stop(self, timeout: float = LONGEST_STOP) -> None:
        """Stops everything, and returns when nothing is left, the thread included."""
        super().stop(timeout)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
            self._thread = None


def _statuses(supervisor: Supervisor) -> dict[str, str]:
    return {watcher.name: watcher.state.value for watcher in supervisor.roster.watchers()}


def get_arbiter(
    watchers: Iterable[Options],
    controller: str | None = None,
    pubsub_endpoint: str | None = None,
    stats_endpoint: str | None = None,
    background: bool = False,
    plugins: Iterable[Options] | None = None,
    sockets: Iterable[Options] | None = None,
    **options: Any,
) -> Arbiter:
    """Makes an arbiter of mappings; `cvec_circus.get_arbiter` is this function.

    Args:
        watchers: As for `Arbiter`; a nameless one is called like its program.
        controller: The endpoint for commands.
        pubsub_endpoint: The endpoint for events.
        stats_endpoint: Reported to whoever asks.
        background: Whether it is to have a thread of its own.
        plugins: As for `Arbiter`.
        sockets: As for `Arbiter`.
        options: What else `Arbiter` takes.

    Returns:
        The arbiter, not started.
    """
    kind = ThreadedArbiter if background else Arbiter
    return kind(
        watchers,
        controller,
        pubsub_endpoint,
        stats_endpoint=stats_endpoint,
        plugins=plugins,
        sockets=sockets,
        **options,
    )
