"""cvec_circusctl: the flow from the command line to the exit code.

Nothing is imported here that the way to a reply does not need: a prompt that shows the state of a
daemon runs this several times a second.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cvec_circus import exc
from cvec_circus.client import CALL_TIMEOUT, TIMED_OUT, Client
from cvec_circus.connect import endpoint_from, refuse_ssh
from cvec_circus.ctl.arguments import parse, usage_error
from cvec_circus.ctl.output import show
from cvec_circus.wire import messages

if TYPE_CHECKING:
    from cvec_circus.commands.base import Command, Fields

#: Seconds that the daemon gets on top of a time-out that it was told, to say that it has passed.
GRACE = 1.0
#: The exit code of what Ctrl-C has ended, as shells have it.
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run cvec_circusctl.

    Args:
        argv: The arguments; those of the process by default.

    Returns:
        The exit code: 0 for success, 3 for an error reply, 4 for a daemon that does not answer.

    Raises:
        SystemExit: With 2 for a command line that is wrong, with 0 after --help or --version.
    """
    options, command, properties = parse(sys.argv[1:] if argv is None else list(argv))
    if command is None:
        return exc.EXIT_OK
    try:
        refuse_ssh(options.ssh)
    except exc.SocketError as problem:
        usage_error(str(problem))
    endpoint = options.endpoint or endpoint_from()
    try:
        reply = ask(endpoint, command, properties, options.timeout)
    except exc.CallError as problem:
        print(unreachable(str(problem), endpoint, options.timeout), file=sys.stderr)
        return exc.EXIT_UNREACHABLE
    except KeyboardInterrupt:
        return INTERRUPTED
    show(command, reply, options.json, options.prettify)
    return exc.EXIT_REFUSED if reply.get("status") == "error" else exc.EXIT_OK


def ask(endpoint: str, command: Command, properties: Fields, timeout: float | None) -> Fields:
    """Send a command and wait for its reply.

    Without a time-out of its own, a command that waits for the end of something waits as long as
    the daemon lives. With one, the daemon is told, so that it can say what was not done in time.

    Raises:
        CallError: There is no usable reply.
    """
    limit: float | None = timeout or CALL_TIMEOUT
    if properties.get("waiting"):
        limit = None
        if timeout is not None:
            properties = {**properties, "timeout": timeout}
            limit = timeout + GRACE
    with Client(endpoint) as client:
        return client.exchange(messages.call(command.name, properties), limit)


def unreachable(reason: str, endpoint: str, timeout: float | None) -> str:
    """Say why there is no reply."""
    if reason != TIMED_OUT:
        return f"error: {reason}"
    return (
        f"cannot reach {endpoint} within {timeout or CALL_TIMEOUT:g} s: "
        "is cvec_circusd running, and is --endpoint right?"
    )
