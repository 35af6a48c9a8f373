"""The supervisor: one thread, one loop, and everything that they own.

A turn of the loop reads the sockets, notes which children have exited, runs the timers and what
other threads have posted; once, at its end, it collects the exits and lets the core converge. That
takes about five milliseconds at most before the sockets are looked at again. Nothing in a turn
waits: what may block is done on other threads, which answer by posting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.base.complaints import shortage
from cvec_circus.base.reserve import kept
from cvec_circus.base.timers import Timer
from cvec_circus.commands import table
from cvec_circus.config.configuration import FROM_PROGRAM, Configuration, Origin
from cvec_circus.control import endpoints
from cvec_circus.control.dispatch import Dispatcher
from cvec_circus.control.server import Request
from cvec_circus.core.watcher import Watcher
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.supervisor.compose import Desks, Loaded, Surroundings
from cvec_circus.supervisor.names import NameDesk
from cvec_circus.supervisor.secrets import Secrets
from cvec_circus.supervisor.shutdown import Shutdown
from cvec_circus.supervisor.survival.heritage import Estate, Heritage, not_taken_over
from cvec_circus.supervisor.target import Target
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Add, Reload, Start
from cvec_circus.wire.outcome import Wait

if TYPE_CHECKING:
    from cvec_circus.supervisor.survival.handed import Handed

Facades = Callable[["Supervisor", Watcher, Any], Any]

RETRY_DELAY = 1.0
"""Seconds after a turn that has failed until every watcher is looked at again, and after a step of
the start until it is tried again."""

JOIN_TIMEOUT = 2.0
"""Seconds that it waits for the threads that read /proc."""

CHORES_TIMEOUT = 1.0
"""Seconds that it waits for the threads of the chores."""

FROM_FILE = Cause("config", "file")


def _no_facades(supervisor: Supervisor, watcher: Watcher, caller: Any) -> Any:
    raise AssertionError("hooks without facades")


class Supervisor:
    """Owns every process, socket and timer. Owned by the thread that calls `run`.

    `loop.post`, `loop.ask` and `stop` are the ways in from other threads.

    Args:
        configuration: What to supervise.
        clock: The time.
        log_level: The word for the log's level, for the plugins.
        log_url: What the plugins open to write to the same log: a path, the URL of a syslog; "-" if
            they inherit it.
        log_fd: Returns the file that the log goes to, None where that is stderr.
        sockets: Listening sockets beside those of the configuration.
        when_started: Answered when everything that starts by itself has been started.
        facades: Makes what a watcher's hooks get as `watcher` and `arbiter`, on their thread, from
            the supervisor, the watcher and the `Caller` of the hooks.
        origin: Where the configuration comes from.
        is_subreaper: Whether orphans become children of this process.
        captures_output: Whether output without a stream is captured, and passed on with the name
            of its watcher.
        estate: Where it is written down what survives this process, and what an earlier one has
            left; None for nothing.
        handed: What the program before an upgrade has handed over; None at every other start.

    Attributes:
        target: The commands' view of it all.
        loaded: What it runs.
        carry_out: Carries out a command of the program that embeds us: see `Dispatcher.carry_out`.
        leftover_pids: After `run`: the processes that would not end.
    """

    def __init__(
        self,
        configuration: Configuration,
        clock: Clock = SYSTEM,
        log_level: str = "info",
        log_url: str = "-",
        log_fd: Callable[[], int | None] = lambda: None,
        sockets: Sequence[CircusSocket] = (),
        when_started: Wait | None = None,
        facades: Facades = _no_facades,
        origin: Origin = FROM_PROGRAM,
        is_subreaper: bool = False,
        captures_output: bool = False,
        estate: Estate | None = None,
        handed: Handed | None = None,
    ) -> None:
        self.clock = clock
        self._estate = estate
        self.leftover_pids: list[int] = []
        self._timer: Timer | None = None
        self._when_started = when_started
        made = partial(facades, self)
        log = log_level, log_url, log_fd
        self._handed = handed
        around = Surroundings(
            clock, *log, sockets, made, is_subreaper, captures_output, estate, handed
        )
        self.desks = Desks(configuration, around, self._dispatch)
        self.loop = self.desks.loop
        self.roster = self.desks.roster
        self.events = self.desks.events
        self.control = self.desks.control
        self.child_exited = self.desks.endings.reaper.child_exited
        self.shutdown = Shutdown(self.roster, self.loop, self.desks.hooks, self.desks.campaign)
        self.loaded = Loaded(self.desks, configuration, origin)
        self.target = Target(self.desks, self.shutdown, self.loaded)
        names = NameDesk(self.loop, self.desks.chores.names)
        guard = endpoints.guard(configuration.circus)
        self._dispatcher = Dispatcher(
            self.target,
            clock,
            guard,
            names.look_up,
            self.desks.variables.conceal_all,
            Secrets(self.desks, self.loaded).conceal,
            lambda: self.desks.bookkeeper.ordered(self.roster.touched),
        )
        self.carry_out = self._dispatcher.carry_out
        self.loop.each_turn(self._end_turn)
        self.loop.each_turn(self.events.send)

    def _dispatch(self, request: Request) -> None:
        self._dispatcher(request)

    # -- the life of it

    def run(self) -> int:
        """Start everything, and return when everything has been stopped.

        The calling thread becomes the supervisor thread. Call `close` afterwards.

        Returns:
            The exit code: that of an essential watcher which has ended for good, otherwise 0; 1
            instead of 0 if something would not end; `leftover_pids` has it then.
        """
        self._begin()
        try:
            self.loop.run()
        finally:
            self._end()
        ended = self.roster.ended
        return (ended.exit_code if ended is not None else 0) or int(bool(self.leftover_pids))

    def _begin(self) -> None:
        names = [one.name for one in self.configuration.watchers]
        estate = self._estate
        handed, self._handed = self._handed, None
        is_new = False
        if handed is not None:
            self._carry_on(handed)
        elif estate is not None and estate.heritage is not None:
            self._go_on(estate, estate.heritage)
        else:
            is_new = True
            for one in self.configuration.watchers:
                self.roster.give(Add(Watcher(one.name, one.options), FROM_FILE))
            for watcher in self.desks.helped:
                self.roster.give(Add(watcher, FROM_FILE))
            self.roster.give(Start(None, FROM_FILE), self._when_started)
        self.desks.bookkeeper.begin(self.roster.all_watchers(), names)
        # The first turn is for spawning.
        self.loop.post(self.loop.post, self.insist, self._open, is_new)

    def insist(self, fn: Callable[..., object], *args: Any) -> None:
        """Call a function, and again while the system has no files or memory for it. Owner thread.

        For what a daemon must do once: nothing would bring it about later.
        """
        try:
            fn(*args)
        except Exception as error:
            if not shortage(error):
                raise
            self.loop.on_error(error, fn.__qualname__)
            self.loop.call_later(RETRY_DELAY, self.insist, fn, *args)

    def _go_on(self, estate: Estate, heritage: Heritage) -> None:
        """Take over what an earlier daemon has left, then make it what the configuration says."""
        from cvec_circus.supervisor.survival.adopting import Adopter  # few starts need it

        adopter = Adopter(self.desks, heritage)
        try:
            adopter.take_over()
        except OSError as error:
            raise not_taken_over(error) from error
        for watcher in self.desks.helped:
            self.roster.give(Add(watcher, FROM_FILE))
        adopter.order(self.configuration, estate.adopt, FROM_FILE)

    def _carry_on(self, handed: Handed) -> None:
        """Go on where the program before an upgrade was, then do what is new in the file."""
        from cvec_circus.supervisor.survival.carrying_on import carry_on

        carry_on(self.desks, handed, self.configuration, FROM_FILE)
        self.target.started_at = handed.document["started_at"]

    def _open(self, is_new: bool) -> None:
        """Read commands, those that are there already too: by now everything has begun.

        Before that, prepare for a shortage of memory: start threads, and load the commands, for a
        Python may crash if it has no memory for a module. A daemon that goes on loads them later:
        it has clients that wait.
        """
        self.desks.chores.start()
        self.desks.endings.walker.start()
        if is_new:
            table.load_all()
        self.control.open()
        self.desks.own_files.begin()
        self._load(iter(() if is_new else table.NAMES))

    def _load(self, names: Iterator[str]) -> None:
        """Load these commands one a turn, so that requests are answered meanwhile; then read the
        output of what was taken over, and load what reads the configuration again.

        All of that must be of the daemon's own version, also after an upgrade on disk.
        """
        name = next(names, None)
        if name is not None:
            self.loop.post(self._load, names)  # whether there is memory for this one or not
            table.find(name)
            return
        self.desks.outputs.pumps.resume()
        from cvec_circus.supervisor.reload import reloading  # noqa: F401  # not at the top: 4 ms of a start

    def stop(self, cause: Cause, wait: Wait | None = None) -> None:
        """Begin to stop everything for good; see `Shutdown.begin`. Owner thread."""
        self.shutdown.begin(cause, wait)

    def reload(self, cause: Cause) -> None:
        """Replace every process, and open every log file anew. Owner thread."""
        if self.shutdown.begun:
            return
        logger.info("reloading (%s)", cause.text)
        self.desks.own_files.soon()
        self.roster.give(Reload(None, cause))

    def _end_turn(self) -> bool:
        turn = self.desks.turn
        turn.begin()
        try:
            more = self.desks.endings.reaper.work(turn.turn_is_over)
            self.desks.waits.time_out()
            self.roster.take_facts()
            self.desks.bookkeeper.flush(more=True)  # what is published is noted
            self.events.send()  # deaths go out before the spawns, which take 0.5 ms each
            return self.roster.turn() or more
        except Exception:
            # Whatever could not go on, for lack of files or memory perhaps, has no deadline now.
            self.loop.call_later(RETRY_DELAY, self._look_again)
            raise
        finally:
            # Even if an internal error stops one watcher, the others keep their deadlines.
            if self.target.reloading is not None:
                self.target.reloading.look()
            self._arm()
            self.desks.bookkeeper.flush()
            self.shutdown.look()

    def _look_again(self) -> None:
        """Go on with every watcher."""
        for watcher in self.roster.all_watchers():
            self.roster.touch(watcher)

    def _arm(self) -> None:
        """Wake the loop for the next deadline of the core, or of an answer that waits."""
        next_at, late_at = self.roster.next_at(), self.desks.waits.next_at()
        if next_at is None or (late_at is not None and late_at < next_at):
            next_at = late_at
        if self._timer is not None:
            if self._timer.pending and self._timer.when == next_at:
                return
            self._timer.cancel()
            self._timer = None
        if next_at is not None:
            self._timer = self.loop.call_at(next_at, _wake)

    # -- the end of it

    def _end(self) -> None:
        """Do what is left when the loop has ended, in the order of the design's shutdown."""
        desks = self.desks
        left = [(w.name, p.pid) for w in self.roster.all_watchers() for p in w.places.spawned()]
        self.leftover_pids = [pid for _, pid in left]
        desks.sampler.refuse_all()
        self._dispatcher.deferred.refuse_all()
        desks.waits.refuse_all("the supervisor has stopped")
        desks.outputs.end()
        if hanging := desks.outputs.join():
            logger.warning("pump threads abandoned, still blocked: %s", ", ".join(hanging))
        if not desks.probes.end(JOIN_TIMEOUT):
            logger.warning("the thread that probes addresses has not ended")
        desks.hooks.close()
        desks.endings.walker.stop()
        if not desks.endings.walker.join(JOIN_TIMEOUT):
            logger.warning("a thread that reads /proc has not ended")
        for name in desks.chores.end(CHORES_TIMEOUT):
            logger.warning("the %s thread has not ended", name)
        if self.target.reloading is not None:
            self.target.reloading.close()
        self.control.finish()
        desks.bookkeeper.end(is_needed=bool(left))
        for name, pid in left:
            logger.error("%s: process %d would not end and is left behind", name, pid)

    def close(self) -> None:
        """Close what is open, after `run` or instead of it. Clients that still ask get the end."""
        self.desks.closers.close()
        kept.clear()

    @property
    def awaits_names(self) -> bool:
        """Whether messages wait for names of users to be looked up."""
        return len(self._dispatcher.deferred) > 0

    @property
    def configuration(self) -> Configuration:
        """What was loaded last."""
        return self.loaded.configuration

    @property
    def stats_address(self) -> str:
        """Where statistics are published, if they are."""
        return self.loaded.stats_address


def _wake() -> None:
    """The deadline's timer only has to end the waiting: the end of the turn does the rest."""
