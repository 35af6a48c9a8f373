"""cvec_circusd-stats: the process that measures all others, and what is around it."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence

from cvec_circus import exc, logger
from cvec_circus.base.loop import Loop
from cvec_circus.client.tunnel import tunnel_until_signal
from cvec_circus.logs.log import open_output
from cvec_circus.stats.inventory import STATISTICS
from cvec_circus.stats.service import Service
from cvec_circus.stats.task import PROGRAM, VARIABLE, Task, read_arguments, read_environment
from cvec_circus.system.signals import Interrupts

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
"""The first one ends the process in order; of further ones only a SIGINT that insists counts."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and publish until a signal comes, or the daemon that started this is gone.

    Args:
        arguments: The command line; None means that of this process.

    Returns:
        The exit code: 0 stopped as asked, 1 something is wrong, 2 it cannot be run at all.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    from_daemon = os.environ.pop(VARIABLE, None)
    try:
        if from_daemon is not None and not given:
            task = read_environment(from_daemon)
        else:
            task = read_arguments(given)
    except exc.ArgumentError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr, flush=True)
        return exc.EXIT_USAGE
    return run(task)


def run(task: Task) -> int:
    """Do a task to its end; see `main`."""
    try:
        configure_log(task)
        with tunnel_until_signal(task.ssh) as tunnel:
            task.endpoint = tunnel.local(task.endpoint)
            task.pubsub_endpoint = tunnel.local(task.pubsub_endpoint)
            service = Service(task)
            end_by_signals(service.loop)
            if task.lifeline is not None:
                watch_lifeline(service.loop, task.lifeline)
            try:
                service.run()
            finally:
                signal.set_wakeup_fd(-1)
    except (exc.SocketError, exc.OptionError, OSError) as error:
        return refuse(task, error)
    return exc.EXIT_OK


def refuse(task: Task, error: exc.CircusError | OSError) -> int:
    """Say in one line why nothing can be published: to people, and to the daemon if it asks."""
    text = str(error)
    if isinstance(error, OSError) and error.filename:
        text = f"{error.filename}: {error.strerror}"
    print(f"{PROGRAM}: {text}", file=sys.stderr, flush=True)
    if task.report is not None:
        with open(task.report, "w", encoding="utf-8") as report:
            report.write(f"{text}\n")
    return exc.EXIT_USAGE


def end_by_signals(loop: Loop) -> None:
    """Have signals end a loop, to the end of the process."""
    interrupts = Interrupts()

    def hear(signum: int, frame: object) -> None:
        if interrupts.insists(signum):
            os._exit(exc.EXIT_PROBLEM)
        loop.stop()

    signal.set_wakeup_fd(loop.wakeup.write_fd, warn_on_full_buffer=False)
    for signum in SIGNALS:
        if signum == signal.SIGTERM or signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, hear)  # what nohup has had ignored stays ignored


def watch_lifeline(loop: Loop, lifeline: int) -> None:
    """Have the daemon's end be ours."""

    def gone() -> None:
        loop.remove_reader(lifeline)
        logger.warning("the daemon is gone")
        loop.stop()

    loop.add_reader(lifeline, gone)


def configure_log(task: Task) -> None:
    """Log bare lines for a person, and lines with time and name into the daemon's log.

    Raises:
        OSError: The log file cannot be opened, or the syslog cannot be reached.
        OptionError: The URL of the syslog makes no sense.
    """
    line = "[%(levelname)s] %(message)s"
    if task.by_daemon:
        line = f"%(asctime)s {STATISTICS}[%(process)d] {line}"
    output: logging.Handler = logging.StreamHandler(sys.stderr)
    if task.log_output != "-":
        try:
            output = open_output(task.log_output)
            output.subject = STATISTICS
        except OSError:
            if not task.by_daemon:
                raise  # its syslog may be gone for a while, and we are to run all the same
    output.setFormatter(logging.Formatter(line))
    logger.addHandler(output)
    logger.setLevel(task.log_level.upper())
    logger.propagate = False


if __name__ == "__main__":
    sys.exit(main())
