"""The daemon: umask, log, pid file and signals around a supervisor."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import stat
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cvec_circus import __version__, logger
from cvec_circus.base.clock import SYSTEM
from cvec_circus.config.configuration import Configuration, Origin
from cvec_circus.config.dependencies import dependants
from cvec_circus.daemon.estate import go_on, take
from cvec_circus.daemon.signals import Action, Signals
from cvec_circus.daemon.watchdog import Watchdog
from cvec_circus.logs.log import LoggerConfig, configure_logger
from cvec_circus.logs.queued import QueuedLog
from cvec_circus.options.arbiter import PROC_NAME
from cvec_circus.options.cgroup import OFF
from cvec_circus.options.stream import CHANNELS, is_captured
from cvec_circus.options.syslog import known
from cvec_circus.supervisor.supervisor import Supervisor
from cvec_circus.system import files, prctl, proctable
from cvec_circus.wire.cause import Cause

if TYPE_CHECKING:
    from cvec_circus.config.configuration import PluginConfig, WatcherConfig
    from cvec_circus.core.watcher import Watcher
    from cvec_circus.daemon.systemd import Unit
    from cvec_circus.embedding.registry import RunningArbiter
    from cvec_circus.supervisor.hook_calls import Caller
    from cvec_circus.supervisor.survival.handed import Handed
    from cvec_circus.supervisor.survival.heritage import Estate
    from cvec_circus.system.notify import Notifier
    from cvec_circus.system.pidfile import Pidfile

SWITCH_INTERVAL = 0.001
"""Seconds after which a thread that computes lets the others in. With Python's 5 ms, one stream
class that burns CPU made a respawn take 33 ms instead of 7."""

RELEASE_TIMEOUT = 1.0
"""Seconds for which a hung log delays the first processes of a daemon in the background."""

FILES_OF_OURS = 64
"""File descriptors the daemon needs beside those of its processes."""

FILES_OF_A_CGROUP = 2
"""Of each watcher, where there are cgroups."""

OLDEST = 2
"""The generation whose collection looks at everything, and takes long. The others come often."""


class Daemon:
    """One run of the daemon. Owned by the main thread."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        configuration: Configuration,
        notifier: Notifier | None,
        origin: Origin,
        words: Sequence[str] = (),
        handed: Handed | None = None,
    ) -> None:
        """Prepare. The command line takes precedence over the configuration from `origin`.

        Args:
            arguments: The command line, and `words`, the same as it was given.
            configuration, origin: What to run, and where it comes from.
            notifier: Tells the service manager.
            handed: What the program before an upgrade has handed over.
        """
        self._words = words
        self._handed = handed
        circus = configuration.circus
        circus["allow_remote"] |= arguments.allow_remote
        self._arguments = arguments
        self._configuration = configuration
        self._logger_config: LoggerConfig = arguments.logger_config or circus["loggerconfig"]
        self._unit: Unit | None = None
        if notifier is not None:
            from cvec_circus.daemon.systemd import Unit

            self._unit = Unit(notifier, configuration)
        self._arbiters: list[RunningArbiter] = []
        decides = not (arguments.log_level or circus["debug"] or self._logger_config)
        self._origin = origin._replace(
            set_level=set_level if decides else None,
            reopen=lambda: self._log.reopen(),
            examine=self._check_files,
        )
        self._signals = Signals()
        self._pidfile: Pidfile | None = None
        self._log: QueuedLog
        self._estate: Estate | None

    def run(self) -> int:
        """Run to the end; `cvec_circus.daemon.main.main` says what is returned and raised.

        A daemon that has detached itself opens its files and starts its threads only here.
        """
        arguments, circus = self._arguments, self._configuration.circus
        proctable.require()
        if os.geteuid() == 0:
            share_output()
        name = circus["proc_name"]
        if name == PROC_NAME:
            prctl.set_name(name)
        elif name:
            prctl.set_title(name)
        if circus["umask"] is not None:
            os.umask(circus["umask"])
        files.raise_limit()
        level = arguments.log_level or ("debug" if circus["debug"] else circus["loglevel"])
        output = arguments.log_output or known(circus["logoutput"])
        self._log = QueuedLog(configure_logger(logger, level, output, self._logger_config))
        try:
            self._warn()
            if circus["debug_gc"]:
                trace_garbage()
            if self._handed is not None:
                estate = go_on(self._handed, circus["adopt"])
            else:
                estate = take(circus, self._origin.path or "", os.environ)
            try:
                return self._hold_pidfile(estate)
            finally:
                if estate is not None:
                    estate.folder.close()
        finally:
            self._log.close()
            self._signals.ignore()

    def _hold_pidfile(self, estate: Estate | None) -> int:
        """Supervise, with a pid file if there is to be one."""
        pidfile = self._arguments.pidfile or self._configuration.circus["pidfile"]
        if not pidfile:
            return self._supervise(estate)
        from cvec_circus.system.pidfile import Pidfile

        held = Pidfile(pidfile)
        self._signals.hold()
        held.create()
        self._pidfile = held
        try:
            return self._supervise(estate)
        finally:
            held.unlink()

    def _warn(self) -> None:
        """Log what is odd about the configuration and the machine."""
        for warning in self._configuration.warnings:
            logger.warning("%s", warning)
        for name, problems in self._configuration.left_out:
            for problem in problems:
                logger.warning("%s is left out: %s", name, problem)
        runs: list[WatcherConfig | PluginConfig] = [*self._configuration.watchers]
        runs += self._configuration.plugins
        lost = (one.name for one in self._configuration.left_out)
        for name, cause in dependants(runs, lost).items():
            logger.warning("%s does not start: it depends on %s, which is left out", name, cause)
        self._check_files(self._configuration)
        if self._arguments.daemon and self._log.fileno() == 2:
            logger.warning("this log is lost in the background: set logoutput or --log-output")

    def _check_files(self, configuration: Configuration) -> None:
        self._log.variables.adopt(configuration.variables)
        check_files(configuration, self._arguments.prefix)

    def _supervise(self, estate: Estate | None) -> int:
        """Run a supervisor on this thread, with signals."""
        self._estate = estate
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
            captures_output=self._arguments.prefix,
            estate=estate,
            handed=self._handed,
        )
        self._handed = None

        if self._pidfile is not None:
            supervisor.desks.own_files.add(self._pidfile)

        def on_signal(name: str, action: Action) -> None:
            if action is Action.COLLECT:
                supervisor.child_exited()
                return
            cause = Cause(f"signal:{name}", f"signal:{name}")
            if action is Action.STOP:
                supervisor.stop(cause)
            elif action is Action.REOPEN:
                logger.info("reopening log files (signal:%s)", name)
                supervisor.target.reopen(None)
            else:
                self._reload(supervisor, cause)

        self._signals.install(supervisor.loop, on_signal)
        self._log.give_way(supervisor.loop)
        watchdog = Watchdog(supervisor.loop)
        try:
            watchdog.start()
            return self._serve(supervisor)
        finally:
            watchdog.stop()
            self._signals.uninstall()
            supervisor.close()
            for arbiter in self._arbiters:
                arbiter.end()

    def _facades(self, supervisor: Supervisor, watcher: Watcher, caller: Caller) -> tuple[Any, Any]:
        """Make the `watcher` and `arbiter` that hooks get. On the thread of the hooks."""
        from cvec_circus.embedding.registry import RunningArbiter

        if not self._arbiters:
            self._arbiters.append(RunningArbiter(supervisor))  # two threads may; one is used
        return self._arbiters[0].facades(supervisor, watcher, caller)

    def _serve(self, supervisor: Supervisor) -> int:
        """Supervise until the daemon is stopped."""
        if self._unit is not None:
            supervisor.shutdown.announce = self._unit.stopping
        supervisor.loop.post(self._begun, supervisor)
        insist = supervisor.insist
        supervisor.loop.post(supervisor.loop.post, insist, self._prepare_upgrade, supervisor)
        code = supervisor.run()
        logger.info("stopped")
        return code

    def _prepare_upgrade(self, supervisor: Supervisor) -> None:
        """Load what an upgrade needs while it is of the daemon's own version."""
        from cvec_circus.daemon.succession import MainSuccession
        from cvec_circus.supervisor.survival.upgrade import Upgrade

        given = self._estate, self._signals, self._log, self._unit
        supervisor.target.upgrade = Upgrade(supervisor, MainSuccession(self._words, *given)).ask

    def _reload(self, supervisor: Supervisor, cause: Cause) -> None:
        self._log.reopen()
        if self._unit is None or supervisor.shutdown.begun:
            supervisor.reload(cause)
            return
        self._unit.reloading()
        supervisor.reload(cause)
        self._unit.reloaded()

    def _begun(self, supervisor: Supervisor) -> None:
        """Announce that the daemon is up: in the log, to the service manager, and to the launching
        shell.

        Called in the first turn of the loop: the endpoints and sockets are open, what an earlier
        daemon has left is taken over, and every watcher has its order to start, but no process yet
        that could inherit a terminal. The processes are not waited for: one of them may be broken,
        or start late by a warmup_delay, and to retry it is what the daemon is up for.
        """
        address, events = supervisor.control.address, supervisor.events.address
        logger.info(
            "cvec_circus %s is up: commands at %s, events at %s", __version__, address, events
        )
        if self._arguments.demo:
            from cvec_circus import demo

            print(demo.what_to_try(address, os.environ["CVEC_CIRCUS_DEMO_DIR"]), flush=True)
        if self._unit is not None:
            self._unit.ready(supervisor.loop)
        if self._arguments.daemon:
            from cvec_circus.system import daemonize

            released = threading.Event()

            def release() -> None:
                daemonize.release()
                released.set()

            self._log.after(release)
            # The first processes start after this: they must not inherit the launcher's stderr.
            released.wait(RELEASE_TIMEOUT)


def share_output() -> None:
    """Let programs of other users open /dev/stdout and /dev/stderr, where these are our pipes.

    A shell or a container's runtime makes the pipes for the user that it starts, which may change
    the user only as root. A pipe without a path has names below /proc/PID/fd alone, so only who has
    it open already can open it once more.
    """
    for fd in (1, 2):
        try:
            found = os.fstat(fd)
            is_unnamed = os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:")
            if is_unnamed and found.st_uid == os.geteuid():
                os.fchmod(fd, stat.S_IMODE(found.st_mode) | 0o222)
        except OSError:
            pass  # it is closed, or on a file system that is read-only: then all is as it was


def trace_garbage() -> None:
    """Log every garbage collection, to the end of the process."""
    began = 0.0

    def collected(phase: str, details: dict[str, Any]) -> None:
        nonlocal began
        if phase == "start":
            began = SYSTEM.monotonic()
            return
        generation = details["generation"]
        logger.log(
            logging.INFO if generation == OLDEST else logging.DEBUG,
            "garbage: generation %d: %d collected, %d uncollectable, %.1f ms",
            generation,
            details["collected"],
            details["uncollectable"],
            (SYSTEM.monotonic() - began) * 1000,
        )

    gc.callbacks.append(collected)


def set_level(level: str) -> None:
    """Set the level of the log."""
    logger.setLevel(level.upper())


def check_files(configuration: Configuration, captures_all: bool = False) -> None:
    """Warn when the limit on open files is too low for a configuration."""
    default = configuration.circus["log_history"]
    limit = files.limit()
    needed = FILES_OF_OURS + len(configuration.sockets)
    if configuration.circus["cgroup"] != OFF:
        needed += FILES_OF_A_CGROUP * len(configuration.watchers)
    for watcher in configuration.watchers:
        options = watcher.options
        pipes = sum(is_captured(options, one, default, captures_all) for one in CHANNELS)
        streams = bool(options.stdout_stream) + bool(options.stderr_stream)
        needed += options.numprocesses * (1 + pipes) + streams
    if needed > limit:
        logger.warning(
            "all processes need about %d open files, but only %d are allowed: raise ulimit -n",
            needed,
            limit,
        )
