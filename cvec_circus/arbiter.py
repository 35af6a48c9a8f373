"""The arbiter: a supervisor inside a program of yours."""

from __future__ import annotations

import atexit
import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import zmq

from cvec_circus import exc, logger
from cvec_circus.embedding.given import Described, Sockets
from cvec_circus.embedding.log import BorrowedLogger
from cvec_circus.embedding.prereload import Names, Prereload
from cvec_circus.embedding.promise import Promise
from cvec_circus.embedding.registry import Watchers
from cvec_circus.supervisor.supervisor import Supervisor
from cvec_circus.wire.outcome import Outcome, Wait

LONGEST_STOP = 86_400.0
"""Seconds that `stop` waits at most where nobody says otherwise: a graceful_timeout may be long,
but a bound is a bound."""


class _Life(NamedTuple):
    """What an arbiter has from its start to its end. Owned by the supervisor thread."""

    supervisor: Supervisor
    prereload: Prereload
    log: BorrowedLogger
    own_context: zmq.Context[Any] | None

    def close(self) -> None:
        """Let go of everything."""
        self.supervisor.close()
        self.prereload.end()
        if self.own_context is not None:
            self.own_context.term()
        self.log.close()


class Arbiter(Watchers):
    """All watchers, sockets and plugins of a program. Safe from any thread.

    `start` makes the calling thread the supervisor thread and returns when everything has been
    stopped; `ThreadedArbiter` makes a thread of its own for that. No signal handler is installed
    either way: a program that embeds an arbiter keeps its signals. Nothing is logged unless one of
    `loglevel`, `logoutput`, `loggerconfig` and `debug` is given, or the program sets up logging.

    On the supervisor thread, where `cb` is called, and the signal handlers of a program whose main
    thread is in `start`, everything works but waiting: `stop` only begins the end there, and the
    `result` of a promise raises RuntimeError.

    Attributes:
        endpoint: Where commands are taken; from the start on, the real address.
        pubsub_endpoint: Where events are published; likewise.
        stats_endpoint: Reported to whoever asks.
        check_delay: Seconds; reported, and handed to the plugins.
        prereload_fn: Called with this object before all watchers are reloaded, None for nothing.
    """

    def __init__(
        self,
        watchers: Iterable[Described] = (),
        endpoint: str | None = None,
        pubsub_endpoint: str | None = None,
        check_delay: float = 1.0,
        prereload_fn: Callable[[Arbiter], object] | None = None,
        context: zmq.Context[Any] | None = None,
        loop: None = None,
        *,
        sockets: Sockets | None = None,
        plugins: Iterable[Mapping[str, Any]] | None = None,
        ssh_server: None = None,
        **circus: Any,
    ) -> None:
        """Describe what is to run.

        Args:
            watchers: Watchers, or the options of each: `name`, `cmd`, and the rest of the options
                reference.
            endpoint: Where commands are taken; `tcp://127.0.0.1:0` and `ipc://...` work too.
            pubsub_endpoint: Where events are published.
            check_delay: Seconds; reported, and handed to the plugins. Nothing polls here.
            prereload_fn: See the class. It may take its time: it has a thread of its own.
            context: The process' zmq context; the arbiter makes one of its own without it.
            loop: None; there are no loops of others here.
            sockets: Sockets, or the options of each: `name`, `host`, `port`, ...
            plugins: The options of each plugin: `use`, mostly `name`, and what its class takes.
            ssh_server: None; there are no tunnels in this version.
            **circus: Further options of the `[circus]` section.

        Raises:
            ConfigError: Everything that is wrong with the options, a line each.
            TypeError: A loop or an ssh server was given.
        """
        if loop is not None:
            raise TypeError("loop: an arbiter turns its own loop, in the thread that starts it")
        if ssh_server is not None:
            raise TypeError("ssh_server: there are no tunnels in this version")
        circus.update(endpoint=endpoint, pubsub_endpoint=pubsub_endpoint, check_delay=check_delay)
        super().__init__(watchers, plugins or (), sockets or (), circus)
        self._given_context = context
        self._lock = threading.Lock()
        self._has_begun = False
        self._is_opening = False
        self._stopped_by: int | None = None
        self._stopped_early = False
        self._pid = 0
        self._life: _Life | None = None
        self._end = Promise()
        self._end.keep(exc.EXIT_OK)
        self.prereload_fn = prereload_fn
        typed = self._configuration.circus
        self.endpoint: str = typed["endpoint"]
        self.pubsub_endpoint: str = typed["pubsub_endpoint"]
        self.stats_endpoint: str = typed["stats_endpoint"]
        self.check_delay: float = typed["check_delay"]

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._reach.is_open

    @property
    def fqdn(self) -> str:
        """The name of this machine, after `fqdn_prefix` and an @ if there is one."""
        prefix = self._configuration.circus["fqdn_prefix"]
        return f"{prefix}@{socket.getfqdn()}" if prefix else socket.getfqdn()

    # -- the beginning

    def start(self, cb: Callable[[Promise], object] | None = None) -> Promise:
        """Run everything on the calling thread until `stop`, which another thread calls.

        Args:
            cb: Called on the supervisor thread when everything that starts by itself has been
                started, with a promise that says so, or says why not. It must not block.

        Returns:
            A promise that is kept already. Its result is 0, or 1 if a process would not end.

        Raises:
            SocketError: An endpoint or a listening socket cannot be opened.
            ConflictError: It runs already.
            KeyboardInterrupt: It was interrupted, and has stopped everything before it raises this.
        """
        end = self._open(cb, owns=True)
        self._run()
        return end

    def _open(self, cb: Callable[[Promise], object] | None, owns: bool = False) -> Promise:
        """Open everything that listens; from here on the real addresses are known.

        Args:
            cb: As for `start`.
            owns: Whether the calling thread will be the supervisor thread.

        Returns:
            The promise of the end.
        """
        with self._lock:
            if self._is_opening or self._life is not None:
                raise exc.ConflictError("this arbiter runs already")
            if owns:  # first, because a signal handler that calls `stop` must not wait from now on
                self._reach.own()
            self._is_opening = True
            self._stopped_early = False
            self._end = end = Promise(self._reach.on_owner)
            self._has_begun = True
        try:
            self._configure()
            self._life = life = self._make(cb)
            self.endpoint = life.supervisor.control.address
            self.pubsub_endpoint = life.supervisor.events.address
            self._reach.begin(life.supervisor)
            self._pid = os.getpid()
            atexit.register(self._stop_at_exit)
            if self._is_stopped_already():
                self._reach.post(_stop)
        except BaseException as error:
            self._close(exc.EXIT_PROBLEM, error)
            raise
        finally:
            self._is_opening = False
        return end

    def _make(self, cb: Callable[[Promise], object] | None) -> _Life:
        log = BorrowedLogger(self._given.circus, self._configuration.circus)
        own_context = None if self._given_context else zmq.Context()
        context: Any = self._given_context or own_context
        try:
            supervisor = Supervisor(
                self._configuration,
                context,
                log_level=log.level,
                log_url=log.url,
                log_fd=log.fileno,
                sockets=self._given.sockets,
                when_started=None if cb is None else Wait(partial(self._tell_started, cb)),
            )
        except BaseException:
            if own_context is not None:
                own_context.term()
            log.close()
            raise
        for warning in self._configuration.warnings:
            logger.warning("%s", warning)
        prereload = Prereload(supervisor.loop, self._before_reload)
        supervisor.target.before_reload = prereload
        return _Life(supervisor, prereload, log, own_context)

    def _is_stopped_already(self) -> bool:
        """Tell whether a `stop` of another thread has overtaken this start.

        One that came before the first start counts if another thread gave it: whoever starts an
        arbiter in a thread and stops it at once means this start, though its thread may be late.
        """
        by, self._stopped_by = self._stopped_by, None
        return self._stopped_early or by not in (None, threading.get_ident())

    def _tell_started(self, cb: Callable[[Promise], object], outcome: Outcome) -> None:
        """On the supervisor thread, in the middle of a turn: `cb` is called in the next one."""
        started = Promise(self._reach.on_owner)
        if outcome.error is None:
            started.keep({"started": outcome.started, "kept": outcome.kept})
        else:
            started.fail(exc.CircusError(outcome.error))
        assert self._life is not None
        self._life.supervisor.loop.post(cb, started)

    def _before_reload(self, names: Names) -> list[Callable[[], Any]]:
        functions = super()._before_reload(names)
        if names is None and self.prereload_fn is not None:
            functions.insert(0, partial(self.prereload_fn, self))
        return functions

    def _run(self) -> None:
        """The whole life of the supervisor thread."""
        assert self._life is not None
        supervisor = self._life.supervisor
        self._reach.own()
        code, failure = exc.EXIT_PROBLEM, None
        try:
            with supervisor.loop.wakeup.set_by_signals():
                code = supervisor.run()
        except BaseException as error:
            failure = error
            raise
        finally:
            self._close(code, failure)

    # -- the end

    def _close(self, code: int, failure: BaseException | None) -> None:
        try:
            if self._life is not None:
                self._life.close()
        finally:
            atexit.unregister(self._stop_at_exit)
            self._reach.end()
            self._life = None
            if failure is None:
                self._end.keep(code)
            else:
                self._end.fail(failure)

    def stop(self, timeout: float = LONGEST_STOP) -> None:
        """Stop everything, and return when nothing is left.

        On the supervisor thread itself, such as in a signal handler of a program that is in
        `start`, it only begins that. Where nothing runs it does nothing; but if another thread is
        about to start the arbiter for the first time, what it starts ends at once.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            TimeoutError: It takes longer; it goes on all the same.
        """
        if not self._has_begun:
            self._stopped_by = threading.get_ident()
            if not self._has_begun:  # which it may have while that was noted
                return
        if self._is_opening:
            self._stopped_early = True
        end = self._end
        self._reach.post(_stop)
        if self._reach.on_owner():
            return
        try:
            end.exception(timeout)
        except TimeoutError:
            raise TimeoutError(f"the arbiter has not stopped within {timeout:g} s") from None

    def _stop_at_exit(self) -> None:
        """Leave no processes behind when the program ends, perhaps by an exception.

        Not in a child that it has forked: the arbiter's thread is not there.
        """
        if os.getpid() == self._pid:
            self.stop()


class ThreadedArbiter(Arbiter):
    """An arbiter on a thread of its own. Safe from any thread."""

    _thread: threading.Thread | None = None

    def start(self, cb: Callable[[Promise], object] | None = None) -> Promise:
        """Open everything that listens, and return while the watchers are started by its thread.

        Args:
            cb: As for `Arbiter`.

        Returns:
            A promise whose result, at the end, is 0, or 1 if a process would not end.

        Raises:
            SocketError: An endpoint or a listening socket cannot be opened.
            ConflictError: It runs already.
            RuntimeError: The system has no thread for it.
        """
        end = self._open(cb)
        thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._close(exc.EXIT_PROBLEM, error)
            raise
        self._thread = thread
        return end

    def stop(self, timeout: float = LONGEST_STOP) -> None:
        """Stop everything, and return when nothing is left, the thread included."""
        super().stop(timeout)
        self.join(timeout)

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end of its thread; nothing on that thread itself."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def is_alive(self) -> bool:
        """Whether its thread has not ended."""
        return self._thread is not None and self._thread.is_alive()


def _stop(supervisor: Supervisor) -> None:
    """On the supervisor thread."""
    supervisor.stop("stop")


def get_arbiter(
    watchers: Iterable[Described],
    controller: str | None = None,
    pubsub_endpoint: str | None = None,
    *,
    stats_endpoint: str | None = None,
    background: bool = False,
    plugins: Iterable[Mapping[str, Any]] | None = None,
    sockets: Sockets | None = None,
    **options: Any,
) -> Arbiter:
    """Make an arbiter of mappings; `cvec_circus.get_arbiter` is this function.

    Args:
        watchers: As for `Arbiter`; a nameless one is called like its program.
        controller: The endpoint for commands.
        pubsub_endpoint: The endpoint for events.
        stats_endpoint: Reported to whoever asks.
        background: Whether it is to have a thread of its own.
        plugins: As for `Arbiter`.
        sockets: As for `Arbiter`.
        **options: What else `Arbiter` takes.

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
