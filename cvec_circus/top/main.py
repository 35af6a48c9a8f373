"""cvec_circus-top: from the command line to the exit code."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence

import zmq

from cvec_circus import exc, version_text
from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.client.connect import end_context
from cvec_circus.client.endpoints import absence, chosen, reachable
from cvec_circus.client.program import Parser, refuse, seconds
from cvec_circus.client.tunnel import Tunnel, tunnel_until_signal
from cvec_circus.ctl.output import page_of, say
from cvec_circus.system import completion, utf8
from cvec_circus.top.screen import NAMES, Screen
from cvec_circus.view.facts import Facts
from cvec_circus.view.source import TRYING, Source

PROGRAM = "cvec_circus-top"

PASSES = 2
"""Measurements needed to know what processes use."""

PATIENCE = 5.0
"""Seconds for an answer, and as many again for the measurements that `--once` needs."""


def argument_parser() -> Parser:
    """Make the parser of the command line."""
    parser = Parser(
        prog=PROGRAM,
        description="Show the states of the watchers of a cvec_circusd and the resources that "
        "their processes use, continuously. The key h explains the keys.",
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
        type=seconds(0.0),
        default=3.0,
        metavar="SECONDS",
        help="how long to show a process after its last figures; default: 3",
    )
    least = "default: 1, the least"
    add("--interval", type=seconds(0.0), default=1.0, metavar="SECONDS", help=least)
    add("--sort", choices=NAMES, default="cpu", help="default: cpu")
    add(
        "--filter",
        default="",
        metavar="TEXT",
        help=("show rows with TEXT in name, state or reason"),
    )
    add("--once", action="store_true", help="print the table once; it takes two seconds")
    add("--json", action="store_true", help="print one object per line; with --once, one")
    clear = "show passwords and keys in reasons at a terminal too"
    add("--show-secrets", "--show_secrets", action="store_true", help=clear)
    add("--version", action="version", version=version_text())
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run cvec_circus-top, by default with the arguments of the process.

    Returns:
        The exit code: 0, 1 if the output cannot be written, 2 for a wrong command line, 4 for a
        daemon that does not answer.
    """
    if argv is None:
        utf8.require()
        completion.answer(argument_parser)
    try:
        options = argument_parser().parse_args(argv)
        if not (options.once or options.json or sys.stdout.isatty()):
            raise exc.ArgumentError("standard output is not a terminal: use --once or --json")
        named = chosen(options.endpoint)
        with tunnel_until_signal(options.ssh) as tunnel:
            if options.once or options.json:  # a screen waits for the daemon
                local = tunnel.local(named)
                if why := absence(local, forwarded=bool(options.ssh)):
                    raise exc.SocketError(f"no daemon at {tunnel.named(local)}: {why}")
            return Top(options, tunnel).run()
    except exc.ArgumentError as problem:
        return refuse(problem)
    except exc.SocketError as problem:
        refuse(problem)
        return exc.EXIT_UNREACHABLE
    except KeyboardInterrupt:
        return exc.EXIT_OK


class Top:
    """One run. Owned by the main thread."""

    def __init__(self, options: argparse.Namespace, tunnel: Tunnel) -> None:
        """Prepare.

        Raises:
            SocketError: The daemon's machine cannot be reached.
        """
        self._options = options
        self._tunnel = tunnel
        self._named = chosen(options.endpoint)
        self._loop = ZmqLoop(name=PROGRAM)
        self._facts = Facts(options.process_timeout)
        conceals = sys.stdout.isatty() and not options.show_secrets
        self._screen = Screen(options.sort, options.filter, conceals)
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
            lambda: self._refresh(),
            conceals and not options.json,
        )
        self._refresh: Callable[[], object] = self._print

    def _reach(self, endpoint: str) -> str:
        if self._options.ssh:
            return self._tunnel.local(endpoint)
        return reachable(endpoint, self._named)

    def run(self) -> int:
        """Show or print until the end, and return the exit code."""
        try:
            self._source.open()
            if self._options.once or self._options.json:
                self._loop.call_later(PATIENCE, self._run_out)
                signal.set_wakeup_fd(self._loop.wakeup.write_fd, warn_on_full_buffer=False)
                self._loop.run()
            else:
                from cvec_circus.top.terminal import Terminal  # only a terminal needs curses

                terminal = Terminal(self._loop, self._screen, self._facts, self._named)
                self._refresh = terminal.draw
                terminal.run()
        finally:
            signal.set_wakeup_fd(-1)
            self._source.close()
            self._loop.close()
            end_context(self._context)
        return self._exit_code

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
            facts = {
                "endpoint": self._named,
                "time": self._loop.clock.time(),
                "published": self._source.published,
                **self._facts.as_json(),
            }
            text = json.dumps(facts)
        else:
            table = self._screen.table(self._facts, page_of(sys.stdout).width)
            text = "\n".join(line.text for line in table)
        try:
            if not say(text):
                self._loop.stop()
        except exc.OutputError as problem:
            self._fail(str(problem), exc.EXIT_PROBLEM)

    def _fail(self, why: str, exit_code: int) -> None:
        print(f"{exc.ERROR}{why}", file=sys.stderr)
        self._exit_code = exit_code
        self._loop.stop()

    def _run_out(self, last: bool = False) -> None:
        """Print what is known at the end; fail if nothing is."""
        if self._printed:
            return
        if self._facts.watchers and not last:
            self._loop.call_later(PATIENCE, self._run_out, True)
            return
        if self._facts.watchers:
            self._say()
            self._loop.stop()
        else:
            trouble = self._facts.trouble or f"nothing is published at {self._named}"
            self._fail(trouble.removesuffix(TRYING), exc.EXIT_UNREACHABLE)


if __name__ == "__main__":
    sys.exit(main())
