"""cvec_circus-top: the command line, and what becomes of it."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import zmq

from cvec_circus import __version__, exc
from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.client.connect import end_context, endpoint_from, reachable
from cvec_circus.client.tunnel import Tunnel, tunnel_until_signal
from cvec_circus.ctl.output import say
from cvec_circus.options.kinds import to_seconds
from cvec_circus.top.view import NAMES, View
from cvec_circus.view.facts import Facts
from cvec_circus.view.source import TRYING, Source

PROGRAM = "cvec_circus-top"

PASSES = 2
"""How many looks at the processes it takes to know what they use."""

PATIENCE = 5.0
"""Seconds in which somebody has to answer, and as many again in which `--once` has to know that."""


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with a command line in one line. Owned by the main thread."""

    def error(self, message: str) -> NoReturn:
        """Raise ArgumentError instead of printing the usage and leaving."""
        raise exc.ArgumentError(message)


def argument_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = OneLineParser(
        prog=PROGRAM,
        description="Show what the watchers and processes of a cvec_circusd do and use, as it "
        "changes. The key h explains the keys.",
    )
    add = parser.add_argument
    add(
        "--endpoint",
        metavar="URL",
        help="where the daemon takes commands, or where statistics are published",
    )
    add("--ssh", metavar="SERVER", help="reach the endpoint over ssh")
    add(
        "--process-timeout",
        type=_seconds,
        default=3.0,
        metavar="SECONDS",
        help="after how long a process is forgotten that is published no more; default: 3",
    )
    add("--interval", type=_seconds, default=1.0, metavar="SECONDS", help="default: 1, the least")
    add("--sort", choices=NAMES, default="cpu", help="default: cpu")
    add("--filter", default="", metavar="TEXT", help="what a name, state or reason must hold")
    add("--once", action="store_true", help="print the table once; it takes two seconds")
    add("--json", action="store_true", help="print an object a line, one with --once")
    add("--version", action="version", version=__version__)
    return parser


def _seconds(text: str) -> float:
    try:
        return to_seconds(text, 0.0)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Run cvec_circus-top.

    Args:
        argv: The arguments; those of the process by default.

    Returns:
        The exit code: 0, 1 for what cannot be written, 2 for a command line that is wrong, 4 for a
        daemon that does not answer.
    """
    try:
        options = argument_parser().parse_args(argv)
        if not (options.once or options.json or sys.stdout.isatty()):
            raise exc.ArgumentError("standard output is no terminal: use --once or --json")
        with tunnel_until_signal(options.ssh) as tunnel:
            return Top(options, tunnel).run()
    except exc.ArgumentError as problem:
        print(f"{PROGRAM}: {problem}", file=sys.stderr)
        return exc.EXIT_USAGE
    except exc.SocketError as problem:
        print(f"{PROGRAM}: {problem}", file=sys.stderr)
        return exc.EXIT_UNREACHABLE
    except KeyboardInterrupt:
        return exc.EXIT_OK


class Top:
    """One run. Owned by the main thread."""

    def __init__(self, options: argparse.Namespace, tunnel: Tunnel) -> None:
        """Prepare.

        Args:
            options: The command line.
            tunnel: Leads to the daemon's machine.

        Raises:
            SocketError: The daemon's machine cannot be reached.
        """
        self._options = options
        self._tunnel = tunnel
        self._named: str = options.endpoint or endpoint_from()
        self._loop = ZmqLoop(name=PROGRAM)
        self._facts = Facts(options.process_timeout)
        self._view = View(options.sort, options.filter)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._printed = 0
        self._exit_code = exc.EXIT_OK
        self._source = Source(
            self._loop,
            self._context,
            tunnel.local(self._named),
            self._facts,
            options.interval,
            self._reach,
            self._on_news,
        )
        self._refresh = self._print

    def _reach(self, endpoint: str) -> str:
        if self._options.ssh:
            return self._tunnel.local(endpoint)
        return reachable(endpoint, self._named)

    def run(self) -> int:
        """Show or print until that is over.

        Returns:
            The exit code.
        """
        try:
            self._source.open()
            if self._options.once or self._options.json:
                self._loop.call_later(PATIENCE, self._run_out)
                signal.set_wakeup_fd(self._loop.wakeup.write_fd, warn_on_full_buffer=False)
                self._loop.run()
            else:
                from cvec_circus.top.terminal import Terminal  # only a terminal needs curses

                terminal = Terminal(self._loop, self._view, self._facts, self._named)
                self._refresh = terminal.draw
                terminal.run()
        finally:
            signal.set_wakeup_fd(-1)
            self._source.close()
            self._loop.close()
            end_context(self._context)
        return self._exit_code

    def _on_news(self) -> None:
        self._refresh()

    def _print(self) -> None:
        passes = self._facts.passes
        if passes < PASSES or passes == self._printed:
            return
        self._printed = passes
        self._say()
        if self._options.once:
            self._loop.stop()

    def _say(self) -> None:
        if self._options.json:
            told = {
                "endpoint": self._named,
                "time": self._loop.clock.time(),
                "published": self._source.published,
                **self._facts.as_json(),
            }
            text = json.dumps(told)
        else:
            text = "\n".join(line.text for line in self._view.table(self._facts))
        try:
            is_read = say(text)
        except OSError as problem:
            self._fail(f"the output cannot be written: {problem.strerror}", exc.EXIT_PROBLEM)
        else:
            if not is_read:
                self._loop.stop()

    def _fail(self, why: str, exit_code: int) -> None:
        print(f"{PROGRAM}: {why}", file=sys.stderr)
        self._exit_code = exit_code
        self._loop.stop()

    def _run_out(self, last: bool = False) -> None:
        """What there is will have to do in the end; nothing at all is an error."""
        if self._printed:
            return
        if self._facts.watchers and not last:
            self._loop.call_later(PATIENCE, self._run_out, True)
            return
        if self._facts.watchers:
            self._say()
            self._loop.stop()
        else:
            trouble = self._facts.trouble or f"nobody tells anything at {self._named}"
            self._fail(trouble.removesuffix(TRYING), exc.EXIT_UNREACHABLE)


if __name__ == "__main__":
    sys.exit(main())
