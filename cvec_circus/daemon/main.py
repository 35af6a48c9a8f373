"""cvec_circusd: arguments, configuration, log and signals around a supervisor."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

import zmq

from cvec_circus import __version__, exc, logger
from cvec_circus.config.build import load
from cvec_circus.config.configuration import Configuration
from cvec_circus.daemon import signals
from cvec_circus.daemon.arguments import parse
from cvec_circus.daemon.logs import Log
from cvec_circus.supervisor.supervisor import Supervisor
from cvec_circus.system import files
from cvec_circus.system.pidfile import Pidfile

SWITCH_INTERVAL = 0.001
"""Seconds after which a thread that computes lets the others in. With Python's 5 ms, one stream
class that burns CPU made a respawn take 33 ms instead of 7."""

FILES_OF_OURS = 64
"""File descriptors the daemon needs beside those of its processes."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the daemon on the main thread until it is told to stop.

    Returns:
        The exit code: 0; 1 when it could not begin, or when something would not end; 2 for a
        command line that makes no sense.
    """
    fill_standard_files()
    signals.reset()
    arguments = parse(argv)
    try:
        return run(arguments)
    except exc.ConfigError as error:
        for problem in error.problems:
            print(f"cvec_circusd: {problem}", file=sys.stderr)
    except exc.CircusError as error:
        print(f"cvec_circusd: {error}", file=sys.stderr)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"cvec_circusd: {where}{error.strerror}", file=sys.stderr)
    return exc.EXIT_PROBLEM


def fill_standard_files() -> None:
    """Opens /dev/null for each of stdin, stdout and stderr that is closed.

    Otherwise a pipe of ours would get that number, and the log and every child would write to it.
    """
    fd = os.open(os.devnull, os.O_RDWR)
    while fd <= 2:
        os.set_inheritable(fd, True)
        fd = os.dup(fd)
    os.close(fd)


def working_dir() -> str:
    """The folder that the daemon was started in, and its processes are."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise exc.CircusError("the working directory does not exist any more") from None


def run(arguments: argparse.Namespace) -> int:
    """Reads the configuration and supervises what it says; see `main` for what is raised."""
    path = demo_path() if arguments.demo else arguments.config
    configuration = load(path, os.environ, working_dir())
    circus = configuration.circus
    level = arguments.log_level or circus["loglevel"]
    if circus["umask"] is not None:
        os.umask(circus["umask"])
    log = Log(level, arguments.log_output or circus["logoutput"])
    try:
        for warning in configuration.warnings:
            logger.warning("%s", warning)
        for name, problems in configuration.left_out:
            for problem in problems:
                logger.warning("%s is left out: %s", name, problem)
        pidfile = arguments.pidfile or circus["pidfile"]
        if not pidfile:
            return supervise(configuration, log, level, arguments.demo)
        held = Pidfile(pidfile)
        signals.hold()
        held.create()
        try:
            return supervise(configuration, log, level, arguments.demo)
        finally:
            held.unlink()
    finally:
        log.close()


def demo_path() -> str:
    """Prepares the demonstration and returns its configuration file. Nobody else imports it."""
    from cvec_circus import demo

    return str(demo.prepare(os.environ))


def supervise(configuration: Configuration, log: Log, level: str, is_demo: bool) -> int:
    """Runs a supervisor on this thread, with signals."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    check_files(configuration)
    signals.hold()
    context = zmq.Context()
    try:
        supervisor = Supervisor(configuration, context, log_level=level, log_fd=log.fileno)

        def on_signal(signum: signal.Signals) -> None:
            cause = f"signal:{signum.name[3:]}"
            if signum in signals.STOP:
                supervisor.stop(cause)
            elif signum == signals.RELOAD:
                supervisor.reload(cause)
            else:
                logger.warning("%s means nothing here", signum.name)

        signals.install(supervisor.loop, on_signal)
        try:
            return serve(supervisor, is_demo)
        finally:
            signals.uninstall()
            supervisor.close()
    finally:
        context.term()


def serve(supervisor: Supervisor, is_demo: bool) -> int:
    """Says that the daemon is up, and supervises until it is told to stop."""
    address = supervisor.control.address
    events = supervisor.events.address
    logger.info("cvec_circus %s is up: commands at %s, events at %s", __version__, address, events)
    if is_demo:
        from cvec_circus import demo

        print(demo.what_to_try(address, os.environ["CVEC_CIRCUS_DEMO_DIR"]), flush=True)
    code = supervisor.run()
    logger.info("stopped")
    return code


def check_files(configuration: Configuration) -> None:
    """Warns when the limit on open files is too low for what is configured."""
    limit = files.limit()
    needed = FILES_OF_OURS + len(configuration.sockets)
    for watcher in configuration.watchers:
        pipes = bool(watcher.options["stdout_stream"]) + bool(watcher.options["stderr_stream"])
        needed += watcher.options["numprocesses"] * (1 + pipes) + pipes
    if needed > limit:
        logger.warning(
            "about %d open files are needed for all processes, and only %d are allowed (ulimit -n)",
            needed,
            limit,
        )


if __name__ == "__main__":
    sys.exit(main())
