"""The way from any thread to the supervisor, while there is one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cvec_circus import exc
from cvec_circus.base.clock import Clock
from cvec_circus.control.actors import PROGRAM
from cvec_circus.control.replies import Reply
from cvec_circus.embedding.promise import Promise
from cvec_circus.supervisor.supervisor import Supervisor
from cvec_circus.wire import messages

if TYPE_CHECKING:
    from cvec_circus.supervisor.hook_calls import Caller


class Reach:
    """The public objects of one arbiter reach its supervisor by this. Safe from any thread.

    It has no lock. What is asked is done by the supervisor thread in its next turn; on that thread
    itself, in a callback, a question is answered at once and an order is carried out in the next
    turn. So nothing here can wait for something that waits for it.
    """

    def __init__(self) -> None:
        self._supervisor: Supervisor | None = None
        self._owner: int | None = None
        self._open: set[Promise] = set()
        self._here = threading.local()

    @property
    def is_open(self) -> bool:
        """Whether there is a supervisor."""
        return self._supervisor is not None

    def on_owner(self) -> bool:
        """Tell whether the calling thread is the supervisor thread."""
        return self._owner == threading.get_ident()

    # -- the life of it; called by the arbiter

    def begin(self, supervisor: Supervisor, owner: int | None = None) -> None:
        """From now on this is the supervisor; `owner` is its thread, if that is known by now."""
        self._owner = self._owner if owner is None else owner
        self._supervisor = supervisor

    def own(self) -> None:
        """The calling thread is the supervisor thread."""
        self._owner = threading.get_ident()

    def end(self) -> None:
        """There is no supervisor any more: what it has promised it will not keep."""
        self._supervisor = None
        self._owner = None
        for promise in list(self._open):
            promise.fail(stopped())

    # -- who asks

    def act_for(self, caller: Caller) -> None:
        """From now on, what the calling thread orders while a hook runs there is the hook's order.

        Args:
            caller: What calls hooks on this thread.
        """
        self._here.caller = caller

    @property
    def actor(self) -> str:
        """Who gives the orders of the calling thread: "hook:NAME", or "program"."""
        caller = getattr(self._here, "caller", None)
        return (caller is not None and caller.actor) or PROGRAM

    # -- what anybody asks

    def ask(self, fn: Callable[..., Any], *args: Any, timeout: float | None = None) -> Any:
        """Call `fn(supervisor, *args)` on the supervisor thread, and return what it returns.

        Raises:
            SupervisorStopped: There is none, or it has ended meanwhile.
        """
        supervisor = self._supervisor
        if supervisor is None:
            raise exc.SupervisorStopped("the arbiter is not running")
        if self.on_owner():
            return fn(supervisor, *args)
        return supervisor.loop.ask(fn, supervisor, *args, timeout=timeout)

    def post(self, fn: Callable[..., object], *args: Any) -> bool:
        """Have `fn(supervisor, *args)` called on the supervisor thread in its next turn.

        Returns:
            False if there is none.
        """
        supervisor = self._supervisor
        return supervisor is not None and supervisor.loop.post(fn, supervisor, *args)

    def order(self, command: str, shape: Callable[[Any], Any], **properties: Any) -> Promise:
        """Carry out a command, as if it had come over the wire.

        Args:
            command: The command's name.
            shape: Turns the fields of its reply into what the promise is kept with.
            properties: What it takes.

        Returns:
            What is known when the command is answered: at its end, with `waiting`.

        Raises:
            CircusError: It is refused. On the supervisor thread, the promise says so instead.
        """
        promise = Promise(self.on_owner)
        self._open.add(promise)
        promise.add_done_callback(self._open.discard)
        message = {"command": command, "properties": properties}
        given = (message, promise, shape, self.actor)
        if self.on_owner():
            if not self.post(_carry_out_or_fail, *given):
                promise.fail(stopped())
            return promise
        try:
            self.ask(_carry_out, *given)
        except BaseException:
            self._open.discard(promise)
            raise
        return promise


class PromisedReply(Reply):
    """Keeps a promise instead of sending a frame. Owned by the supervisor thread."""

    __slots__ = ("_giver", "_promise", "_shape")

    def __init__(
        self, promise: Promise, shape: Callable[[Any], Any], clock: Clock, giver: str
    ) -> None:
        super().__init__(_nowhere, clock)
        self._promise = promise
        self._shape = shape
        self._giver = giver

    @property
    def actor(self) -> str:
        """Who gave the order: the program, or one of its hooks."""
        return self._giver

    def ok(self, **fields: Any) -> None:
        """Report success."""
        self.answered = True
        self._promise.keep(self._shape(fields))

    def fail(self, reason: str, errno: int = messages.COMMAND_FAILED) -> None:
        """Report a failure in a sentence."""
        self.answered = True
        self._promise.fail(exc.CircusError(reason))


def stopped() -> exc.SupervisorStopped:
    """Make what somebody is told for whom the supervisor does nothing any more."""
    return exc.SupervisorStopped("the supervisor has stopped")


def _carry_out(
    supervisor: Supervisor,
    message: dict[str, Any],
    promise: Promise,
    shape: Callable[[Any], Any],
    giver: str,
) -> None:
    """On the supervisor thread."""
    supervisor.carry_out(message, PromisedReply(promise, shape, supervisor.clock, giver))


def _carry_out_or_fail(
    supervisor: Supervisor,
    message: dict[str, Any],
    promise: Promise,
    shape: Callable[[Any], Any],
    giver: str,
) -> None:
    """The same, for a promise that its owner has already."""
    try:
        _carry_out(supervisor, message, promise, shape, giver)
    except Exception as error:  # whoever gave the order is told of it, be it a fault of ours
        promise.fail(error)


def _nowhere(frame: bytes) -> None:
    """Takes the frame that a promised reply never makes."""
