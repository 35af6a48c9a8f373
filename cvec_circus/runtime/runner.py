"""Runs one plugin in this process: for cvec_circus-plugin, and for the daemon.

A user names the class and the endpoints on the command line. The daemon passes everything in the
environment variable CVEC_CIRCUS_PLUGIN as JSON, so that a configuration arrives unchanged.
"""

from __future__ import annotations

import io
import logging
import mmap
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence

from cvec_circus import exc, logger
from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.client.feed.sequence import EventSequence
from cvec_circus.client.program import refuse
from cvec_circus.logs.program import configure
from cvec_circus.runtime.assignment import Assignment, argument_parser, read
from cvec_circus.runtime.catalogue import load_class, names
from cvec_circus.runtime.life import tell_failure
from cvec_circus.runtime.plugin import CircusPlugin
from cvec_circus.runtime.schema import typed, unknown
from cvec_circus.system import completion, utf8
from cvec_circus.system.signals import ENDING, Interrupts, handle_ending
from cvec_circus.wire.progress import LAYOUT

ORPHAN_TIMEOUT = 20.0
"""Seconds that a plugin may take to stop when the daemon is gone, since nothing else would end it.
A call that waits for the daemon takes up to ten of them to notice."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a plugin until it is stopped. The main thread; installs signal handlers.

    Args:
        arguments: The command line; None for that of this process.

    Returns:
        The exit code: 0 stopped as asked, 1 failed while running, 2 could not be run at all.
    """
    if arguments is None:
        utf8.require()
        completion.answer(argument_parser, {"use": names})
    try:
        assignment = read(arguments)
    except exc.ArgumentError as error:
        return refuse(error)
    if assignment.ssh is None:
        return run(assignment)
    try:
        return run_far(assignment)
    except exc.SocketError as error:
        print(f"{exc.ERROR}{error}", file=sys.stderr, flush=True)
        return exc.EXIT_PROBLEM


def run_far(assignment: Assignment) -> int:
    """Run a plugin whose daemon is on another machine; raises SocketError if ssh fails."""
    from cvec_circus.client.tunnel import tunnel_until_signal

    with tunnel_until_signal(assignment.ssh) as tunnel:
        assignment.endpoint = tunnel.local(assignment.endpoint)
        assignment.pubsub_endpoint = tunnel.local(assignment.pubsub_endpoint)
        return run(assignment)


def run(assignment: Assignment) -> int:
    """Load a plugin and run it; return the exit code."""
    signals = Signals()
    extend_sys_path(assignment.sys_path)
    try:
        plugin_class = load_class(assignment.use)
        assignment.config = typed(plugin_class.schema, assignment.config)
        name = str(assignment.config.get("name", assignment.use))
        about = assignment.log_level, assignment.log_output, assignment.by_daemon
        signals.log_fileno = configure(name, *about)
    except (exc.PluginError, exc.OptionError, OSError) as error:
        return refused(assignment, error)
    if assignment.by_daemon and isinstance(sys.stdout, io.TextIOWrapper):
        # What print() writes appears in the log at once, and whole lines, also if PYTHONUNBUFFERED
        # is set: others write to the log, too.
        sys.stdout.reconfigure(line_buffering=True, write_through=False)
    # The daemon's log has the endpoints already; a user who starts a plugin by hand wants to see
    # them.
    level = logging.DEBUG if assignment.by_daemon else logging.INFO
    logger.log(level, "Loading the plugin...")
    logger.log(level, "Endpoint: %r", assignment.endpoint)
    logger.log(level, "Pub/sub: %r", assignment.pubsub_endpoint)
    try:
        plugin = make(assignment, plugin_class, signals)
    except (exc.PluginError, exc.OptionError) as error:
        return refused(assignment, error)
    except Exception as error:
        return failed(assignment, error)
    if assignment.report is not None:
        os.close(assignment.report)
    for key, hint in unknown(plugin_class.schema, assignment.config).items():
        if hint or not assignment.by_daemon:  # another one may be for all sections of a file
            logger.warning("%s: unknown option%s", key, hint)
    logger.info("Starting")
    try:
        plugin.start()
    except ValueError as error:
        logger.error("%s", error)
        return exc.EXIT_PROBLEM
    except exc.PluginError:
        return exc.EXIT_PROBLEM  # the plugin thread has logged why
    return exc.EXIT_OK


def make(
    assignment: Assignment, plugin_class: type[CircusPlugin], signals: Signals
) -> CircusPlugin:
    """Make a plugin that signals stop, and the end of the daemon that started it."""
    plugin = plugin_class(
        assignment.endpoint,
        assignment.pubsub_endpoint,
        assignment.check_delay,
        None,
        **assignment.config,
    )
    plugin._life.sequence = EventSequence(assignment.since, assignment.run)
    if assignment.progress is not None:
        plugin._life.progress = shared_progress(assignment.progress)
    plugin._life.deaths = assignment.deaths
    plugin._life.helpers = frozenset(assignment.helpers)
    plugin._life.control = signals.control
    signals.watch(plugin)
    if assignment.lifeline is not None:
        watch_lifeline(plugin, signals.control, assignment.lifeline)
    return plugin


def shared_progress(fd: int) -> memoryview:
    """Map the memory that the daemon shares, see `wire.progress`; raises OSError."""
    if os.fstat(fd).st_size < LAYOUT.size:
        os.ftruncate(fd, LAYOUT.size)  # by a daemon of version 0.1, which reads the first number
    return memoryview(mmap.mmap(fd, LAYOUT.size)).cast("Q")


class Signals:
    """Stops the plugin on a signal. Owned by the main thread, as signals are.

    The interpreter writes the number of each signal into a pipe at once, and a thread reads it. The
    handlers do nothing: they would run on the main thread between two bytecodes, which may be far
    apart. handle_stop may hang, and a signal that comes just before the main thread waits for a
    lock is not handled before the next.

    Attributes:
        control: The loop for the plugin's control thread.
        log_fileno: Returns the descriptor that gets the last words of a plugin ended at once.
    """

    def __init__(self) -> None:
        """Begin to listen, until the process ends: a thread of the plugin may outlive it."""
        self.control = ZmqLoop(name="control")
        self.log_fileno: Callable[[], int] = lambda: 2
        self._read_fd, write_fd = os.pipe()
        os.set_blocking(write_fd, False)
        self._lock = threading.Lock()
        self._plugin: CircusPlugin | None = None
        self._interrupts = Interrupts()
        self._arrived = False
        signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
        handle_ending(_nothing)
        threading.Thread(target=self._listen, name="signals", daemon=True).start()

    def watch(self, plugin: CircusPlugin) -> None:
        """Stop a plugin when a signal has arrived or arrives."""
        with self._lock:
            self._plugin = plugin
            arrived = self._arrived
        if arrived:
            end(plugin)

    def _listen(self) -> None:
        """Read the numbers of signals. The listening thread."""
        while True:
            for signum in os.read(self._read_fd, 64):
                if signum in ENDING:
                    self._hear(signum)

    def _hear(self, signum: int) -> None:
        with self._lock:
            first, self._arrived = not self._arrived, True
            plugin = self._plugin
        if self._interrupts.insists(signum):
            os.write(self.log_fileno(), b"[ERROR] interrupted again: ending without handle_stop\n")
            os._exit(exc.EXIT_PROBLEM)  # past every lock, those of the log included
        if first and plugin is not None:
            self.control.post(end, plugin)


def _nothing(signum: int, frame: object) -> None:
    """Replace the default action of a signal."""


def watch_lifeline(plugin: CircusPlugin, control: ZmqLoop, lifeline: int) -> None:
    """End the plugin when the daemon has ended, and the process after a while in any case."""

    def gone() -> None:
        control.remove_reader(lifeline)
        logger.warning("the daemon is gone")
        last_resort = threading.Timer(ORPHAN_TIMEOUT, os._exit, (exc.EXIT_PROBLEM,))
        last_resort.daemon = True
        last_resort.start()
        end(plugin)

    control.add_reader(lifeline, gone)


def end(plugin: CircusPlugin) -> None:
    """Stop a plugin by its `stop`, which it may override, for certain. The control thread."""
    try:
        plugin.stop()
    except Exception:
        logger.exception("%s: stop raised", type(plugin).__qualname__)
    finally:
        CircusPlugin.stop(plugin)


def extend_sys_path(daemon_path: Sequence[str]) -> None:
    """Import from the current directory, then from where only this process would, as its PYTHONPATH
    says, then from where the daemon imports, in its order: a module has the same file in both."""
    own = [entry for entry in sys.path if entry and entry not in daemon_path]
    # "" rather than the path of the current directory, which may be gone.
    sys.path[:] = ["", *own, *filter(None, daemon_path)]


def failed(assignment: Assignment, error: Exception) -> int:
    """Say what the plugin's constructor has raised."""
    if isinstance(error, exc.CircusError):
        logger.error("%s: %s", assignment.use, error)
    else:
        tell_failure(assignment.use, "__init__", error, assignment.deaths)
    return exc.EXIT_PROBLEM


def refused(assignment: Assignment, error: Exception) -> int:
    """Say why the plugin cannot run, with the traceback of the cause if requested."""
    code = refuse(error, assignment.report)
    if assignment.log_level == "debug" and error.__cause__ is not None:
        traceback.print_exception(type(error), error.__cause__, error.__cause__.__traceback__)
    return code


if __name__ == "__main__":
    sys.exit(main())
