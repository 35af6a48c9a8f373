"""cvec_circusd: from its command line to its exit code."""

from __future__ import annotations

import gc
import sys

if __name__ == "__main__":  # as the script does, which an upgrade may not have
    gc.disable()

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cvec_circus import exc
from cvec_circus.daemon import signals
from cvec_circus.daemon.arguments import complain, parse, parser, sentence
from cvec_circus.system import completion, handover, utf8

if TYPE_CHECKING:
    from cvec_circus.config.configuration import Configuration
    from cvec_circus.daemon.daemon import Daemon
    from cvec_circus.system.handover import Inherited

SERVICE_VARIABLES = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
"""What a service manager sets for this process and no other."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the daemon on the main thread until it is stopped.

    Returns:
        The exit code: 0; 1 when it could not start, or a process would not end; 2 for wrong usage.
    """
    if argv is None:
        utf8.require()
        completion.answer(parser)
    try:
        fill_standard_files()
        signals.reset(handover.pending(os.environ))
        return run(parse(argv), sys.argv[1:] if argv is None else argv)
    except (exc.CircusError, handover.HandoverError) as error:
        for problem in str(error).split("\n"):
            complain(problem)
    except OSError as error:
        complain(sentence(error))
    except MemoryError:
        complain("there is not enough memory to start")
    return exc.EXIT_PROBLEM


def fill_standard_files() -> None:
    """Open /dev/null for each of stdin, stdout and stderr that is closed.

    Otherwise one of our pipes would get that number, and the log and every child would write to it.
    """
    fd = os.open(os.devnull, os.O_RDWR)
    while fd <= 2:
        os.set_inheritable(fd, True)
        fd = os.dup(fd)
    os.close(fd)


def run(arguments: argparse.Namespace, words: Sequence[str] = ()) -> int:
    """Read the configuration, and check, print or run it; `main` says what is raised."""
    if arguments.doctor:
        from cvec_circus.daemon import doctor

        return doctor.report(arguments.json)
    try:
        cwd = os.getcwd()
    except FileNotFoundError:
        raise exc.CircusError("the working directory no longer exists") from None
    if arguments.check or arguments.print_config:
        from cvec_circus.daemon import check

        if arguments.print_config:
            chosen = arguments.print_config, os.environ, cwd, arguments.show_secrets
            return check.print_config(*chosen)
        elsewhere, allow_remote = arguments.elsewhere, arguments.allow_remote
        return check.check(arguments.check, os.environ, cwd, elsewhere, allow_remote)
    inherited = handover.receive(os.environ)
    if inherited is not None:
        inherited.hold()
        arguments.daemon = False  # it is in the background already
    try:
        daemon, configuration = _prepare(arguments, words, cwd, inherited)
    except Exception as error:
        if inherited is not None:
            from cvec_circus.daemon.succession import go_back

            go_back(inherited, error)
        raise
    inherited = None  # it may be large
    try:
        return daemon.run()
    except (exc.CircusError, OSError) as error:
        failure = error
    said = str(failure) if isinstance(failure, exc.CircusError) else sentence(failure)
    if arguments.config:  # the variables of the demonstration are ours, and no secrets
        from cvec_circus.daemon.failure import explained

        said = configuration.variables.conceal(said)
        said = explained(said, arguments.config, os.environ, cwd, arguments.allow_remote)
    raise exc.CircusError(said) from failure


def _prepare(
    arguments: argparse.Namespace, words: Sequence[str], cwd: str, inherited: Inherited | None
) -> tuple[Daemon, Configuration]:
    """Read the configuration, and make the daemon; nothing that was handed over is used yet."""
    # These imports are half of the time that a start takes.
    from cvec_circus.config.configuration import Origin
    from cvec_circus.config.readers.document import load
    from cvec_circus.daemon import container
    from cvec_circus.daemon.daemon import Daemon

    notifier = None
    if SERVICE_VARIABLES.intersection(os.environ):
        from cvec_circus.system import notify

        notifier = notify.take(os.environ)
    path = demo_path() if arguments.demo else arguments.config
    handed = None
    if inherited is None:
        configuration = load(path, os.environ, cwd)
    else:
        # Few starts are upgrades. What is loaded later cannot lead back to the program before.
        from cvec_circus.daemon.resuming import resumed
        from cvec_circus.supervisor.survival.carrying_on import carry_on  # noqa: F401
        from cvec_circus.supervisor.survival.handed import Handed

        handed = Handed(inherited)
        configuration = resumed(path, os.environ, cwd, handed, arguments.allow_remote)
    configuration.forget_places()
    origin = Origin(os.path.join(cwd, path), dict(os.environ), cwd)
    if arguments.daemon:
        container.refuse_background()
        detach()
    daemon = Daemon(arguments, configuration, notifier, origin, words, handed)
    gc.freeze()
    gc.enable()  # the script has disabled it
    return daemon, configuration


def demo_path() -> str:
    """Prepare the demonstration, and return its configuration file."""
    from cvec_circus import demo

    return str(demo.prepare(os.environ))


def detach() -> None:
    """Go to the background, with no file that the shell had open, and no thread yet."""
    from cvec_circus.system import daemonize

    daemonize.close_inherited()
    daemonize.detach(exc.ERROR)


if __name__ == "__main__":
    sys.exit(main())
