"""cvec_circusd-stats: the process that measures all others."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from cvec_circus import exc, logger, version_text
from cvec_circus.base.loop import Loop
from cvec_circus.client.endpoints import DEFAULT_ENDPOINT_STATS
from cvec_circus.client.program import Parser, assigned, refuse, seconds
from cvec_circus.client.tunnel import tunnel_until_signal
from cvec_circus.logs.program import configure
from cvec_circus.stats.payloads import STATISTICS
from cvec_circus.stats.service import Service, Task
from cvec_circus.system import completion, utf8
from cvec_circus.system.signals import Interrupts, handle_ending

PROGRAM = "cvec_circusd-stats"
VARIABLE = "CVEC_CIRCUS_STATS"

SHORTEST = 0.1
"""Seconds: a shorter interval is less accurate, as processor time is counted in hundredths."""


def argument_parser() -> Parser:
    """Make the parser of a person's command line."""
    parser = Parser(
        prog=PROGRAM,
        description="Measure the processes of a cvec_circusd and publish what they use, every "
        "second. A daemon with `statsd = True` starts this by itself.",
    )
    add = parser.add_argument
    parser.add_endpoints()
    add(
        "--statspoint",
        dest="stats_endpoint",
        metavar="URL",
        default=DEFAULT_ENDPOINT_STATS,
        help="where to publish statistics",
    )
    interval = seconds(SHORTEST, 3600)
    add("--interval", type=interval, default=1.0, metavar="SECONDS", help="default: 1")
    parser.add_log()
    where = "reach the two endpoints of the daemon over ssh; it must see the same processes"
    add("--ssh", metavar="SERVER", help=where)
    add("--version", action="version", version=version_text())
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and publish until a signal arrives or the daemon that started this is gone.

    Returns:
        The exit code: 0 stopped as asked, 1 interrupted again, 2 it cannot run.
    """
    if arguments is None:
        utf8.require()
        completion.answer(argument_parser)
    try:
        task = assigned(Task, VARIABLE, argument_parser, arguments)
    except exc.ArgumentError as error:
        return refuse(error)
    try:
        configure(STATISTICS, task.log_level, task.log_output, task.by_daemon)
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
        return refuse(error, task.report)
    return exc.EXIT_OK


def end_by_signals(loop: Loop) -> None:
    """Stop a loop on a signal, until the process ends."""
    interrupts = Interrupts()

    def hear(signum: int, frame: object) -> None:
        if interrupts.insists(signum):
            os._exit(exc.EXIT_PROBLEM)
        loop.stop()

    signal.set_wakeup_fd(loop.wakeup.write_fd, warn_on_full_buffer=False)
    handle_ending(hear)


def watch_lifeline(loop: Loop, lifeline: int) -> None:
    """Stop a loop when the daemon ends."""

    def gone() -> None:
        loop.remove_reader(lifeline)
        logger.warning("the daemon is gone")
        loop.stop()

    loop.add_reader(lifeline, gone)


if __name__ == "__main__":
    sys.exit(main())
