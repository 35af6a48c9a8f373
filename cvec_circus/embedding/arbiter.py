"""The arbiter: a supervisor inside a program."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from cvec_circus import exc, logger
from cvec_circus.base.calling import in_order
from cvec_circus.base.overrides import ORDERS, overridden, require_plain, warn_of_idle_tornado
from cvec_circus.compat.signatures import ARBITER_FURTHER
from cvec_circus.embedding.calls import OWN_LOOP, call
from cvec_circus.embedding.promise import Promise
from cvec_circus.embedding.registry import Described, Sockets, Watchers
from cvec_circus.embedding.resources import (
    Borrowed,
    Names,
    Prereload,
    Resources,
    cause_of,
    interrupt_all,
    stop_all,
    take_claim,
    wait_for,
)
from cvec_circus.embedding.signals import AUTO, Choice, TakenSignals
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.supervisor.supervisor import Supervisor
from cvec_circus.wire.outcome import Outcome, Wait

LONGEST_STOP = 86_400.0
"""Seconds that `stop` waits at most by default: a graceful_timeout may be long."""

Started = Callable[[Promise], object]


class Arbiter(Watchers):
    """All watchers, sockets and plugins of a program. Safe from any thread.

    `start` returns when everything has been stopped; that of `ThreadedArbiter` returns at once. The
    calling thread becomes the supervisor thread, unless it is the main one, in which signal
    handlers may raise in the middle of anything: that waits beside a supervisor thread. For as long
    as it waits there, SIGTERM, SIGINT and SIGQUIT stop everything, and SIGHUP reloads, as in the
    daemon. Warnings and errors are written to standard error, unless one of `loglevel`,
    `logoutput`, `loggerconfig` and `debug` is given, or the program sets up logging.

    A subclass may override `start` and `stop`. Its `stop` is called, on the supervisor thread, when
    a signal or a `quit` has begun the end, before any process is asked to stop.

    On the supervisor thread, where `cb` and callbacks of promises are called, everything works but
    waiting: `stop` only begins the end there, and the `result` of a promise raises RuntimeError.

    Attributes:
        endpoint, pubsub_endpoint, stats_endpoint: Where commands are taken, and events and
            statistics are published; from the start on, the real addresses. The last is None
            without `statsd`.
        check_delay: Seconds; reported, and passed to the plugins.
        prereload_fn: Called with this object before all watchers are reloaded; None for none.
    """

    @in_order(ARBITER_FURTHER)
    def __init__(
        self,
        watchers: Iterable[Described] = (),
        endpoint: str | None = None,
        pubsub_endpoint: str | None = None,
        check_delay: float = 1.0,
        prereload_fn: Callable[[Arbiter], object] | None = None,
        context: object = None,
        loop: None = None,
        *,
        sockets: Sockets | None = None,
        plugins: Iterable[Mapping[str, Any]] | None = None,
        ssh_server: None = None,
        signals: Choice = AUTO,
        **circus: Any,
    ) -> None:
        """Describe what to run.

        Args:
            watchers: Watchers, or the options of each: `name`, `cmd` and so on.
            endpoint: Where to take commands; `tcp://127.0.0.1:0` and `ipc://...` work too.
            pubsub_endpoint: Where to publish events.
            check_delay: Seconds; reported, and passed to the plugins. Nothing polls here.
            prereload_fn: See the class. It runs on a thread of its own, so it may take its time.
            context: Ignored: the arbiter has no zmq sockets.
            loop, ssh_server: None; an arbiter takes no other loop, and opens no tunnels.
            sockets: Sockets, or the options of each: `name`, `host`, `port`, ...
            plugins: The options of each plugin: `use`, mostly `name`, and those of its class.
            signals: Which signals to handle while `start` waits on the main thread. "auto": those
                that the program has neither a handler for nor ignores; True: all of them, as
                Circus does; False: none.
            **circus: Further options of the `[circus]` section.

        Raises:
            ConfigError: The options have problems; it lists all of them, a line each.
            TypeError: A loop, an ssh server or a coroutine function was given.
            ValueError: `signals` is none of these.
        """
        if loop is not None:
            raise TypeError(OWN_LOOP)
        if ssh_server is not None:
            raise TypeError("ssh_server: an arbiter opens no tunnels")
        circus.update(endpoint=endpoint, pubsub_endpoint=pubsub_endpoint, check_delay=check_delay)
        super().__init__(watchers, plugins or (), sockets or (), circus)
        self._lock = threading.Lock()
        self._has_begun = False
        self._is_opening = False
        self._claims: list[None] = []  # those of the last start
        self._stopped_by: int | None = None
        self._stopped_early = False
        self._stop_is_called = False
        self._exit: SystemExit | None = None
        self._reach.on_exit = self._stop_for
        self._signals = TakenSignals(signals, self._reach, self._begin_to_stop)
        self._pid = 0
        self._thread: threading.Thread | None = None
        self._life: Resources | None = None
        self._end = Promise.kept(exc.EXIT_OK)
        self.prereload_fn = require_plain("prereload_fn", prereload_fn)

    # -- the beginning

    def start(self, cb: Started | None = None) -> Promise:
        """Run everything until `stop`, which another thread or a signal handler calls.

        Args:
            cb: Called on the supervisor thread when everything that starts by itself has been
                started, with a promise that says so, or why it failed. It must not block.

        Returns:
            A promise that is kept already. Its result is 0, or 1 if a process would not end; the
            exit code of an essential watcher that has ended for good, and the arbiter with it.

        Raises:
            SocketError: An endpoint or a listening socket cannot be opened.
            ConflictError: It is already running.
            TypeError: `cb` is a coroutine function.
            RuntimeError: The system has no thread for it, or this one takes no signals.
            SystemExit: `cb`, or a callback of a promise, called `sys.exit`; everything has been
                stopped.
            BaseException: What a signal handler of the program raised: after everything has been
                stopped, which is hurried if a second handler raises.
        """
        require_plain("cb", cb, ORDERS)
        if threading.current_thread() is threading.main_thread():
            warn_of_idle_tornado()
            with self._signals:
                end = self._launch(cb, to_the_end=True)
        else:
            self._signals.require_main_thread()
            end = self._begin([])
            self._live(cb, Promise())
        if self._exit is not None:
            raise self._exit
        return end

    def _begin(self, claims: list[None]) -> Promise:
        """Note that a start has begun, by its claims, and return the promise of its end.

        A `stop` of another thread that came before the first start counts for this one: a program
        that starts an arbiter on a thread and stops it at once means this start, however late.
        """
        self._reach.require_home()
        with self._lock:
            if self._is_opening or self._life is not None:
                raise exc.ConflictError("this arbiter is already running")
            self._end = Promise(self._reach.on_owner)
            by, self._stopped_by = self._stopped_by, None
            self._stopped_early = by not in (None, threading.get_ident())
            self._has_begun = True
            self._stop_is_called = False
            self._exit = None
            self._calls.begin()
            self._claims = claims
            self._is_opening = True  # last: a signal handler that raises before has begun nothing
        return self._end

    def _launch(self, cb: Started | None, to_the_end: bool) -> Promise:
        """Open and run everything on a new thread; wait until all is open, or for the end.

        Nothing is opened on the calling thread: it may be the main one, and what a signal handler
        raises there would leave it half done.
        """
        opened = Promise()
        claims = [None]  # of two threads, the one that takes it decides whether to go on
        thread = threading.Thread(
            target=self._live, args=(cb, opened, claims), name="supervisor", daemon=True
        )
        raised: list[BaseException] = []
        try:
            end = self._begin(claims)
            thread.start()
        except BaseException as error:
            cause = cause_of(error)
            if take_claim(claims):
                if self._is_opening and self._claims is claims:
                    self._close(exc.EXIT_PROBLEM, cause)
                raise cause from None
            raised.append(cause)
        self._thread = thread
        wait_for(opened, bool, raised)
        if raised:
            self._reach.post(interrupt_all, len(raised))
        if to_the_end or raised or opened.exception():
            wait_for(end, partial(self._reach.post, interrupt_all), raised)
            thread.join()
        if raised:
            raise raised[0]
        opened.result()
        return end

    def _live(self, cb: Started | None, opened: Promise, claims: list[None] | None = None) -> None:
        """Lead the whole life of the supervisor thread, and tell `opened` how the opening went.

        On a thread of its own it has claims, and does nothing if none is left.
        """
        if claims is not None and not take_claim(claims):
            return
        try:
            self._reach.own()
            supervisor = self._open(cb)
        except BaseException as error:
            self._close(exc.EXIT_PROBLEM, error)
            opened.fail(error)
            if claims is None:
                raise
            return
        opened.keep(None)
        code, failure = exc.EXIT_PROBLEM, None
        try:
            code = supervisor.run()
        except BaseException as error:
            failure = error
            raise
        finally:
            self._close(code, failure or self._exit)

    def _open(self, cb: Started | None) -> Supervisor:
        """Open everything that listens; then the real addresses are known."""
        self._configure()
        borrowed = Borrowed(self._circus, self._configuration.circus)
        try:
            supervisor = Supervisor(
                self._configuration,
                log_level=borrowed.level,
                log_url=borrowed.url,
                log_fd=borrowed.fileno,
                sockets=[one for one in self._sockets if isinstance(one, CircusSocket)],
                when_started=None if cb is None else Wait(partial(self._tell_started, cb)),
                facades=self.facades,
            )
        except BaseException:
            borrowed.close()
            raise
        prereload = Prereload(supervisor.loop, self._before_reload)
        supervisor.target.before_reload = prereload
        supervisor.shutdown.announce = self._tell_end
        self._life = Resources(supervisor, prereload, borrowed)
        for warning in self._configuration.warnings:
            logger.warning("%s", warning)
        self.endpoint = supervisor.control.address
        self.pubsub_endpoint = supervisor.events.address
        if self._configuration.circus["statsd"]:
            self.stats_endpoint = supervisor.stats_address
        self._reach.begin(supervisor)
        self._pid = os.getpid()
        atexit.register(self._stop_at_exit)
        self._is_opening = False
        if self._stopped_early:
            self._reach.post(stop_all)
        self._reach.post(self._calls.call_pending)
        return supervisor

    def _tell_started(self, cb: Started, outcome: Outcome) -> None:
        """Call `cb` in the next turn. On the supervisor thread, in the middle of a turn."""
        started = Promise(self._reach.on_owner)
        if outcome.error is None:
            started.keep({"started": outcome.started, "kept": outcome.kept})
        else:
            started.fail(exc.CircusError(outcome.error))
        assert self._life is not None
        self._life.supervisor.loop.post(call, self._reach, cb, started)

    def _before_reload(self, names: Names) -> list[Callable[[], Any]]:
        functions = super()._before_reload(names)
        if names is None and self.prereload_fn is not None:
            functions.insert(0, partial(self.prereload_fn, self))
        return functions

    # -- the end

    def _close(self, code: int, failure: BaseException | None) -> None:
        try:
            if self._life is not None:
                self._life.close()
        finally:
            atexit.unregister(self._stop_at_exit)
            self._reach.end()
            self._calls.end()
            self._life = None
            self._is_opening = False
            if failure is None:
                self._end.keep(code)
            else:
                self._end.fail(failure)

    def stop(self, timeout: float = LONGEST_STOP) -> Promise:
        """Stop everything, and return when nothing is left.

        On the supervisor thread itself it only begins that. It does nothing if nothing runs; but
        if another thread is about to start the arbiter for the first time, that start ends at once.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            What `start` returns.

        Raises:
            TimeoutError: It takes longer; the end goes on all the same.
        """
        end = self._end
        if not self._has_begun:
            self._stopped_by = threading.get_ident()
            if not self._has_begun:  # which it may have while that was noted
                return end
        if self._pid not in (0, os.getpid()):
            return end  # a forked child: the arbiter runs in its parent, and has no thread here
        self._stop_is_called = True
        if not self._begin_to_stop("stop", self._reach.actor) or self._reach.on_owner():
            return end
        try:
            end.exception(timeout)
        except TimeoutError:
            raise TimeoutError(f"the arbiter has not stopped within {timeout:g} s") from None
        return end

    def _emergency_stop(self) -> None:
        """Stop everything: programs call it after an exception, as Circus' daemon does."""
        self.stop()

    def _begin_to_stop(self, cause: str, actor: str) -> bool:
        """Begin the end, without waiting; return False if nothing runs. In signal handlers too."""
        if self._is_opening:
            self._stopped_early = True
        elif self._life is None:
            return False  # a signal handler has raised before the start had begun
        self._reach.post(stop_all, actor, cause)
        return True

    def _stop_for(self, error: SystemExit) -> None:
        """Begin the end because a callback called `sys.exit`, which `start` raises then."""
        self._exit = error
        self._begin_to_stop("exit", self._reach.actor)

    def _tell_end(self, cause: str, bound: float) -> None:
        """Call the `stop` of a subclass when something else has begun the end."""
        if self._stop_is_called or not overridden(type(self), ("stop",)):
            return
        try:
            self.stop()
        except Exception:
            logger.exception("%s.stop raised; shutting down all the same", type(self).__qualname__)

    def _stop_at_exit(self) -> None:
        """Leave no processes behind when the program ends."""
        if os.getpid() == self._pid:  # not in a forked child, which has no thread of the arbiter
            self.stop()
