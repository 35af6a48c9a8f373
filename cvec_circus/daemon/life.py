"""The life of the daemon: umask, log, pid file and signals around a supervisor."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from cvec_circus import __version__, logger
from cvec_circus.config.configuration import FROM_PROGRAM, Configuration, Origin
from cvec_circus.daemon.signals import Action, Signals
from cvec_circus.logs.log import LoggerConfig, configure_logger
from cvec_circus.logs.queued import QueuedLog
from cvec_circus.options.arbiter import PROC_NAME
from cvec_circus.supervisor.supervisor import Supervisor
from cvec_circus.system import files, titles
from cvec_circus.wire.cause import Cause

if TYPE_CHECKING:
    from cvec_circus.base.loop import Loop
    from cvec_circus.core.watcher import Watcher
    from cvec_circus.daemon.service import Service
    from cvec_circus.embedding.hooked import RunningArbiter
    from cvec_circus.supervisor.hook_calls import Caller
    from cvec_circus.system.notify import Notifier

SWITCH_INTERVAL = 0.001
"""Seconds after which a thread that computes lets the others in. With Python's 5 ms, one stream
class that burns CPU made a respawn take 33 ms instead of 7."""

RELEASE_TIMEOUT = 1.0
"""Seconds that a log which hangs holds up the first processes of a daemon in the background."""

FILES_OF_OURS = 64
"""File descriptors the daemon needs beside those of its processes."""


class Life:
    """One run of the daemon. Owned by the main thread.

    Args:
        arguments: The command line. What it says has precedence.
        configuration: What to supervise.
        notifier: Whoever wants to hear how it fares, None if nobody does.
        origin: Where the configuration comes from.
    """

    def __init__(
        self,
        arguments: argparse.Namespace,
        configuration: Configuration,
        notifier: Notifier | None = None,
        origin: Origin = FROM_PROGRAM,
    ) -> None:
        circus = configuration.circus
        self._configuration = configuration
        self._is_demo: bool = arguments.demo
        self._is_detached: bool = arguments.daemon
        self._umask: int | None = circus["umask"]
        circus["allow_remote"] |= arguments.allow_remote
        self._pidfile: str | None = arguments.pidfile or circus["pidfile"]
        self._name: str = circus["proc_name"]
        self._traces_garbage: bool = circus["debug_gc"]
        level = "debug" if circus["debug"] else circus["loglevel"]
        self._level: str = arguments.log_level or level
        self._output: str = arguments.log_output or circus["logoutput"]
        self._logger_config: LoggerConfig = arguments.logger_config or circus["loggerconfig"]
        self._service = service(notifier, configuration)
        self._arbiters: list[RunningArbiter] = []
        decides = not (arguments.log_level or circus["debug"] or self._logger_config)
        self._origin = origin._replace(
            set_level=set_level if decides else None, examine=check_files
        )
        self._signals = Signals()
        self._log: QueuedLog

    def run(self) -> int:
        """Lives it to the end; see `cvec_circus.daemon.main.main` for what is returned and raised.

        In a daemon that has detached itself, nothing was opened and no thread started before this.
        """
        name_process(self._name)
        if self._umask is not None:
            os.umask(self._umask)
        files.raise_limit()
        log = configure_logger(logger, self._level, self._output, self._logger_config)
        self._log = QueuedLog(log)
        try:
            self._tell_oddities()
            if self._traces_garbage:
                trace_garbage()
            if not self._pidfile:
                return self._supervise()
            from cvec_circus.system.pidfile import Pidfile

            held = Pidfile(self._pidfile)
            self._signals.hold()
            held.create()
            try:
                return self._supervise()
            finally:
                held.unlink()
        finally:
            self._log.close()
            self._signals.ignore()

    def _tell_oddities(self) -> None:
        for warning in self._configuration.warnings:
            logger.warning("%s", warning)
        for name, problems in self._configuration.left_out:
            for problem in problems:
                logger.warning("%s is left out: %s", name, problem)
        check_files(self._configuration)
        if self._is_detached and self._log.fileno() == 2:
            logger.warning("nobody will read this log in the background: name a file for it")

    def _supervise(self) -> int:
        """Runs a supervisor on this thread, with signals."""
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._signals.hold()
        supervisor = Supervisor(
            self._configuration,
            log_level=self._log.level,
            log_url=self._log.url,
            log_fd=self._log.fileno,
            facades=self._facades,
            origin=self._origin,
            is_subreaper=True,
        )

        def on_signal(name: str, action: Action) -> None:
            if action is Action.COLLECT:
                supervisor.child_exited()
                return
            cause = Cause(f"signal:{name}", f"signal:{name}")
            if action is Action.STOP:
                supervisor.stop(cause)
            else:
                self._reload(supervisor, cause)

        self._signals.install(supervisor.loop, on_signal)
        self._log.give_way(supervisor.loop)
        try:
            return self._serve(supervisor)
        finally:
            self._signals.uninstall()
            supervisor.close()
            for arbiter in self._arbiters:
                arbiter.end()

    def _facades(self, supervisor: Supervisor, watcher: Watcher, caller: Caller) -> tuple[Any, Any]:
        """Makes what a watcher's hooks get. On the thread of the hooks."""
        from cvec_circus.embedding.hooked import RunningArbiter

        if not self._arbiters:
            self._arbiters.append(RunningArbiter(supervisor))  # two threads may; one is used
        return self._arbiters[0].facades(watcher, caller)

    def _serve(self, supervisor: Supervisor) -> int:
        """Says that the daemon is up, and supervises until it is told to stop."""
        address = supervisor.control.address
        events = supervisor.events.address
        logger.info(
            "cvec_circus %s is up: commands at %s, events at %s", __version__, address, events
        )
        if self._is_demo:
            from cvec_circus import demo

            print(demo.what_to_try(address, os.environ["CVEC_CIRCUS_DEMO_DIR"]), flush=True)
        if self._service is not None:
            supervisor.shutdown.announce = self._service.stopping
        supervisor.loop.post(self._begun, supervisor.loop)
        code = supervisor.run()
        logger.info("stopped")
        return code

    def _reload(self, supervisor: Supervisor, cause: Cause) -> None:
        self._log.reopen()
        if self._service is None or supervisor.shutdown.begun:
            supervisor.reload(cause)
            return
        self._service.reloading()
        supervisor.reload(cause)
        self._service.reloaded()

    def _begun(self, loop: Loop) -> None:
        """Tells whoever started the daemon that it is up.

        Called in the first turn of the loop: commands are taken, sockets listen, every watcher has
        been told to start, and none has a process yet that could inherit a terminal. Nobody waits
        for the processes themselves. One of them may be broken, or come late by a warmup_delay, and
        starting it until it runs is what the daemon is up for.
        """
        if self._service is not None:
            self._service.ready(loop)
        if self._is_detached:
            from cvec_circus.system import daemonize

            released = threading.Event()

            def release() -> None:
                daemonize.release()
                released.set()

            self._log.after(release)
            # The first processes start after this: they must not inherit the launcher's stderr.
            released.wait(RELEASE_TIMEOUT)


def service(notifier: Notifier | None, configuration: Configuration) -> Service | None:
    """Returns what tells the service manager. Only who has one imports it."""
    if notifier is None:
        return None
    from cvec_circus.daemon.service import Service

    return Service(notifier, configuration)


def name_process(name: str) -> None:
    """Gives the daemon its name, in all that ps shows if it is not the usual one."""
    if name == PROC_NAME:
        titles.set_name(name)
    elif name:
        titles.set_title(name)


def trace_garbage() -> None:
    """Has garbage collections logged, to the end of the process."""
    from cvec_circus.daemon.garbage import GarbageTrace

    GarbageTrace().start()


def set_level(level: str) -> None:
    """Has the log begin at another level."""
    logger.setLevel(level.upper())


def check_files(configuration: Configuration) -> None:
    """Warns when the limit on open files is too low for what is configured."""
    limit = files.limit()
    needed = FILES_OF_OURS + len(configuration.sockets)
    for watcher in configuration.watchers:
        pipes = bool(watcher.options.stdout_stream) + bool(watcher.options.stderr_stream)
        needed += watcher.options.numprocesses * (1 + pipes) + pipes
    if needed > limit:
        logger.warning(
            "about %d open files are needed for all processes, and only %d are allowed (ulimit -n)",
            needed,
            limit,
        )
