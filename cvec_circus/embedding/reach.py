"""The way from any thread to the supervisor, while there is one."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cvec_circus import exc, logger
from cvec_circus.base.clock import Clock
from cvec_circus.base.home import Home
from cvec_circus.base.named import NamedTuple
from cvec_circus.control.server import PROGRAM, Reply
from cvec_circus.core import watcher as core
from cvec_circus.embedding.promise import Promise
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.supervisor.supervisor import Supervisor
from cvec_circus.wire import messages

if TYPE_CHECKING:
    from cvec_circus.supervisor.hook_calls import Caller


class Reach:
    """Connects the public objects of one arbiter to its supervisor. Safe from any thread.

    It has no lock. The supervisor thread answers in its next turn; on that thread itself, where a
    callback has a turn of its own, at once. So nothing here can wait for something that waits for
    it.

    Attributes:
        arbiter: The arbiter whose objects these are.
        on_exit: Called on the supervisor thread with the SystemExit of a function that it has
            called for the program.
    """

    def __init__(self, arbiter: object) -> None:
        self.arbiter = arbiter
        self.on_exit: Callable[[SystemExit], object] = _ignore_exit
        self._supervisor: Supervisor | None = None
        self._owner: int | None = None
        self._home: Home | None = None
        self._open: set[Promise] = set()
        self._here = threading.local()

    @property
    def is_open(self) -> bool:
        """Whether there is a supervisor."""
        return self._supervisor is not None

    def on_owner(self) -> bool:
        """Tell whether the calling thread is the supervisor thread."""
        return self._owner == threading.get_ident()

    def require_home(self) -> None:
        """Refuse a forked child, which has no thread of the supervisor.

        Raises:
            ForkedError: There is a supervisor, in the process that this one was forked from.
        """
        if self._supervisor is not None and self._home is not None:
            self._home.require()

    def _found(self) -> Supervisor | None:
        """Return the supervisor, if it is in this process. Raises ForkedError if not."""
        self.require_home()
        return self._supervisor

    # -- its life, as the arbiter leads it

    def begin(self, supervisor: Supervisor, owner: int | None = None) -> None:
        """Connect to a supervisor; `owner` is its thread, if it has not called `own`."""
        self._owner = self._owner if owner is None else owner
        self._home = Home("arbiter", "use a CircusClient of its own, with the arbiter's endpoint")
        self._supervisor = supervisor

    def own(self) -> None:
        """Make the calling thread the supervisor thread."""
        self._owner = threading.get_ident()

    def end(self) -> None:
        """Disconnect, and fail the promises that the supervisor has not kept."""
        self._supervisor = None
        self._owner = None
        for promise in list(self._open):
            promise.fail(_stopped())
            promise.call_back()  # the turn for it may not have come

    # -- who orders

    def act_for(self, caller: Caller) -> None:
        """Give the orders of the calling thread in the name of the hook that `caller` runs."""
        self._here.caller = caller

    @property
    def actor(self) -> str:
        """The name in which the calling thread gives orders: "hook:NAME", or "program"."""
        caller = getattr(self._here, "caller", None)
        return (caller is not None and caller.actor) or PROGRAM

    # -- questions and orders

    def ask(self, fn: Callable[..., Any], *args: Any, timeout: float | None = None) -> Any:
        """Call `fn(supervisor, *args)` on the supervisor thread, and return its result.

        Raises:
            SupervisorStopped: There is no supervisor, or it ends meanwhile.
            ForkedError: It is in the process that this one was forked from.
        """
        supervisor = self._found()
        if supervisor is None:
            raise exc.SupervisorStopped("the arbiter is not running")
        if self.on_owner():
            return fn(supervisor, *args)
        return supervisor.loop.ask(fn, supervisor, *args, timeout=timeout)

    def look(self, watcher: core.Watcher | str) -> Snapshot | None:
        """Take a snapshot of a watcher, or of the one of that name; None without a supervisor.

        Raises:
            MessageError: There is no watcher of that name.
        """
        try:
            found: Snapshot = self.ask(_snapshot, watcher)
        except exc.SupervisorStopped:
            return None
        return found

    def measure(self, watcher: core.Watcher | str) -> dict[int, dict[str, Any]]:
        """Measure the processes of a watcher there and then. On the supervisor thread."""
        found: dict[str, dict[str, Any]] = self.ask(_measured, watcher)
        return {int(pid): info for pid, info in found.items()}

    def exit_code(self, watcher: core.Watcher | str, pid: int) -> int | None:
        """Return the exit code of a process that has ended, if the watcher remembers it."""
        try:
            found: int | None = self.ask(_exit_code, watcher, pid)
        except (exc.SupervisorStopped, exc.MessageError):
            return None
        return found

    def post(self, fn: Callable[..., object], *args: Any) -> bool:
        """Call `fn(supervisor, *args)` on the supervisor thread in its next turn.

        Returns:
            False if there is no supervisor.

        Raises:
            ForkedError: As for `ask`.
        """
        supervisor = self._found()
        return supervisor is not None and supervisor.loop.post(fn, supervisor, *args)

    def _later(self, fn: Callable[[], object]) -> bool:
        """Call a function in the next turn of the supervisor thread; return False without one."""
        supervisor = self._supervisor
        return supervisor is not None and supervisor.loop.post(self._call, fn)

    def _call(self, fn: Callable[[], object]) -> None:
        try:
            fn()
        except SystemExit as error:
            self.on_exit(error)

    def order(self, command: str, field: str = "", /, **properties: Any) -> Promise:
        """Carry out a command in the name of `actor`; see `order_as`."""
        return self.order_as(self.actor, command, field, **properties)

    def order_as(self, actor: str, command: str, field: str = "", /, **properties: Any) -> Promise:
        """Carry out a command as if it had come over the wire.

        Args:
            actor: Who gives the order.
            command: The command's name.
            field: The field of its reply that the promise is kept with; "" keeps it with None.
            **properties: Those of the command. With `waiting`, the reply comes at its end.

        Raises:
            SupervisorStopped: The arbiter is not running.
            CircusError: The order is refused.
        """
        if not self.is_open:
            raise not_running(command, "the arbiter is not running")
        promise = Promise(self.on_owner, self._later)
        self._open.add(promise)
        promise.add_done_callback(self._open.discard)
        message = {"command": command, "properties": properties}
        waits_here = self.on_owner()

        def carry_out(supervisor: Supervisor) -> None:
            reply = PromisedReply(promise, field, supervisor.clock, actor, waits_here)
            supervisor.carry_out(message, reply)

        try:
            self.ask(carry_out)
        except BaseException:
            self._open.discard(promise)
            raise
        return promise


class PromisedReply(Reply):
    """Keeps a promise instead of sending a frame. Owned by the supervisor thread."""

    __slots__ = ("_actor", "_field", "_promise", "waits_here")

    def __init__(
        self, promise: Promise, field: str, clock: Clock, actor: str, waits_here: bool = False
    ) -> None:
        super().__init__(lambda frame: None, clock)
        self.waits_here = waits_here
        self._promise = promise
        self._field = field
        self._actor = actor

    @property
    def actor(self) -> str:
        """The program, or one of its hooks."""
        return self._actor

    def ok(self, **fields: Any) -> None:
        """Report success."""
        self.answered = True
        self._promise.keep(fields.get(self._field))

    def fail(self, reason: str, errno: int = messages.COMMAND_FAILED, **more: Any) -> None:
        """Report a failure in a sentence."""
        self.answered = True
        self._promise.fail(exc.CircusError(reason))


def _ignore_exit(error: SystemExit) -> None:
    logger.error("sys.exit(%s) in a callback, ignored: write arbiter.stop()", error.code)


def not_running(command: str, why: str) -> exc.SupervisorStopped:
    """Make the error of an order that no supervisor can take."""
    instead = "start the arbiter first"
    if command == "start":
        instead = "leave it out: the start of an arbiter starts its watchers, by their priority"
    return exc.SupervisorStopped(f"{command}: {why}; {instead}")


def _stopped() -> exc.SupervisorStopped:
    return exc.SupervisorStopped("the supervisor has stopped")


class Snapshot(NamedTuple):
    """A watcher at one moment. Immutable, and made of copies."""

    name: str
    state: str
    options: dict[str, Any]  # typed
    shown: dict[str, Any]  # as the wire shows them
    typed: WatcherOptions
    processes: list[tuple[int, int, float]]  # pid, wid and start, in seconds since 1970


def _measured(supervisor: Supervisor, watcher: core.Watcher | str) -> dict[str, dict[str, Any]]:
    """On the supervisor thread."""
    if isinstance(watcher, str):
        watcher = supervisor.target.find(watcher)
    return supervisor.target.sample_now(watcher)


def _exit_code(supervisor: Supervisor, watcher: core.Watcher | str, pid: int) -> int | None:
    """On the supervisor thread."""
    if isinstance(watcher, str):
        watcher = supervisor.target.find(watcher)
    ended = (one.exit_code for one in reversed(watcher.places.deaths) if one.pid == pid)
    return next(ended, None)


def _snapshot(supervisor: Supervisor, watcher: core.Watcher | str) -> Snapshot:
    """Take a snapshot of a watcher, which may have been removed. On the supervisor thread."""
    if isinstance(watcher, str):
        watcher = supervisor.target.find(watcher)
    return Snapshot(
        watcher.name,
        watcher.status,
        {key: copy.copy(value) for key, value in watcher.options.items()},
        supervisor.target.options(watcher),
        watcher.options,
        [(process.pid, process.wid, process.started) for process in watcher.places.leaders()],
    )
