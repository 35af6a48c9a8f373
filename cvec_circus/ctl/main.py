"""cvec_circusctl: the flow from the command line to the exit code.

Nothing is imported here that the way to a reply does not need: a prompt that shows the state of a
daemon runs this several times a second. What a shell, a stream of events or an explanation needs
is imported on use.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Callable

from cvec_circus import exc
from cvec_circus.base.patterns import regex
from cvec_circus.client import CALL_TIMEOUT, TIMED_OUT
from cvec_circus.client.direct import exchange
from cvec_circus.client.endpoints import absence, chosen
from cvec_circus.commands.base import YES
from cvec_circus.ctl.arguments import PROG, Line, parse
from cvec_circus.ctl.output import complain, show, show_error
from cvec_circus.system import completion, utf8
from cvec_circus.wire import messages

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from cvec_circus.commands.base import Command, Fields

GRACE = 1.0
"""Seconds to wait beyond the timeout that the daemon was given, for its report of the timeout."""

NOT_FOUND = regex("program (.*) not found")
"""The daemon's answer to a name that no watcher has, in the words of Circus."""

THERE = regex("'(.*)' already exist")
"""The same to one that a watcher has already."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run cvec_circusctl, by default with the arguments of the process.

    Returns:
        The exit code: 0 for success, 3 for an error reply, 4 for a daemon that does not answer.

    Raises:
        SystemExit: With 2 for a command line that is wrong, with 0 after --help or --version.
    """
    if argv is None:
        utf8.require()
        completion.answer(_completing_parser)
    try:
        line = parse(sys.argv[1:] if argv is None else list(argv))
        return over_ssh(line) if line.options.ssh else carry_out(line)
    except exc.SocketError as problem:
        complain(f"{exc.ERROR}{problem}")
        return exc.EXIT_UNREACHABLE
    except exc.ArgumentError as problem:
        complain(f"{exc.ERROR}{problem}")
        return exc.EXIT_USAGE
    except KeyboardInterrupt:
        return exc.EXIT_INTERRUPTED
    except exc.OutputError as problem:
        complain(f"{exc.ERROR}{problem}")
        return exc.EXIT_PROBLEM


def _completing_parser() -> ArgumentParser:
    from cvec_circus.ctl.completion import completing_parser

    return completing_parser()


def over_ssh(line: Line) -> int:
    """Carry a line out whose endpoint is on another machine.

    Raises:
        SocketError: ssh fails.
    """
    from cvec_circus.client.tunnel import tunnel_until_signal

    options = line.options
    with tunnel_until_signal(options.ssh, options.ssh_keyfile) as tunnel:
        options.endpoint = tunnel.local(chosen(options.endpoint))
        options.tunnel = tunnel
        return carry_out(line)


def carry_out(line: Line) -> int:
    """Carry a line out and return the exit code; without a command, run a shell."""
    if line.command is not None:
        # A shell that a person types into gives each command a process group, a script does not.
        return run(line, by_script=os.getpgrp() != os.getpid())
    if line.options.completion:
        from cvec_circus.ctl.completion import print_script

        return print_script(line.options.completion)
    from cvec_circus.ctl.shell import Shell

    return Shell(line.options, run).run()


def run(line: Line, by_script: bool = False) -> int:
    """Carry out a command, unless a person is asked first and does not say yes.

    Returns:
        The exit code, as `main`.

    Raises:
        KeyboardInterrupt: Ctrl-C was typed.
        ArgumentError: An option comes too late.
    """
    options, command, properties = line
    assert command is not None
    if options.ssh != (options.tunnel and options.tunnel.server):
        raise exc.ArgumentError("--ssh applies to a whole shell: give it when you start the shell")
    endpoint = chosen(options.endpoint)
    if absence(endpoint, options.timeout, forwarded=bool(options.tunnel)):
        complain(unreachable(TIMED_OUT, options, None))
        return exc.EXIT_UNREACHABLE
    try:
        if not (by_script or is_sure(endpoint, line)):
            return exc.EXIT_PROBLEM
        stream = stream_of(command, options)
        if stream is None:
            reply = ask(endpoint, command, properties, options.timeout)
            if reply.get("status") == "error" and reply.get("removes") and not by_script:
                insisted = insist(endpoint, line, reply)
                if insisted is None:
                    return exc.EXIT_PROBLEM
                reply = insisted
        else:
            reply = stream(endpoint, options, properties)
    except exc.CallError as problem:
        complain(unreachable(str(problem), options, options.timeout or CALL_TIMEOUT))
        return exc.EXIT_UNREACHABLE
    return tell(line, endpoint, reply, is_shown=stream is not None)


def tell(line: Line, endpoint: str, reply: Fields, is_shown: bool) -> int:
    """Print a reply, unless it is one that was shown as it came, and return the exit code."""
    options, command, _ = line
    assert command is not None
    if reply.get("status") != "error":
        if not is_shown:
            show(command, reply, options)
        return command.exit_code(reply)
    reason = str(reply.get("reason"))
    missing = NOT_FOUND.fullmatch(reason)
    if missing and not (options.json or options.prettify):
        from cvec_circus.ctl.reach import near_watcher

        reason = f"no watcher {missing[1]}{near_watcher(missing[1], endpoint)}"
    show_error(reply, THERE.sub(r"there is already a watcher \1", reason), options)
    return command.exit_code(reply)


def is_sure(endpoint: str, line: Line) -> bool:
    """Ask the person at the terminal, if there is one, before what that person should be sure of.

    Raises:
        CallError: There is no usable reply.
    """
    options, command, properties = line
    assert command is not None
    if YES not in command.local or YES.prop in options.local or not has_person(options):
        return True
    from cvec_circus.client import Client
    from cvec_circus.ctl.asking import NOT_DONE, is_agreed

    with Client(endpoint, timeout=options.timeout or CALL_TIMEOUT, name=PROG) as client:
        agreed = is_agreed(client, command.name, properties)
    if not agreed:
        complain(NOT_DONE)
    return agreed


def has_person(options: Namespace) -> bool:
    """Tell whether a person reads the answer and can be asked."""
    if options.json or options.prettify:
        return False
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def insist(endpoint: str, line: Line, refused: Fields) -> Fields | None:
    """Ask the person at the terminal, if there is one, and send what was refused once more.

    Returns:
        The reply: the first one if there is no person, and None if the answer was not yes.

    Raises:
        CallError: There is no usable reply.
    """
    options, command, properties = line
    assert command is not None
    if not has_person(options):
        return refused
    from cvec_circus.ctl.asking import NOT_DONE, question_of_loss, says_yes

    if not says_yes(question_of_loss(command.name, refused)):
        complain(NOT_DONE)
        return None
    return ask(endpoint, command, {**properties, "force": True}, options.timeout)


def stream_of(
    command: Command, options: Namespace
) -> Callable[[str, Namespace, Fields], Fields] | None:
    """Return what carries out a command that prints more than a reply; None for others."""
    if command.name == "logs":
        from cvec_circus.ctl.logs import show_logs

        return show_logs
    if command.name == "listen" or "follow" in options.local:
        from cvec_circus.ctl.follow import follow

        return follow
    return None


def ask(endpoint: str, command: Command, properties: Fields, timeout: float | None) -> Fields:
    """Send a command and wait for its reply.

    A command that waits for the end of something waits without a limit as long as the daemon lives.
    If a timeout is given, the daemon gets it, too, so that it can say what was not done in time.

    Raises:
        CallError: There is no usable reply.
    """
    limit: float | None = timeout or CALL_TIMEOUT
    if properties.get("waiting") or command.waits:
        limit = None
        if timeout is not None:
            properties = {**properties, "timeout": timeout}
            limit = timeout + GRACE
    message = messages.call(command.name, properties)
    if limit is not None:
        reply = exchange(endpoint, {"actor": PROG, **message}, limit)
        if reply is not None:
            return reply
    from cvec_circus.client import Client

    with Client(endpoint, name=PROG) as client:
        return client.exchange(message, limit)


def unreachable(reason: str, options: Namespace, timeout: float | None) -> str:
    """Say why there is no reply, after so many seconds or at once, and what to check."""
    if reason != TIMED_OUT:
        return f"{exc.ERROR}{reason}"
    from cvec_circus.ctl.reach import why_unreachable

    return why_unreachable(options.endpoint, timeout, tunnel=options.tunnel)


if __name__ == "__main__":
    sys.exit(main())
