"""The real world, as the core sees it."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.base.clock import Clock
from cvec_circus.base.loop import Loop
from cvec_circus.control.events import EventStream
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.options import rights
from cvec_circus.options.stream import history_size
from cvec_circus.sockets.registry import Loan, SocketRegistry
from cvec_circus.stream.pumps import Pumps
from cvec_circus.stream.source import Source
from cvec_circus.supervisor import launching, narration
from cvec_circus.supervisor.chores import Chore
from cvec_circus.supervisor.helpers import Helpers
from cvec_circus.supervisor.reaper import Reaper
from cvec_circus.system import files, proctable
from cvec_circus.system.launch import LaunchError, LaunchSpec, launch

if TYPE_CHECKING:
    from cvec_circus.stream.history import History
    from cvec_circus.supervisor.demand import Demand
    from cvec_circus.supervisor.histories import Histories
    from cvec_circus.supervisor.hooks import Hooks
    from cvec_circus.supervisor.limited import LimitedLaunches

TURN = 0.005
"""Seconds of work on exits and spawns before the sockets are looked at again. With 256 exits a turn
a ping took up to 554 ms while 1000 processes died at once; with a turn like this one, 37 ms."""


COLLECTED = 2
"""What a hook is told of a process that is no more: `UNEXISTING`, in Circus."""

TOO_MANY = os.strerror(errno.EMFILE)


class WorldPorts:
    """What the core asks of the operating system and of its subscribers. See `core.ports.Ports`.

    Owned by the supervisor thread.

    Args:
        loop: The supervisor's loop.
        clock: The time.
        chores: For what reads all of /proc.
        events: Where events are published.
        sockets: The listening sockets that commands may refer to.
        pump: Reads what the children write.
        helpers: What plugins get in addition.
        log_fd: Returns the file that the daemon's log goes to, None where that is stderr.
        facades: Makes what a hook gets as `watcher` and `arbiter`; on the thread of the hook.

    Attributes:
        reaper: Tells which processes have ended.
        touched: Called with a watcher that a hook has answered about.
        demanded: Called with a watcher that somebody has connected to.
    """

    reaper: Reaper
    touched: Callable[[Watcher], object]
    demanded: Callable[[Watcher], None]

    def __init__(
        self,
        loop: Loop,
        clock: Clock,
        chores: Chore,
        events: EventStream,
        sockets: SocketRegistry,
        pump: Pumps,
        helpers: Helpers,
        log_fd: Callable[[], int | None],
        facades: Callable[[Watcher], Any] | None = None,
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._chores = chores
        self._events = events
        self._sockets = sockets
        self._pump = pump
        self._helpers = helpers
        self._log_fd = log_fd
        self._random = random.Random()
        self._turn_ends_at = 0.0
        self._streams: set[tuple[Watcher, str]] = set()
        self._unopened: set[Watcher] = set()
        self._limited: LimitedLaunches | None = None
        self._histories: Histories | None = None
        self._facades = facades
        self._hooks: Hooks | None = None
        self._hook_limit: float | None = None
        self._demand: Demand | None = None

    def begin_turn(self) -> None:
        """Gives the core its share of time anew."""
        self._turn_ends_at = self._clock.monotonic() + TURN

    def turn_is_over(self) -> bool:
        """See `Ports`."""
        return self._clock.monotonic() >= self._turn_ends_at

    def now(self) -> float:
        """See `Ports`."""
        return self._clock.monotonic()

    def random(self) -> float:
        """See `Ports`."""
        return self._random.random()

    def spawn(self, watcher: Watcher, process: ManagedProcess) -> int:
        """See `Ports`."""
        with self._sockets.loan() as loan:
            return self._spawn(watcher, process, loan)

    def _spawn(self, watcher: Watcher, process: ManagedProcess, loan: Loan) -> int:
        if not files.has_room(self._loop.wakeup.fd):
            raise LaunchError(errno.EMFILE, f"cannot start a process: {TOO_MANY}")
        if watcher in self._unopened:
            self._open_streams(watcher)
        withheld = self._hooks.withheld(watcher) if self._hooks is not None else ()
        env = launching.environment(watcher, process, self._events.run, withheld)
        argv, fds = launching.command_line(watcher, process, env, loan)
        listen: list[int] = []
        if watcher.options["listen_fds"] and fds:
            listen, variables = launching.listening(fds)
            env.update(variables)
        inherited = self._log_fd() if watcher.helper else None
        with launching.Outputs(watcher, inherited) as outputs:
            if watcher.options["stdin_socket"]:
                outputs.files["stdin"] = launching.stdin_socket(watcher, loan)
            with self._helpers.prepare(watcher, process) as extra:
                spec = LaunchSpec(
                    argv,
                    cwd=watcher.options["working_dir"],
                    env={**env, **extra.env},
                    pass_fds=[*fds.values(), *extra.fds],
                    executable=watcher.options["executable"],
                    umask=launching.umask(watcher),
                    identity=launching.identity(watcher),
                    **outputs.files,
                )
                pid = self._launch(process, spec, rights.limits(watcher.options), listen)
            self.reaper.add(watcher, process, pid)
            for name, fd in outputs.take().items():
                self._pump.add((watcher, name), fd, pid)
        process.started = self._clock.time()
        return pid

    def _launch(
        self,
        process: ManagedProcess,
        spec: LaunchSpec,
        limits: Mapping[str, int],
        listen: list[int],
    ) -> int:
        if not (limits or listen):
            return launch(spec)
        if self._limited is None:
            from cvec_circus.supervisor.limited import LimitedLaunches

            self._limited = LimitedLaunches(self._loop)
        return self._limited.launch(process, spec, limits, listen)

    def failure(self, process: ManagedProcess) -> Exception | None:
        """Why a process that has ended never became its program, None if it did."""
        return None if self._limited is None else self._limited.failure(process)

    def close(self) -> None:
        """Lets go of what is open, after the loop has been closed."""
        if self._limited is not None:
            self._limited.close()

    def signal(self, process: ManagedProcess, signum: int) -> None:
        """See `Ports`."""
        try:
            self.reaper.send_signal(process, signum)
        except PermissionError:
            logger.warning("%s: not allowed to signal process %d", process.name, process.pid)

    def signal_children(self, process: ManagedProcess, signum: int, recursive: bool = True) -> None:
        """See `Ports`; without `recursive`, only its direct children."""
        self._chores.do(self._find_children, process.pid, signum, recursive)

    def _find_children(self, pid: int, signum: int, recursive: bool) -> None:
        """On the chores thread."""
        self._loop.post(_signal_all, proctable.descendants(pid, recursive), signum)

    def signal_child(self, process: ManagedProcess, child: int, signum: int) -> None:
        """Sends a signal to one descendant of the leader, if it is one."""
        self._chores.do(self._find_child, process.pid, child, signum)

    def _find_child(self, pid: int, child: int, signum: int) -> None:
        """On the chores thread."""
        if child in proctable.descendants(pid):
            self._loop.post(_signal_all, [child], signum)

    def kill_group(self, process: ManagedProcess) -> None:
        """See `Ports`."""
        self.reaper.kill_group(process)

    def publish(self, watcher: Watcher, action: str, cause: str, **payload: object) -> None:
        """See `Ports`."""
        self._events.publish(watcher.name, action, cause, **payload)
        narration.tell(watcher, action, cause, payload)

    def note(self, watcher: Watcher, text: str) -> None:
        """See `Ports`."""
        logger.warning("%s: %s", watcher.name, text)

    @property
    def histories(self) -> Histories:
        """What was written last; most daemons keep nothing."""
        if self._histories is None:
            from cvec_circus.supervisor.histories import Histories

            self._histories = Histories(self._loop, self._clock)
        return self._histories

    def end_histories(self) -> None:
        """Tells everybody who follows an output that it has ended."""
        if self._histories is not None:
            self._histories.end()

    def forget(self, watcher: Watcher) -> None:
        """See `Ports`."""
        self._helpers.forget(watcher)
        if self._histories is not None:
            self._histories.forget(watcher)
        if self._hooks is not None:
            self._hooks.forget(watcher)

    # -- hooks

    def ask_hook(
        self, watcher: Watcher, name: str, then: Callable[[str], None], **facts: object
    ) -> None:
        """See `Ports`. What the core does not know is added: the time, and how Circus calls the
        status of a process that has been collected."""
        if name in ("before_reap", "after_reap"):
            facts["time"] = self._clock.time()
        if name == "after_reap":
            facts["process_status"] = COLLECTED
        self._all_hooks().ask(watcher, name, then, facts)

    def extend_stats(
        self,
        watcher: Watcher,
        rows: dict[int, dict[str, Any]],
        then: Callable[[dict[int, dict[str, Any]]], None],
    ) -> None:
        """Has a hook add to what there is to say about processes, in a later turn."""
        self._all_hooks().extend(watcher, rows, then)

    def hurry_hooks(self, timeout: float) -> None:
        """Gives every hook so many seconds at most, those that are asked later too."""
        self._hook_limit = timeout
        if self._hooks is not None:
            self._hooks.hurry(timeout)

    def has_busy_hooks(self) -> bool:
        """Whether a hook has time left to answer."""
        return self._hooks is not None and self._hooks.busy()

    def end_hooks(self) -> None:
        """Ends the threads of hooks, when the loop has ended."""
        if self._hooks is not None:
            self._hooks.close()

    def _all_hooks(self) -> Hooks:
        if self._hooks is None:
            from cvec_circus.supervisor.hooks import Hooks

            assert self._facades is not None, "hooks without facades"
            self._hooks = Hooks(
                self._loop, self.publish, self.touched, self._facades, self._hook_variables
            )
            if self._hook_limit is not None:
                self._hooks.hurry(self._hook_limit)
        return self._hooks

    def _hook_variables(self, name: str) -> dict[str, str]:
        return {
            "CVEC_CIRCUSCTL_ENDPOINT": self._helpers.control_address,
            launching.MARK: f"{self._events.run}:{name}:hook",
        }

    # -- connections

    def await_connection(self, watcher: Watcher) -> None:
        """See `Ports`."""
        if self._demand is None:
            from cvec_circus.supervisor.demand import Demand

            self._demand = Demand(self._loop, self._sockets, self.demanded)
        self._demand.wait_for(watcher)

    def ignore_connections(self, watcher: Watcher) -> None:
        """See `Ports`."""
        if self._demand is not None:
            self._demand.ignore(watcher)

    # -- streams

    def open_streams(self, watcher: Watcher) -> None:
        """See `Ports`."""
        try:
            self._open_streams(watcher)
        except OSError:
            self._unopened.add(watcher)  # none of its processes starts until there are streams

    def _open_streams(self, watcher: Watcher) -> None:
        for name, option in launching.OUTPUTS:
            size = history_size(watcher.options, name)
            history = self.histories.keep(watcher, name, size) if size or self._histories else None
            if watcher.options[option] or history is not None:
                self._open_stream(watcher, name, watcher.options[option], history)
            else:
                self._close_stream(watcher, name)
        self._unopened.discard(watcher)

    def _open_stream(
        self, watcher: Watcher, name: str, conf: Mapping[str, Any], history: History | None
    ) -> None:
        try:
            self._pump.open(
                (watcher, name),
                conf,
                Source(watcher.name, name, watcher.options["env"].get("PYTHONPATH", "")),
                history,
            )
        except (OSError, RuntimeError) as error:
            # The pump has no thread yet, and gets none now.
            text = f"cannot start a process: nobody to read what it writes: {error}"
            raise LaunchError(errno.EAGAIN, text) from error
        self._streams.add((watcher, name))

    def reopen_streams(self, watchers: Iterable[Watcher] | None) -> None:
        """Has the files of watchers, or of all, opened anew: they may have been moved away."""
        if watchers is None:
            self._pump.reopen()
            return
        for watcher in watchers:
            for name, _ in launching.OUTPUTS:
                if (watcher, name) in self._streams:
                    self._pump.reopen((watcher, name))

    def close_streams(self, watcher: Watcher) -> None:
        """See `Ports`."""
        self._unopened.discard(watcher)
        for name, _ in launching.OUTPUTS:
            self._close_stream(watcher, name)

    def _close_stream(self, watcher: Watcher, name: str) -> None:
        if (watcher, name) in self._streams:
            self._streams.discard((watcher, name))
            self._pump.close((watcher, name))


def _signal_all(pids: list[int], signum: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, signum)
        except (ProcessLookupError, PermissionError):
            pass  # it has ended meanwhile, or is somebody else's by now
