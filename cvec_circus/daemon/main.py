"""cvec_circusd: from its command line to its exit code."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cvec_circus import exc
from cvec_circus.daemon import signals
from cvec_circus.daemon.arguments import complain, parse

if TYPE_CHECKING:
    from cvec_circus.system.notify import Notifier

SERVICE_VARIABLES = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
"""What a service manager sets for this process and no other."""


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
            complain(problem)
    except exc.CircusError as error:
        complain(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{error.strerror}")
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
    """Reads the configuration and lives by it; see `main` for what is raised."""
    if arguments.check or arguments.print_config:
        return look(arguments)
    # These imports are half of the time that a start takes.
    from cvec_circus.config.configuration import Origin
    from cvec_circus.config.readers.ini import load
    from cvec_circus.daemon.life import Life

    gc.freeze()
    gc.enable()  # the script has disabled it
    notifier = take_notifier()
    path = demo_path() if arguments.demo else arguments.config
    cwd = working_dir()
    configuration = load(path, os.environ, cwd)
    configuration.forget_places()
    origin = Origin(os.path.join(cwd, path), dict(os.environ), cwd)
    if arguments.daemon:
        detach()
    return Life(arguments, configuration, notifier, origin).run()


def look(arguments: argparse.Namespace) -> int:
    """Says what is to be said of configuration files. Nobody else imports what that takes."""
    from cvec_circus.daemon import check

    if arguments.print_config:
        return check.print_config(arguments.print_config, os.environ, working_dir())
    return check.check(arguments.check, os.environ, working_dir())


def demo_path() -> str:
    """Prepares the demonstration and returns its configuration file. Nobody else imports it."""
    from cvec_circus import demo

    return str(demo.prepare(os.environ))


def take_notifier() -> Notifier | None:
    """Returns the way to the service manager, and keeps it from the children."""
    if not SERVICE_VARIABLES.intersection(os.environ):
        return None
    from cvec_circus.system import notify

    return notify.take(os.environ)


def detach() -> None:
    """Goes to the background, with no file that the shell had open, and no thread yet."""
    from cvec_circus.system import daemonize

    daemonize.close_inherited()
    daemonize.detach("cvec_circusd: ")


if __name__ == "__main__":
    sys.exit(main())
