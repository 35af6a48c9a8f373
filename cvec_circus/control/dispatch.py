"""From the frames of a request, whatever they contain, to the command that answers it."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Optional

from cvec_circus import logger
from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.base.named import NamedTuple
from cvec_circus.commands import table
from cvec_circus.control.server import FAULT, Reply, named
from cvec_circus.exc import CircusError, MessageError, OptionError, SupervisorStopped
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.options.rights import judge
from cvec_circus.wire import messages
from cvec_circus.wire.topics import fold

if TYPE_CHECKING:
    from cvec_circus.commands.base import Command
    from cvec_circus.commands.target import CommandTarget, Wanted
    from cvec_circus.control.ownership import Guard
    from cvec_circus.control.server import Request

_TOP_LEVEL = frozenset({"id", "command", "properties", "msg_type", "actor"})
STOPPING = "arbiter is stopping"

MOST = 1000
"""How many messages may wait for look-ups; more are refused."""

Problem = Optional[CircusError]

LookUp = Callable[["Wanted", Callable[..., object]], object]
"""Looks things up on another thread, then calls a function with what is wrong with the accounts, or
None, and with warnings. Raises CircusError if that is impossible now."""


class Dispatcher:
    """Answers every request exactly once, and no cast. Owned by the supervisor thread.

    Errors in a request are reported to its sender only. An internal error goes to the log with its
    traceback, and the sender learns only that there was one.

    Args:
        target: The supervisor.
        clock: Gives the replies their time.
        guard: Raises for a request that its sender may not make.
        look_up: Looks up what a message names; by default it is used unchanged.
        conceal: Returns what an error says without the values of variables.
        hide: Returns an answer without the values that are known to be secrets.
        note: Called after an order, before its answer: a crash must not undo what was answered.
    """

    def __init__(
        self,
        target: CommandTarget,
        clock: Clock = SYSTEM,
        guard: Guard | None = None,
        look_up: LookUp = lambda wanted, then: then(None),
        conceal: Callable[[Any], Any] | None = None,
        hide: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        note: Callable[[], object] = lambda: None,
    ) -> None:
        self._hide, self._note = hide, note
        self.deferred = Deferred(look_up)
        self._conceal = conceal
        self._guard = guard
        self._target = target
        self._clock = clock

    def __call__(self, request: Request) -> None:
        """Carry out one request; it is answered now or later."""
        reply = Reply(request.send, self._clock, request)
        with answering(reply):
            self.carry_out(messages.decode(only(request), messages.MAX_VALUES), reply, self._guard)

    def carry_out(self, message: dict[str, Any], reply: Reply, guard: Guard | None = None) -> None:
        """Carry out a message, and answer it now or later.

        Args:
            message: What came in.
            reply: Takes the answer.
            guard: May refuse it; None if this program sends it itself.

        Raises:
            Exception: Why it cannot be carried out; then it is not answered.
        """
        reply.conceal = self._conceal
        reply.message_id = message.get("id")
        reply.cast = message.get("msg_type") == "cast"
        reply.name = named(message.get("actor"))
        command = look_up(message)
        reply.label, reply.mutates = command.name, command.mutating
        props = command.validate(properties_of(message, command))
        reply.hide = self._hide if props["conceal"] else None
        reply.timeout = props.get("timeout")
        reply.keep(bool(props.get("waiting")) or command.waits)
        call = command.call(self._target, props, reply)

        def now(problem: CircusError | None = None, warnings: Sequence[str] = ()) -> None:
            if guard is not None:
                guard(command.name, props)
            if command.mutating and self._target.stopping and not command.urgent:
                raise SupervisorStopped(STOPPING)
            if problem is not None:
                raise problem
            if warnings:
                props["warnings"] = [*props.get("warnings", ()), *warnings]
            fields = command.execute(call)
            if command.mutating and not reply.cast:
                self._note()
            if fields is not None:
                reply.ok(**fields)

        def later(problem: CircusError | None, warnings: Sequence[str] = ()) -> None:
            with answering(reply):
                now(problem, warnings)

        def wanted() -> Wanted:
            found = command.wanted(call)
            # The program knows its hooks, and a guarded client may not set any.
            return found if guard is None and not reply.is_program else found._replace(hooks=())

        given = props.get("name")
        names = () if given is None else (given,) if isinstance(given, str) else given
        pending = Pending(wanted, now, later, reply.waits_here)
        self.deferred.carry_out(reply.client, names, pending)


@contextlib.contextmanager
def answering(reply: Reply) -> Iterator[None]:
    """Answer with the exception raised meanwhile; log it if it is a fault in the daemon."""
    try:
        yield
    except Exception as problem:
        if not isinstance(problem, (CircusError, OSError, MemoryError)):  # an internal error
            logger.error("%s failed", reply.label, exc_info=problem)
        if not reply.answered:
            reply.fail(*explain(problem))


def only(request: Request) -> bytes:
    """Take the only frame of a request; raise MessageError if it is not one, or too large."""
    if request.count != 1:
        raise MessageError(f"message invalid: {request.count} frames, expected one")
    if request.largest > messages.MAX_FRAME:
        raise MessageError(f"message invalid: {request.largest} bytes, more than 1 MiB")
    return request.take()


def look_up(message: dict[str, Any]) -> Command:
    """Return the command that a message names, or raise MessageError."""
    name = message.get("command")
    if name is None:
        refuse_unknown(message)
        raise MessageError("message invalid 'command' is missing")
    if not isinstance(name, str):
        raise MessageError("message invalid: command: is not text")
    command = table.find(name)
    if command is None:
        reason = f"unknown command: {name[:60]!r}{did_you_mean(name, table.NAMES)}"
        raise MessageError(reason, messages.UNKNOWN_COMMAND)
    return command


def properties_of(message: dict[str, Any], command: Command) -> dict[str, Any]:
    """Return the properties of a message.

    Raises:
        MessageError: They are not an object, or there are other keys beside them.
    """
    refuse_unknown(message, command.by_name)
    properties = message.get("properties", {})
    if not isinstance(properties, dict):
        raise MessageError("message invalid: properties: is not an object")
    return properties


def refuse_unknown(message: Mapping[str, Any], properties: Iterable[str] = ()) -> None:
    """Raise MessageError if a message has a key that means nothing.

    A ``stop`` whose name is in the wrong place, or in `propertys`, must not stop everything.
    """
    for key in sorted(message.keys() - _TOP_LEVEL):
        if key == "name" or key in properties:
            raise MessageError(f"message invalid: {key!r} belongs in 'properties'")
        near = did_you_mean(key[:60], _TOP_LEVEL)
        raise MessageError(f"message invalid: unknown key {key[:60]!r}{near}")


def explain(problem: Exception) -> tuple[str, int]:
    """Return the reason and the error number that the sender gets for an exception."""
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


class Pending(NamedTuple):
    """One message, and how to carry it out. Immutable."""

    wanted: Callable[[], Wanted]  # to look up, asked when the message is next
    now: Callable[[], object]  # carries it out, or raises why not
    later: Callable[..., object]  # carries it out, or answers why not: see `LookUp`
    waits_here: bool = False  # its sender holds up the supervisor thread until it is carried out


class Queued:
    """A message in the line of each of its names. Owned by the supervisor thread."""

    __slots__ = ("is_looked_up", "keys", "message")

    def __init__(self, keys: Sequence[Hashable], message: Pending) -> None:
        self.keys = keys
        self.message = message
        self.is_looked_up = False  # what it names is being looked up


class Deferred:
    """The messages that name users, groups or hooks, which are being looked up. Owned by the
    supervisor thread.

    A look-up may take long. Only messages that need one wait, and later messages of the same client
    about the same watcher, which keep their order. A message about several watchers keeps its place
    among the messages about each. A callback of the program, which holds up this thread anyway, has
    names looked up at once: its next line reads what it has added.
    """

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._lines: dict[Hashable, deque[Queued]] = {}
        self._count = 0

    def carry_out(self, client: Hashable, names: Sequence[str], message: Pending) -> None:
        """Carry out a message about watchers, now or in its turn; one about all never waits.

        Raises:
            Exception: Why it cannot be carried out now.
        """
        queued = Queued(list(dict.fromkeys((client, fold(name)) for name in names)), message)
        if not self._lines.keys().isdisjoint(queued.keys):
            self._admit(queued)
            return
        wanted = message.wanted()
        if message.waits_here:
            judge(wanted.accounts)
        if not wanted or message.waits_here:
            message.now()
            return
        self._admit(queued)
        try:
            self._begin(queued, wanted)
        except CircusError:
            self._pop(queued)
            raise

    def _admit(self, queued: Queued) -> None:
        if self._count >= MOST:
            raise CircusError(
                "too many messages are waiting for names to be looked up; try again later"
            )
        self._count += 1
        for key in queued.keys:
            self._lines.setdefault(key, deque()).append(queued)

    def __len__(self) -> int:
        return self._count

    def refuse_all(self) -> None:
        """Refuse all that wait, after the loop, which delivers the names, has ended."""
        lines, self._lines = self._lines, {}
        self._count = 0
        for queued in dict.fromkeys(chain.from_iterable(lines.values())):
            queued.message.later(SupervisorStopped("the supervisor has stopped"))

    def _begin(self, queued: Queued, wanted: Wanted) -> None:
        queued.is_looked_up = True
        self._look_up(wanted, partial(self._looked_up, queued))

    def _looked_up(
        self, queued: Queued, problem: OptionError | None, warnings: Sequence[str] = ()
    ) -> None:
        if self._is_next(queued):  # else refused meanwhile
            queued.message.later(problem, warnings)
            self._pop(queued)
            self._go_on(queued.keys)

    def _is_next(self, queued: Queued) -> bool:
        return all(key in self._lines and self._lines[key][0] is queued for key in queued.keys)

    def _go_on(self, keys: Sequence[Hashable]) -> None:
        """Carry out the next messages in these lines, up to one that needs a look-up or also waits
        in another line."""
        lines = dict.fromkeys(keys)
        while lines:
            key, _ = lines.popitem()
            queued = self._lines[key][0] if key in self._lines else None
            if queued is None or queued.is_looked_up or not self._is_next(queued):
                continue
            problem = None
            try:
                wanted = queued.message.wanted()
                if wanted:
                    self._begin(queued, wanted)
                    continue
            except CircusError as error:
                problem = error
            queued.message.later(problem)
            self._pop(queued)
            lines.update(dict.fromkeys(queued.keys))

    def _pop(self, queued: Queued) -> None:
        self._count -= 1
        for key in queued.keys:
            self._lines[key].popleft()
            if not self._lines[key]:
                del self._lines[key]
