"""The supervisor: one thread, one loop, and everything that belongs to them.

A turn of the loop reads the sockets, notes which children have exited, runs the timer and what
other threads have posted; then, once, at its end, it collects the exits and lets the core converge.
All of that works for about five milliseconds at most before the sockets are looked at again, and
nothing in it ever waits: what may block is done on other threads, which answer by posting.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from cvec_circus import __version__, logger
from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.base.loop import Loop
from cvec_circus.base.timers import Timer
from cvec_circus.commands import table
from cvec_circus.config.configuration import FROM_PROGRAM, Configuration, Origin
from cvec_circus.control import endpoints
from cvec_circus.control.dispatch import Dispatcher
from cvec_circus.control.events import EventStream
from cvec_circus.control.replies import Reply, Send
from cvec_circus.control.server import ControlServer
from cvec_circus.core import facts
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.roster import Roster
from cvec_circus.core.watcher import Watcher
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.sockets.registry import SocketRegistry
from cvec_circus.stream.pumps import Pumps
from cvec_circus.supervisor.chores import Chores
from cvec_circus.supervisor.helpers import Helpers, importable
from cvec_circus.supervisor.names import NameDesk
from cvec_circus.supervisor.ports import WorldPorts
from cvec_circus.supervisor.reaper import Reaper
from cvec_circus.supervisor.sampler import SampleDesk
from cvec_circus.supervisor.shutdown import Shutdown
from cvec_circus.supervisor.target import Target
from cvec_circus.system import exits
from cvec_circus.system.exits import Exit
from cvec_circus.wire.outcome import Wait

if TYPE_CHECKING:
    import zmq

    from cvec_circus.config.plan import Plan
    from cvec_circus.supervisor.reloading import Reloading

Facades = Callable[["Supervisor", Watcher], Any]


class Supervisor:
    """Owns every process, socket and timer. Owned by the thread that calls `run`.

    `loop.post`, `loop.ask` and `stop` are the ways in from other threads.

    Args:
        configuration: What to supervise. It is the supervisor's from now on: orders change the
            options of the watchers in it.
        context: The process' zmq context.
        clock: The time.
        log_level: The word for the log's level, for the plugins.
        log_url: What the plugins open to write to the same log: a path, the URL of a syslog; "-" if
            they inherit it.
        log_fd: Returns the file that the log goes to, None where that is stderr.
        sockets: Listening sockets beside those of the configuration.
        when_started: Answered when everything that starts by itself has been started.
        facades: Makes what a watcher's hooks get as `watcher` and `arbiter`, on their thread.
        origin: Where the configuration comes from.

    Attributes:
        loop: Everything happens on it.
        roster: The watchers.
        sockets: The listening sockets.
        events: What is published, and the history of it.
        control: Where commands are taken.
        pump: Reads what the children write.
        sampler: Measures processes.
        target: The commands' view of it all.
        started_at: The instant at which it began.
        leftover_pids: After `run`: the processes that would not end.
    """

    def __init__(
        self,
        configuration: Configuration,
        context: zmq.Context[Any],
        clock: Clock = SYSTEM,
        log_level: str = "info",
        log_url: str = "-",
        log_fd: Callable[[], int | None] = lambda: None,
        sockets: Sequence[CircusSocket] = (),
        when_started: Wait | None = None,
        facades: Facades | None = None,
        origin: Origin = FROM_PROGRAM,
    ) -> None:
        circus = configuration.circus
        self.configuration = configuration
        self.clock = clock
        self.loop = Loop(clock, "supervisor")
        self.started_at = clock.monotonic()
        self.leftover_pids: list[int] = []
        self.sockets = SocketRegistry()
        self.chores = Chores(self.loop)
        self.sampler = SampleDesk(self.loop, clock, self.chores.table)
        self.pump = Pumps(clock, do=self._do_stream_chore)
        self._exits = exits.choose()
        self._helpers = Helpers(circus["check_delay"], log_level, log_url)
        self._timer: Timer | None = None
        self._when_started = when_started
        self._origin = origin
        self._closers = [
            self.loop.close,
            self._exits.close,
            self._helpers.close,
            self.sockets.close_all,
        ]
        try:
            self._listen(context, circus, sockets)
            self._build(log_fd, facades)
        except BaseException:
            self.close()
            raise
        self.loop.each_turn(self._end_turn)

    def _listen(
        self, context: zmq.Context[Any], circus: dict[str, Any], sockets: Sequence[CircusSocket]
    ) -> None:
        """Opens everything that listens, all of it before anything is spawned."""
        endpoints.examine(circus)
        access = endpoints.Access(circus["endpoint_mode"], circus["endpoint_owner"])
        for given in sockets:
            self.sockets.add(given)
        for managed in self.configuration.sockets:
            self.sockets.add(CircusSocket(name=managed.name, **managed.options))
        self.sockets.bind_all()
        self.events = EventStream(
            context,
            circus["pubsub_endpoint"],
            self.clock,
            circus["event_history"],
            self.loop.call_later,
            access,
        )
        self._closers.insert(0, self.events.close)
        self.control = ControlServer(self.loop, context, circus["endpoint"], self._dispatch, access)
        self._closers.insert(0, self.control.close)
        self._helpers.events = self.events
        self._helpers.control_address = self.control.address
        if circus["statsd"]:
            self._prepare_statistics(circus)
        endpoints.warn(circus)

    def _prepare_statistics(self, circus: dict[str, Any]) -> None:
        from cvec_circus.supervisor.statistics import Statistics  # most daemons publish none

        self._helpers.statistics = Statistics(circus, self.sockets, importable({}))

    def _build(self, log_fd: Callable[[], int | None], facades: Facades | None) -> None:
        """Puts the core between its ports and its commands."""
        self.ports = WorldPorts(
            self.loop,
            self.clock,
            table := self.chores.table,
            self.events,
            self.sockets,
            self.pump,
            self._helpers,
            log_fd,
            None if facades is None else partial(facades, self),
        )
        self._closers.append(self.ports.close)
        self.ports.reaper = Reaper(self.loop, table, self._exits, self._exited, self._emptied)
        self.roster = Roster(self.ports, self.configuration.circus["warmup_delay"])
        self.ports.touched = self.roster.touch
        self.ports.demanded = self.roster.demanded
        self.shutdown = Shutdown(self.roster, self.loop, self.ports)
        self.target = Target(
            self.roster,
            self.ports,
            self.events,
            self.sockets,
            self.sampler,
            self.shutdown,
            self.global_options,
            self.description,
            self.configuration.left_out,
        )
        self.target.make_reloading = self._make_reloading
        names = NameDesk(self.loop, self.chores.names)
        guard = endpoints.guard(self.configuration.circus)
        self._dispatcher = Dispatcher(self.target, self.clock, guard, names.look_up)

    def _dispatch(self, frames: Sequence[bytes], send: Send) -> None:
        self._dispatcher(frames, send)

    def carry_out(self, message: dict[str, Any], reply: Reply) -> None:
        """Carries out a command of the program that embeds us: see `Dispatcher.carry_out`."""
        self._dispatcher.carry_out(message, reply)

    # -- the life of it

    def run(self) -> int:
        """Starts everything, and returns when everything has been stopped.

        The calling thread becomes the supervisor thread. `close` is to be called afterwards.

        Returns:
            0, or 1 if something would not end; `leftover_pids` has it then.
        """
        self._begin()
        try:
            self.loop.run()
        finally:
            self._end()
        return 1 if self.leftover_pids else 0

    def _begin(self) -> None:
        self.chores.start()
        for watcher in self.configuration.watchers:
            self.roster.add(Watcher(watcher.name, watcher.options), "config")
        for plugin in self.configuration.plugins:
            if plugin.active:
                self.roster.add(self._helpers.watcher(plugin), "config")
            else:
                logger.info("%s: not active, so not started", plugin.name)
        if self._helpers.statistics is not None:
            self.roster.add(self._helpers.statistics.watcher, "config")
        self.roster.start(None, "config", self._when_started)
        # Commands that are there already are read in the second turn: by then all this has begun.
        self.loop.post(self.control.open)
        # A command that is first used after an upgrade on disk must not be of another version than
        # its daemon. Not in the first turn, which has to do with spawning.
        self.loop.post(self.loop.post, table.load_all)

    def stop(self, cause: str, wait: Wait | None = None) -> None:
        """Begins to stop everything for good; told again, it kills what is left. Owner thread."""
        self.shutdown.begin(cause, wait)

    def reload(self, cause: str) -> None:
        """Replaces every process, and opens every log file anew. Owner thread."""
        if self.shutdown.begun:
            return
        logger.info("reloading (%s)", cause)
        self.pump.reopen()
        self.roster.reload(None, cause, False, None)

    def _make_reloading(self) -> Reloading:
        """Prepares to read the configuration again, which most daemons never do."""
        from cvec_circus.supervisor.planning import World
        from cvec_circus.supervisor.reloading import Reloading

        return Reloading(
            World(
                self.loop,
                self.chores.configuration,
                self.roster,
                self.sockets,
                self._helpers,
                lambda: self.configuration,
                self._adopt,
                self._origin,
            )
        )

    def _adopt(self, wanted: Configuration, plan: Plan) -> None:
        """Takes over what was loaded; what of the daemon's own options can only be at its start
        stays as it is."""
        live = {change.option: change.after for change in plan.circus if change.effect == "live"}
        if self._origin.examine is not None:
            self._origin.examine(wanted)
        if "loglevel" in live and self._origin.set_level is not None:
            self._origin.set_level(live["loglevel"])
            self._helpers.log_level = live["loglevel"]
        if "event_history" in live:
            self.events.keep(live["event_history"])
        wanted.circus = {**self.configuration.circus, **live}
        self._helpers.check_delay = wanted.circus["check_delay"]
        self.roster.warmup_delay = wanted.circus["warmup_delay"]
        wanted.forget_places()
        self.target.left_out = {}
        self.configuration = wanted

    def _end_turn(self) -> bool:
        self.ports.begin_turn()
        try:
            more = self.ports.reaper.work(self.ports.turn_is_over)
            return self.roster.turn() or more
        finally:
            # Even if one watcher has a fault of ours, the others keep their deadlines.
            if self.target.reloading is not None:
                self.target.reloading.look()
            self._arm()
            self.shutdown.look()

    def _arm(self) -> None:
        """Has the loop wake for the core's next deadline."""
        next_at = self.roster.next_at()
        if self._timer is not None:
            if self._timer.pending and self._timer.when == next_at:
                return
            self._timer.cancel()
            self._timer = None
        if next_at is not None:
            self._timer = self.loop.call_at(next_at, _wake)

    def _exited(
        self, watcher: Watcher, process: ManagedProcess, ended: Exit, has_leftovers: bool
    ) -> None:
        facts.process_exited(
            watcher,
            process,
            self.ports,
            ended.exit_code,
            has_leftovers,
            ended.status_lost,
            self._helpers.report(process),
            self.ports.failure(process),
        )
        self._moved(watcher)

    def _emptied(self, watcher: Watcher, process: ManagedProcess) -> None:
        facts.group_emptied(watcher, process)
        self._moved(watcher)

    def _moved(self, watcher: Watcher) -> None:
        if watcher.abandoned and not watcher.slots:
            self.ports.close_streams(watcher)  # nobody converges it any more
        self.roster.touch(watcher)

    def _do_stream_chore(self, fn: Callable[..., object], *args: Any) -> None:
        """On a pump thread."""
        self.loop.post(self.chores.packing.do, fn, *args)

    # -- the end of it

    def _end(self) -> None:
        """What is left to do when the loop has ended, in the order of the design's shutdown."""
        self.leftover_pids = [
            process.pid for watcher in self.roster.everybody() for process in watcher.spawned()
        ]
        self.sampler.answer_all()
        self._dispatcher.deferred.refuse_all()
        self.roster.refuse_all("the supervisor has stopped")
        self.pump.stop()
        if not self.pump.join(2.0):
            logger.warning("left behind, for it hangs: %s", ", ".join(self.pump.hanging))
        self.ports.end_histories()
        self.ports.end_hooks()
        for name in self.chores.end(1.0):
            logger.warning("the %s thread has not ended", name)
        if self.target.reloading is not None:
            self.target.reloading.close()
        self.control.finish()
        for pid in self.leftover_pids:
            logger.error("process %d would not end and is left behind", pid)

    def close(self) -> None:
        """Closes what is open, after `run` or instead of it. Whoever still asks is told the end."""
        for closer in self._closers:
            closer()
        self._closers.clear()

    def uptime(self) -> float:
        """Seconds since the beginning."""
        return self.clock.monotonic() - self.started_at

    @property
    def stats_address(self) -> str:
        """Where statistics are published, if they are."""
        statistics = self._helpers.statistics
        address = self.configuration.circus["stats_endpoint"]
        return str(address if statistics is None else statistics.address)

    def global_options(self) -> dict[str, Any]:
        """What `globaloptions` answers: where the daemon can be reached, and its delay."""
        circus = self.configuration.circus
        return {
            "endpoint": self.control.address,
            "pubsub_endpoint": self.events.address,
            "stats_endpoint": self.stats_address,
            "check_delay": circus["check_delay"],
            "multicast_endpoint": None,
        }

    def description(self) -> dict[str, Any]:
        """Who answers: what `ping` says."""
        return {
            "pid": os.getpid(),
            "version": __version__,
            "run": self.events.run,
            "uptime": round(self.uptime(), 3),
        }


def _wake() -> None:
    """The deadline's timer only has to end the waiting: the end of the turn does the rest."""
