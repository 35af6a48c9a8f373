"""Composition: build every part of the supervisor bottom-up, each from those built before it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.base.clock import Clock
from cvec_circus.base.loop import Loop
from cvec_circus.base.named import NamedTuple
from cvec_circus.base.readers import Readers
from cvec_circus.config.configuration import Configuration, LeftOut, Origin
from cvec_circus.control import endpoints
from cvec_circus.control.events import EventStream
from cvec_circus.control.server import ControlServer, Request
from cvec_circus.core.facts import Facts
from cvec_circus.core.ports import Ports
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.roster import Roster
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.cgroup import OFF
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.options.variables import AS_IS, Variables
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.sockets.registry import SocketRegistry
from cvec_circus.supervisor import helper_rows
from cvec_circus.supervisor.announcer import Announcer
from cvec_circus.supervisor.answers.explanation import unproved
from cvec_circus.supervisor.answers.reason import why
from cvec_circus.supervisor.answers.waiting import WaitDesk
from cvec_circus.supervisor.campaign import Campaign, Pace
from cvec_circus.supervisor.chores import Chores
from cvec_circus.supervisor.departures import Departures
from cvec_circus.supervisor.doorbell import Doorbell
from cvec_circus.supervisor.ending import endings
from cvec_circus.supervisor.ending.cgroups import NO_CGROUPS, Cgroups
from cvec_circus.supervisor.helpers import Helpers
from cvec_circus.supervisor.hooks import HookDesk
from cvec_circus.supervisor.launcher import Launcher, Reports
from cvec_circus.supervisor.launching import Templates
from cvec_circus.supervisor.output.last_words import LastWords
from cvec_circus.supervisor.output.outputs import OutputDesk
from cvec_circus.supervisor.own_files import OwnFiles
from cvec_circus.supervisor.probing.probes import Around, ProbeDesk
from cvec_circus.supervisor.sampler import SampleDesk
from cvec_circus.supervisor.survival.bookkeeper import Bookkeeper, LedgerBookkeeper
from cvec_circus.supervisor.survival.heritage import MOST_RUNS, Estate, Heritage, place_of_birth
from cvec_circus.supervisor.survival.ledger import FILE, VERSION, Head, Ledger, off
from cvec_circus.supervisor.timetable import TimetableDesk
from cvec_circus.supervisor.turn import Turn
from cvec_circus.system import exits, files
from cvec_circus.system.launch import MARK
from cvec_circus.system.own_file import OwnFile
from cvec_circus.wire.topics import fold

if TYPE_CHECKING:
    from cvec_circus.config.plan import Plan
    from cvec_circus.supervisor.survival.handed import Handed

Dispatch = Callable[[Request], object]
Facades = Callable[[Watcher, Any], Any]


class Surroundings(NamedTuple):
    """What the program around the supervisor gives it; see `Supervisor`. Immutable."""

    clock: Clock
    log_level: str
    log_url: str
    log_fd: Callable[[], int | None]
    sockets: Sequence[CircusSocket]
    facades: Facades
    is_subreaper: bool  # never in a program that embeds the supervisor
    captures_output: bool  # see `OutputDesk`
    estate: Estate | None  # None where nothing survives the daemon
    handed: Handed | None = None  # what the program before an upgrade goes on with here


class Desks:
    """Every part of a supervisor. Owned by the supervisor thread.

    What listens is open when this is built; nothing has been spawned.

    Args:
        configuration: What to supervise.
        around: What the program gives.
        dispatch: Called with each request.

    Attributes:
        variables: The environment variables that the configuration names.
        helped: The watchers of the helpers that start with the daemon.
        closers: Closes all of them, the last one built first.

    Raises:
        SocketError: An endpoint or a listening socket cannot be opened. Nothing is left open.
    """

    def __init__(
        self, configuration: Configuration, around: Surroundings, dispatch: Dispatch
    ) -> None:
        with ExitStack() as stack:
            self._build(configuration, around, dispatch, stack)
            self.closers = stack.pop_all()

    def _build(
        self,
        configuration: Configuration,
        around: Surroundings,
        dispatch: Dispatch,
        stack: ExitStack,
    ) -> None:
        circus, clock, estate = configuration.circus, around.clock, around.estate
        handed = around.handed
        heritage: Heritage | None = handed
        if heritage is None and estate is not None:
            heritage = estate.heritage
        self.loop = loop = Loop(clock, "supervisor")
        stack.callback(loop.close)
        self.chores = Chores(loop)
        watch = exits.choose()
        stack.callback(watch.close)
        self.sockets = sockets = SocketRegistry()
        stack.callback(sockets.close_all)
        self.variables = Variables()
        self.variables.adopt(configuration.variables)
        warnings = endpoints.examine(circus)
        self.departures = Departures(sockets)
        _listen(configuration, around, self.departures, heritage)
        self._meet_clients(circus, dispatch, handed, 0 if heritage is None else heritage.seq, stack)
        run, address = self.events.run, self.control.address
        self.runs = runs = list(dict.fromkeys([run, *([] if heritage is None else heritage.runs)]))
        self.helpers = helpers = Helpers(
            self.events,
            address,
            circus["check_delay"],
            around.log_level,
            around.log_url,
            None if handed is None else handed.life(),
        )
        stack.callback(helpers.close)
        self.helped: list[Watcher] = []
        if handed is None:
            rows = helper_rows.all_of(configuration, self.events, sockets)
            self.helped = [helpers.add(row) for row in rows]
        else:
            handed.take_helpers(helpers, circus, self.events, sockets)
        for text in warnings:
            logger.warning("%s", text, extra={AS_IS: True})

        self.bookkeeper = books = _keep_books(estate, heritage, loop, self.events, runs)
        stack.callback(books.end, heritage is not None)  # if the daemon never runs
        books.sockets(sockets.notes())
        self.facts = facts = Facts()
        self.own_files = OwnFiles(loop, self.chores.configuration, self._own_files)
        conceal = self.variables.conceal
        announcer = Announcer(self.events, self.own_files.soon, conceal)
        self.outputs = outputs = OutputDesk(
            loop, self.chores.packing, circus["log_history"], around.captures_output
        )
        nofile = files.given_limit()

        def variables(name: str) -> dict[str, str]:
            return {"CVEC_CIRCUSCTL_ENDPOINT": address, MARK: f"{run}:{name}:hook"}

        self.hooks = hooks = HookDesk(loop, facts, announcer, around.facades, variables, nofile)
        self.readers = readers = Readers(loop)
        stack.callback(readers.close)
        self.reports = reports = Reports(readers)
        stack.callback(reports.close)

        limits, moves = self.chores.limits, around.is_subreaper
        parts = loop, facts, readers, limits, run, moves, heritage is not None
        self.cgroups = cgroups = _cgroups(circus["cgroup"], *parts)
        stack.callback(cgroups.close)
        self.last_words = last_words = LastWords(loop, facts, outputs)

        def explain(
            watcher: Watcher, process: ManagedProcess
        ) -> tuple[str, Exception | None, bool]:
            is_captured = outputs.reads(process) and last_words.expect(watcher, process.pid)
            return helpers.exited(watcher, process), reports.failure(process), is_captured

        self.endings = ends = endings.build(
            loop, watch, facts, runs, explain, around.is_subreaper, hooks.runs_code, cgroups
        )
        stack.callback(ends.signals.close)
        templates = Templates(run, hooks.withheld, nofile, not around.is_subreaper)
        checks = (ends.reaper, templates, variables, address, ends.leader_of)
        self.probes = probes = ProbeDesk(Around(loop, facts, announcer.publish, readers, *checks))
        stack.callback(probes.close)
        launcher = Launcher(
            loop,
            templates,
            sockets,
            outputs,
            ends.reaper,
            helpers,
            probes,
            reports,
            cgroups,
            books,
            around.log_fd,
        )
        stack.callback(launcher.close)
        doorbell = Doorbell(loop, sockets, facts)
        timetable = TimetableDesk(loop, facts, self.chores.runs, circus["schedule_file"])
        stack.callback(timetable.close)

        def forget(watcher: Watcher) -> None:
            desks = (ends.signals, helpers, launcher, outputs, hooks, probes, timetable)
            for desk in (*desks, cgroups, books):
                desk.forget(watcher)

        self.turn = turn = Turn(clock)
        missing = partial(unproved, probes)
        self.waits = WaitDesk(clock.monotonic, loop.post, last_words.said, missing)

        def explain_watcher(watcher: Watcher) -> str:
            return why(watcher, turn.now())

        self.campaign = Campaign(pace_of(circus), turn.now, announcer.note, explain_watcher)
        ports = Ports(
            turn,
            launcher,
            ends.signals,
            hooks,
            outputs,
            probes,
            doorbell,
            timetable,
            announcer,
            books,
            self.waits,
            self.campaign,
            last_words.said,
            forget,
        )
        self.roster = Roster(ports, facts)
        self.sampler = SampleDesk(loop, self.chores.sampling)

    def _meet_clients(
        self,
        circus: Mapping[str, Any],
        dispatch: Dispatch,
        handed: Handed | None,
        seq: int,
        stack: ExitStack,
    ) -> None:
        """Listen on the endpoints."""
        access = endpoints.Access(circus["endpoint_mode"], circus["endpoint_owner"])
        if handed is None:
            listener = endpoints.listen("pubsub_endpoint", circus["pubsub_endpoint"], access)
        else:
            listener = handed.door("events", access)
        self.events = EventStream(self.loop, listener, circus["event_history"], seq)
        stack.callback(self.events.close)
        door = None if handed is None else handed.door("control", access)
        self.control = ControlServer(self.loop, circus["endpoint"], dispatch, access, door)
        stack.callback(self.control.close)
        if handed is not None:
            self.events.take_over(handed.inherited, handed.document["events"])

    def _own_files(self) -> list[OwnFile]:
        """Return what is looked after."""
        doors, sockets = (self.control.door, self.events.door), self.sockets
        return [*doors, *sockets, *sockets.leaving, *self.probes.own_files()]


class Loaded:
    """What the daemon runs, as it was loaded last. Owned by the supervisor thread.

    Attributes:
        configuration: All of it.
        origin: Where it comes from.
        left_out: A stand-in by name for each watcher that it has and that cannot be run.
    """

    def __init__(self, desks: Desks, configuration: Configuration, origin: Origin) -> None:
        self._desks = desks
        self.configuration = configuration
        self.origin = origin
        self.left_out = {fold(one.name): _stand_in(one) for one in configuration.left_out}
        desks.roster.left_out = self.left_out

    def adopt(self, wanted: Configuration, plan: Plan) -> None:
        """Take over what was loaded, but for the daemon's options that count only at its start."""
        live = {change.option: change.after for change in plan.circus if change.effect == "live"}
        if self.origin.examine is not None:
            self.origin.examine(wanted)
        if "loglevel" in live and self.origin.set_level is not None:
            self.origin.set_level(live["loglevel"])
            self._desks.helpers.log_level = live["loglevel"]
        if "event_history" in live:
            self._desks.events.keep(live["event_history"])
        if "log_history" in live:
            self._desks.outputs.set_default_size(live["log_history"])
        self._desks.variables.adopt(wanted.variables)
        wanted.circus = {**self.configuration.circus, **live}
        self._desks.helpers.check_delay = wanted.circus["check_delay"]
        self._desks.campaign.pace = pace_of(wanted.circus)
        wanted.forget_places()
        self._desks.departures.write(self._desks.bookkeeper, self._desks.roster.all_watchers())
        self._desks.bookkeeper.loaded([one.name for one in wanted.watchers])
        self.left_out = self._desks.roster.left_out = {}
        self.configuration = wanted

    @property
    def stats_address(self) -> str:
        """Where statistics are published, if they are."""
        rows = self._desks.helpers.rows.values()
        found = [row.address for row in rows if isinstance(row, helper_rows.Statistics)]
        return found[0] if found else str(self.configuration.circus["stats_endpoint"])


def _stand_in(left_out: LeftOut) -> Watcher:
    """Make a watcher for `status` to show, which is on no roster: nothing ever starts it."""
    options = WatcherOptions({"numprocesses": 0})
    watcher = Watcher(left_out.name, options)
    watcher.reason = f"left out: {left_out.problems[0]}"
    return watcher


def _cgroups(wanted: str, *parts: Any) -> Cgroups:
    """Make the desk that the option `cgroup` asks for."""
    if wanted == OFF:
        return Cgroups(NO_CGROUPS)
    from cvec_circus.supervisor.ending import (
        watcher_cgroups,  # most daemons need none: 1 ms of a start
    )

    return watcher_cgroups.choose(wanted, *parts)


def _listen(
    configuration: Configuration,
    around: Surroundings,
    departures: Departures,
    heritage: Heritage | None,
) -> None:
    """Open the managed sockets, all of them before anything is spawned."""
    sockets = departures.sockets
    for given in around.sockets:
        sockets.add(given)
    for managed in configuration.sockets:
        sockets.add(CircusSocket(name=managed.name, **managed.options))
    if around.handed is not None:
        around.handed.take_sockets(departures)
    elif heritage is not None and heritage.sockets:
        from cvec_circus.supervisor.survival.taking import take_sockets  # few starts need it

        take_sockets(departures, heritage)
    sockets.bind_all()


def _keep_books(
    estate: Estate | None,
    heritage: Heritage | None,
    loop: Loop,
    events: EventStream,
    runs: list[str],
) -> Bookkeeper:
    """Begin the ledger; without one, or where it cannot be written, nothing is noted."""
    if estate is None or (heritage is not None and not heritage.has_ledger):
        return Bookkeeper()
    folder = estate.folder
    entries = {} if heritage is None else heritage.entries
    try:
        boot, namespace = place_of_birth()
        head = Head(VERSION, boot, namespace, runs[:MOST_RUNS], os.getpid())
        names = () if heritage is None else heritage.sockets
        ledger = Ledger(folder, head, entries, loop.post)
        books = LedgerBookkeeper(ledger, loop, names)
    except OSError as error:
        logger.error("%s", off(folder.path, error.strerror or str(error)))
        with suppress(OSError):
            folder.put_aside(FILE)  # what it says is not so any longer
        return Bookkeeper()
    events.reserve = books.reserve
    return books


def pace_of(circus: Mapping[str, Any]) -> Pace:
    """Return how long orders to all wait, as the daemon's options say."""
    return Pace(circus["warmup_delay"], circus["priority_timeout"], circus["shutdown_timeout"])
