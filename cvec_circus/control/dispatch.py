"""From the frames of a request to the command that answers it, whatever the frames hold."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.commands import table
from cvec_circus.control import actors
from cvec_circus.control.deferred import Deferred, LookUp, Pending
from cvec_circus.control.replies import FAULT, Reply
from cvec_circus.exc import CircusError, MessageError, OptionError, SupervisorStopped
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.wire import messages

if TYPE_CHECKING:
    from cvec_circus.commands.base import Command, CommandTarget
    from cvec_circus.control.ownership import Guard
    from cvec_circus.control.server import Request
    from cvec_circus.options.rights import Accounts

_TOP_LEVEL = frozenset({"id", "command", "properties", "msg_type", "actor"})
STOPPING = "arbiter is stopping"


def not_looked_up(accounts: Accounts, then: Callable[[OptionError | None], object]) -> None:
    """Take accounts as they are given: nothing asks the system here."""
    then(None)


class Dispatcher:
    """Owned by the supervisor thread. Answers every request exactly once, and no cast.

    What is wrong with a request is told to its sender and to nobody else: only a fault of ours goes
    to the log, with its traceback, and then the sender learns no more than that there was one.
    """

    def __init__(
        self,
        target: CommandTarget,
        clock: Clock = SYSTEM,
        guard: Guard | None = None,
        look_up: LookUp = not_looked_up,
    ) -> None:
        """Make a dispatcher.

        Args:
            target: The supervisor.
            clock: Gives the replies their time.
            guard: Raises for a request that its sender has no right to.
            look_up: Has the accounts in a message looked up on another thread.
        """
        self.deferred = Deferred(look_up)
        self._guard = guard
        self._target = target
        self._clock = clock

    def __call__(self, request: Request) -> None:
        """Carry out one request.

        Args:
            request: What came in; its answer is sent once at most, now or later.
        """
        reply = Reply(request.send, self._clock, request)
        with answering(reply):
            self.carry_out(messages.decode(only(request), messages.MAX_VALUES), reply, self._guard)

    def carry_out(self, message: dict[str, Any], reply: Reply, guard: Guard | None = None) -> None:
        """Carry out a message, and answer it now or later.

        Args:
            message: What came in.
            reply: Takes the answer.
            guard: What may refuse it; nothing does if this program sends it itself.

        Raises:
            Exception: What keeps it from being carried out; then it is not answered.
        """
        reply.message_id = message.get("id")
        reply.cast = message.get("msg_type") == "cast"
        reply.name = actors.named(message.get("actor"))
        command = look_up(message)
        reply.label = command.name
        props = command.validate(properties_of(message, command))
        reply.timeout = props.get("timeout")
        reply.keep(bool(props.get("waiting")))
        call = command.call(self._target, props, reply)

        def now(problem: CircusError | None = None) -> None:
            if guard is not None:
                guard(command.name, props)
            if command.mutating and self._target.stopping and not command.urgent:
                raise SupervisorStopped(STOPPING)
            if problem is not None:
                raise problem
            fields = command.execute(call)
            if fields is not None:
                reply.ok(**fields)

        def later(problem: CircusError | None) -> None:
            with answering(reply):
                now(problem)

        accounts = partial(command.accounts, call)
        self.deferred.carry_out(reply.client, props.get("name"), Pending(accounts, now, later))


@contextlib.contextmanager
def answering(reply: Reply) -> Iterator[None]:
    """Answer with what is raised meanwhile; log what is a fault in the daemon."""
    try:
        yield
    except Exception as problem:
        if not is_told(problem):
            logger.error("%s failed", reply.label, exc_info=problem)
        if not reply.answered:
            reply.fail(*explain(problem))


def only(request: Request) -> bytes:
    """Take the one frame that a request has.

    Raises:
        MessageError: There is none, there are several, or it is too large.
    """
    if request.count != 1:
        raise MessageError(f"message invalid: one frame is wanted, {request.count} came")
    if request.largest > messages.MAX_FRAME:
        raise MessageError(f"message invalid: {request.largest} bytes, more than 1 MiB")
    return request.take()


def look_up(message: dict[str, Any]) -> Command:
    """Find the command that a message names.

    Raises:
        MessageError: It names none.
    """
    name = message.get("command")
    if name is None:
        raise MessageError("message invalid 'command' is missing")
    if not isinstance(name, str):
        raise MessageError("message invalid: command: is not text")
    command = table.find(name)
    if command is None:
        reason = f"unknown command: {name[:60]!r}{did_you_mean(name, table.NAMES)}"
        raise MessageError(reason, messages.UNKNOWN_COMMAND)
    return command


def properties_of(message: dict[str, Any], command: Command) -> dict[str, Any]:
    """Take the properties out of a message.

    Raises:
        MessageError: They are no object, or one of them stands beside them: a ``stop`` with its
            name in the wrong place must not stop everything.
    """
    for key in message.keys() - _TOP_LEVEL:
        if key == "name" or key in command.by_name:
            raise MessageError(f"message invalid: {key!r} belongs into 'properties'")
    properties = message.get("properties", {})
    if not isinstance(properties, dict):
        raise MessageError("message invalid: properties: is not an object")
    return properties


def is_told(problem: Exception) -> bool:
    """Tell whether a problem is the sender's or the system's, and not a fault of ours."""
    return isinstance(problem, (CircusError, OSError, MemoryError))


def explain(problem: Exception) -> tuple[str, int]:
    """Turn what was raised into the reason and the error number that the sender gets."""
    if isinstance(problem, MessageError):
        return str(problem), problem.errno
    if isinstance(problem, OptionError):
        return str(problem), messages.BAD_MESSAGE
    if isinstance(problem, CircusError):
        return str(problem), messages.COMMAND_FAILED
    if isinstance(problem, OSError):
        return str(problem), messages.OS_ERROR
    if isinstance(problem, MemoryError):
        return "the daemon has no memory for that", messages.COMMAND_FAILED
    return FAULT, messages.COMMAND_FAILED
