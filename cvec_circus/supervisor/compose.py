"""Composition: every part of the supervisor, built bottom-up, each from those built before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from cvec_circus.base.clock import Clock
from cvec_circus.base.loop import Loop
from cvec_circus.config.configuration import Configuration
from cvec_circus.control import endpoints
from cvec_circus.control.events import EventStream
from cvec_circus.control.publisher import Publisher
from cvec_circus.control.server import ControlServer, Request
from cvec_circus.core.facts import Facts
from cvec_circus.core.ports import Ports
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.roster import Roster
from cvec_circus.core.watcher import Watcher
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.sockets.registry import SocketRegistry
from cvec_circus.supervisor import endings, helper_rows
from cvec_circus.supervisor.announcer import Announcer
from cvec_circus.supervisor.campaign import Campaign, Pace
from cvec_circus.supervisor.chores import Chores
from cvec_circus.supervisor.doorbell import Doorbell
from cvec_circus.supervisor.endings import Endings
from cvec_circus.supervisor.helpers import Helpers
from cvec_circus.supervisor.hooks import HookDesk
from cvec_circus.supervisor.launcher import Launcher, Reports
from cvec_circus.supervisor.outputs import OutputDesk
from cvec_circus.supervisor.reason import why
from cvec_circus.supervisor.sampler import SampleDesk
from cvec_circus.supervisor.turn import Turn
from cvec_circus.supervisor.waiting import WaitDesk
from cvec_circus.system import exits, files
from cvec_circus.system.launch import MARK

Dispatch = Callable[[Request], object]
Facades = Callable[[Watcher, Any], Any]


class Surroundings(NamedTuple):
    """What the program around the supervisor gives it. Immutable.

    Attributes:
        clock: The time.
        log_level: The word for the log's level, for the helpers.
        log_url: What helpers open to write to the same log: a path, the URL of a syslog; "-" if
            they inherit it.
        log_fd: Returns the file that the log goes to, None where that is stderr.
        sockets: Listening sockets beside those of the configuration.
        facades: Makes what a watcher's hooks get as `watcher` and `arbiter`, on their thread.
        is_subreaper: Whether orphans become children of this process: never in a program that
            embeds it.
    """

    clock: Clock
    log_level: str
    log_url: str
    log_fd: Callable[[], int | None]
    sockets: Sequence[CircusSocket]
    facades: Facades
    is_subreaper: bool


class Desks(NamedTuple):
    """Every part of a supervisor. Owned by the supervisor thread.

    Attributes:
        helped: The watchers of the helpers that start with the daemon.
        closers: Closes all of them, the last one built first.
    """

    loop: Loop
    chores: Chores
    sampler: SampleDesk
    sockets: SocketRegistry
    events: EventStream
    control: ControlServer
    helpers: Helpers
    helped: list[Watcher]
    outputs: OutputDesk
    hooks: HookDesk
    endings: Endings
    launcher: Launcher
    turn: Turn
    waits: WaitDesk
    campaign: Campaign
    roster: Roster
    closers: ExitStack


def compose(configuration: Configuration, around: Surroundings, dispatch: Dispatch) -> Desks:
    """Build everything. What listens is open when this returns; nothing has been spawned.

    Args:
        configuration: What to supervise.
        around: What the program gives.
        dispatch: Called with each request.

    Raises:
        SocketError: An endpoint or a listening socket cannot be opened. Nothing is left open.
    """
    with ExitStack() as stack:
        desks = _built(configuration, around, dispatch, stack)
        return desks._replace(closers=stack.pop_all())


def _built(
    configuration: Configuration, around: Surroundings, dispatch: Dispatch, stack: ExitStack
) -> Desks:
    circus, clock = configuration.circus, around.clock
    loop = Loop(clock, "supervisor")
    stack.callback(loop.close)
    chores = Chores(loop)
    watch = exits.choose()
    stack.callback(watch.close)
    sockets = SocketRegistry()
    stack.callback(sockets.close_all)
    _listen(configuration, around, sockets)
    access = endpoints.Access(circus["endpoint_mode"], circus["endpoint_owner"])
    listener = endpoints.listen("pubsub_endpoint", circus["pubsub_endpoint"], access)
    publisher = Publisher(loop, listener)
    events = EventStream(publisher, clock, circus["event_history"], loop.call_later)
    stack.callback(events.close)
    control = ControlServer(loop, circus["endpoint"], dispatch, access)
    stack.callback(control.close)
    helpers = Helpers(
        events, control.address, circus["check_delay"], around.log_level, around.log_url
    )
    stack.callback(helpers.close)
    rows = helper_rows.all_of(configuration, events, sockets)
    helped = [helpers.add(row) for row in rows]

    facts = Facts()
    announcer = Announcer(events)
    outputs = OutputDesk(loop, clock, chores.packing)
    hooks = HookDesk(
        loop,
        facts,
        announcer,
        around.facades,
        _variables(events.run, control.address),
        nofile=files.given_limit(),
    )
    reports = Reports(loop)
    stack.callback(reports.close)

    def explain(watcher: Watcher, process: ManagedProcess) -> tuple[str, Exception | None]:
        return helpers.exited(watcher, process), reports.failure(process)

    ends = endings.build(
        loop, watch, facts, events.run, explain, around.is_subreaper, hooks.runs_code
    )
    stack.callback(ends.signals.close)
    launcher = Launcher(
        loop,
        clock,
        events.run,
        sockets,
        outputs,
        ends.reaper,
        helpers,
        hooks,
        reports,
        around.log_fd,
        nofile=files.given_limit(),
    )
    doorbell = Doorbell(loop, sockets, facts)

    def forget(watcher: Watcher) -> None:
        for desk in (ends.signals, helpers, launcher, outputs, hooks):
            desk.forget(watcher)

    turn = Turn(clock)
    waits = WaitDesk(clock.monotonic, loop.post)

    def explain_watcher(watcher: Watcher) -> str:
        return why(watcher, turn.now())

    campaign = Campaign(pace_of(circus), turn.now, announcer.note, explain_watcher)
    ports = Ports(
        turn,
        launcher,
        ends.signals,
        hooks,
        outputs,
        doorbell,
        announcer,
        waits,
        campaign,
        explain_watcher,
        forget,
    )
    roster = Roster(ports, facts)
    return Desks(
        loop,
        chores,
        SampleDesk(loop, clock, chores.sampling),
        sockets,
        events,
        control,
        helpers,
        helped,
        outputs,
        hooks,
        ends,
        launcher,
        turn,
        waits,
        campaign,
        roster,
        stack,
    )


def _listen(configuration: Configuration, around: Surroundings, sockets: SocketRegistry) -> None:
    """Open everything that listens, all of it before anything is spawned."""
    endpoints.examine(configuration.circus)
    for given in around.sockets:
        sockets.add(given)
    for managed in configuration.sockets:
        sockets.add(CircusSocket(name=managed.name, **managed.options))
    sockets.bind_all()


def _variables(run: str, address: str) -> Callable[[str], Mapping[str, str]]:
    """Return what gives a hook's program its variables, by the name of the watcher."""

    def variables(name: str) -> dict[str, str]:
        return {"CVEC_CIRCUSCTL_ENDPOINT": address, MARK: f"{run}:{name}:hook"}

    return variables


def pace_of(circus: Mapping[str, Any]) -> Pace:
    """Return how long orders to all wait, as the daemon's options say."""
    return Pace(circus["warmup_delay"], circus["priority_timeout"], circus["shutdown_timeout"])
