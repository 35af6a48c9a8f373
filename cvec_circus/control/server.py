"""The control socket: receives requests and sends each its one answer, now or later.

Events, log lines and reasons name who gave an order, the *actor*:

======================================  =====================================================
``client``                              a client that gives no name
``client NAME``                         one that gives a name, which proves nothing
``client NAME (pid 123, uid 1000)``     one on a unix socket, where the kernel says who it is
``plugin:NAME``                         a plugin; its runner gives this name
``hook:NAME``                           a hook of that name, while it runs
``program``                             the program that embeds the daemon
======================================  =====================================================
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable

from cvec_circus import logger
from cvec_circus.base.patterns import regex
from cvec_circus.control.connection import Connection
from cvec_circus.control.connections import Connections, Incoming
from cvec_circus.control.endpoints import OURS_ALONE, Access, Listener, listen
from cvec_circus.exc import MessageError
from cvec_circus.wire import messages, zmtp
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.outcome import Outcome, Wait

if TYPE_CHECKING:
    from cvec_circus.base.clock import Clock
    from cvec_circus.base.loop import Loop
    from cvec_circus.system.handover import Handover, Inherited

#: The share of all descriptors that clients may take.
SHARE = 0.5
#: Answers that all clients together may await: a further request with `waiting` is refused. Each
#: takes 3 kB.
MOST_AWAITED = 20_000
#: The same for one connection, and requests of any kind.
MOST_OF_ONE = 50_000

_CLIENTS = frozenset({b"DEALER", b"REQ", b"ROUTER"})
PROGRAM = "program"
PLUGIN = "plugin:"

#: What a sender learns of an internal error.
FAULT = "internal error; the daemon's log has more"

#: Characters that a name may have.
LONGEST_NAME = 80

_UNPRINTABLE = regex("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Send = Callable[[bytes], object]


def named(given: Any) -> str:
    """Return the name that a message gives its sender, in the key ``actor``; "" if none.

    Raises:
        MessageError: It is not text, too long, or not printable.
    """
    if given is None:
        return ""
    if not isinstance(given, str) or _UNPRINTABLE.search(given):
        raise MessageError("message invalid: actor: is not printable text")
    if len(given) > LONGEST_NAME:
        raise MessageError(f"message invalid: actor: is longer than {LONGEST_NAME} characters")
    return given.strip()


class Request:
    """A client's message, and the way back to it. Owned by the supervisor thread."""

    __slots__ = ("_connections", "_envelope", "client", "count", "frames", "largest")

    def __init__(
        self, connections: Connections, connection: Connection, message: zmtp.Message
    ) -> None:
        self._connections = connections
        self.client = connection
        # REQ sends an empty frame before the body and expects one before the answer.
        envelope = 1 if message.frame_count > 1 and not message.frames[0] else 0
        self._envelope = message.frames[:envelope]
        self.frames = message.frames[envelope:]  # of the body, the first two at most
        self.count = message.frame_count - envelope  # of its frames
        self.largest = message.largest

    @property
    def is_refused(self) -> bool:
        """Whether it cannot be answered because another program is replacing this one."""
        return self._connections.refuses

    @property
    def origin(self) -> tuple[int, bool]:
        """The file of the connection, and whether an empty frame goes before the answer."""
        return self.client.fd, bool(self._envelope)

    def send(self, answer: bytes) -> None:
        """Send the answer; a client that is gone or does not read loses it."""
        self._connections.send(self.client, zmtp.message(*self._envelope, answer))

    def take(self) -> bytes:
        """Return the only frame, and drop it."""
        (body,), self.frames = self.frames, ()
        return body

    def keep(self, reply: Reply, waits: bool) -> bool:
        """Call `client_gone` of a reply when its client is gone; return whether there is room."""
        if waits and self._connections.dependants >= MOST_AWAITED:
            return False
        if len(self.client.dependants) >= MOST_OF_ONE:
            return False
        self._connections.depend(self.client, reply)
        return True

    def release(self, reply: Reply) -> None:
        """Forget a reply."""
        self._connections.release(self.client, reply)


class Reply:
    """The answer to one request: given once, or never for a cast. Owned by the supervisor thread.

    Args:
        send: Takes the frame of the answer.
        clock: Gives the answer its time.
        request: What is answered; None if the program that embeds the daemon asks.
    """

    waits_here = False
    """Whether the sender is a callback of the program, on the supervisor thread."""

    __slots__ = tuple(
        "_clock _request _send answered cast conceal hide is_dead label message_id mutates name"
        " timeout when_gone".split()
    )

    def __init__(self, send: Send, clock: Clock, request: Request | None = None) -> None:
        self._send = send
        self._clock = clock
        self._request = request
        self.label = "a message"  # what is answered, for the log
        self.message_id: Any = None  # the id that the answer carries, whatever JSON it is
        self.cast = False  # the sender wants no answer
        self.conceal: Callable[[Any], Any] | None = None  # what a failure says is shown by it
        self.hide: Callable[[dict[str, Any]], dict[str, Any]] | None = None  # the sender wants that
        self.mutates = True  # it may have changed something
        self.timeout: float | None = None  # seconds until a waiting order's answer is an error
        self.answered = False
        self.name = ""  # that the sender gives
        self.is_dead = False  # the client is gone
        self.when_gone: Callable[[], object] | None = None  # if the client goes first

    @property
    def actor(self) -> str:
        """Who sent the request: see the table above."""
        if self._request is None:
            return PROGRAM
        if self.name.startswith(PLUGIN):
            return self.name
        shown = f"client {self.name}" if self.name else "client"
        credentials = self._request.client.credentials()
        return shown if credentials is None else "{} (pid {}, uid {})".format(shown, *credentials)

    @property
    def is_program(self) -> bool:
        """Whether the program that embeds the daemon asks, and no client."""
        return self._request is None

    @property
    def client(self) -> Hashable:
        """What distinguishes the sender from others; None for the program."""
        return None if self._request is None else self._request.client

    def keep(self, waits: bool) -> None:
        """From now on, notice if the client goes before its answer, which may take long.

        Raises:
            MessageError: Too many answers are awaited already.
        """
        if self._request is not None and not self._request.keep(self, waits):
            reason = (
                "too many requests are waiting for answers; try again later, or without waiting"
            )
            raise MessageError(reason, messages.COMMAND_FAILED)

    def hand_over(self) -> list[Any] | None:
        """Return what the next program needs to answer instead; None if no client waits."""
        if self._request is None or self.cast or self.is_dead or self.answered:
            return None
        return [*self._request.origin, self.message_id, self.label]

    def client_gone(self) -> None:
        """Note that the client is gone. Once, and never after the answer."""
        self.is_dead = True
        gone, self.when_gone = self.when_gone, None  # or the two would keep each other alive
        if gone is not None:
            gone()

    def ok(self, **fields: Any) -> None:
        """Report success."""
        self.give(messages.ok(fields, self._clock.time()))

    def fail(self, reason: str, errno: int = messages.COMMAND_FAILED, **more: Any) -> None:
        """Report a failure in a sentence."""
        if self.conceal is not None:
            reason, more = self.conceal(reason), self.conceal(more)
        self.give({**messages.error(reason, errno, self._clock.time()), **more})

    def cause(self, text: str, why: str = "") -> Cause:
        """Make the cause of what the request orders."""
        return Cause(text, self.actor, why)

    def wait(self, shape: Callable[[Outcome], dict[str, Any]], proved: bool = False) -> Wait:
        """Make what the core calls at the end of an order; its `gone` is called if the client goes.

        Args:
            shape: Turns the outcome of a finished order into the reply's fields.
            proved: Whether the end of the order includes its proof.
        """

        def then(outcome: Outcome) -> None:
            if outcome.error is not None:
                late = {"timed_out": True} if outcome.timed_out else {}
                self.fail(outcome.error, accepted=True, **late)
            else:
                self.ok(**shape(outcome))

        wait = Wait(then, self.timeout, proved)
        self.when_gone = wait.gone
        return wait

    def give(self, reply: dict[str, Any]) -> None:
        """Send a reply; a second one, which is an internal error, is only logged."""
        if self.answered:
            logger.error("second answer to %s dropped: %.200r", self.label, reply)
            return
        self.answered = True
        self.when_gone = None
        if self._request is not None:
            self._request.release(self)
        if self.cast or self.is_dead:
            return
        if self.hide is not None:
            reply = self.hide(reply)
        reply["id"] = self.message_id
        if self._request is not None and self._request.is_refused and "reason" in reply:
            reply["retry"] = True
            if not self.mutates:
                reply.pop("accepted", None)
        try:
            frame = messages.encode(reply)
        except (TypeError, ValueError) as problem:
            logger.error("the answer to %s cannot be encoded as JSON", self.label, exc_info=problem)
            failed = messages.error(FAULT, messages.COMMAND_FAILED, self._clock.time())
            frame = messages.encode({**failed, "id": self.message_id})
        self._send(frame)


class ControlServer:
    """The ROUTER of the control endpoint. Owned by the supervisor thread.

    It listens at once; clients wait for `open`. DEALER clients send one frame; REQ clients send an
    empty one before it and get one back. `control.connections` lists what a client may do.

    Args:
        loop: The supervisor's loop.
        endpoint: Where to listen.
        dispatch: Called with each request.
        access: Who may connect to an ipc endpoint.
        listener: Listens there already; None to begin.

    Attributes:
        address: The real endpoint.
        door: Where clients come in.

    Raises:
        SocketError: It cannot listen there.
    """

    def __init__(
        self,
        loop: Loop,
        endpoint: str,
        dispatch: Callable[[Request], object],
        access: Access = OURS_ALONE,
        listener: Listener | None = None,
    ) -> None:
        self._dispatch, self._clock = dispatch, loop.clock
        if listener is None:
            listener = listen("endpoint", endpoint, access)
        self.address = listener.address
        self._connections = Connections(loop, listener, b"ROUTER", _CLIENTS, self._receive, SHARE)
        self.door = self._connections.door

    def open(self) -> None:
        """Begin to accept clients and to read their requests."""
        self._connections.open()

    def close(self) -> None:
        """Stop listening and close the connections; answers on their way still go out."""
        self._connections.close()

    def finish(self) -> None:
        """Answer the requests received so far, after the loop has ended."""
        self._connections.drain()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Add the key `retry` to errors from now on, so that clients may ask again."""
        self._connections.refuses = True
        try:
            yield
        finally:
            self._connections.refuses = False

    def hand_over(self, out: Handover) -> dict[str, Any]:
        """Hand the socket and all clients to the program that is to be executed."""
        return {"door": self.door.hand_over(out), "connections": self._connections.hand_over(out)}

    def take_over(
        self, inherited: Inherited, state: Mapping[str, Any], asked: Sequence[Any] | None
    ) -> Reply | None:
        """Resume the clients.

        Args:
            inherited, state: What `hand_over` has returned.
            asked: What `Reply.hand_over` returned for the one answer still owed; None for none.

        Returns:
            That answer; None if it cannot be given.
        """
        owed = None
        for connection in self._connections.take_over(inherited, state["connections"]):
            if asked is not None and asked[0] == connection.fd:
                _, has_envelope, message_id, label = asked
                frames = (b"", b"") if has_envelope else (b"",)
                message = zmtp.Message(frames, len(frames), 0)
                request = Request(self._connections, connection, message)
                owed = Reply(request.send, self._clock, request)
                owed.message_id, owed.label = message_id, label
        return owed

    def _receive(self, connection: Connection, incoming: Incoming) -> None:
        if isinstance(incoming, zmtp.Message):
            self._dispatch(Request(self._connections, connection, incoming))
