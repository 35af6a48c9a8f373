"""The roster: the one door for orders, and what each order changes.

Orders change goals, generations and rollouts; `converge()` takes the steps. Each function here is
called by `Roster.give` with an order of its kind, and with who waits for the end of it, if anyone
does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cvec_circus.core.campaign import stop_order
from cvec_circus.core.converge import order_rollout, stop_listening, take_over
from cvec_circus.core.ending import end_now, hang_up, signal_with_hooks
from cvec_circus.core.goal import Strategy
from cvec_circus.core.life import Life
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Standing, Watcher
from cvec_circus.core.watchers import Watchers
from cvec_circus.options.stream import OUTPUT_OPTIONS
from cvec_circus.options.watcher import needs_fresh
from cvec_circus.wire.orders import (
    Add,
    Chosen,
    Configure,
    Kill,
    Order,
    Quit,
    Reload,
    Remove,
    Resize,
    Restart,
    SetOptions,
    Signal,
    Start,
    Stop,
)
from cvec_circus.wire.outcome import Wait

HELPER_TIMEOUT = 5.0
"""Seconds a helper has to stop when the daemon ends."""


def chosen_of(roster: Watchers, watchers: Chosen) -> list[Watcher]:
    """Return the watchers an order is for: without a name, or by a pattern for several, one that
    is not to start by itself is left alone while it is stopped."""
    named = roster.watchers() if watchers is None else list(watchers)
    if watchers is not None and len(named) == 1:
        return named
    return [w for w in named if w.options.autostart or w.goal.up]


def expect(
    roster: Watchers,
    order: Order,
    wait: Wait | None,
    watchers: Iterable[Watcher],
    replaced: Iterable[ManagedProcess] | None = None,
) -> None:
    """Let who waits see those watchers as they are before the order is applied."""
    if wait is not None:
        roster.ports.waits.before(order, wait, watchers, replaced)
        for watcher in watchers:
            roster.touch(watcher)


def want(roster: Watchers, watcher: Watcher, word: str, cause: Any, up: bool) -> None:
    """Give a watcher its new goal, with no memory of the deaths before."""
    watcher.ordered(word, cause, up)
    watcher.places.hasten(roster.now())


def start(roster: Watchers, given: Start, wait: Wait | None) -> None:
    """See `Start`."""
    chosen = chosen_of(roster, given.watchers)
    expect(roster, given, wait, chosen)
    for watcher in chosen:
        want(roster, watcher, "start", given.cause, up=True)
    if given.beside:
        held = [w for w in chosen if not w.is_running or w.goal.cycle]
        roster.begin([watcher for watcher in chosen if watcher not in held])
        roster.join(held)
    else:
        roster.begin(chosen, starts=given.watchers is None)


def stop(roster: Watchers, given: Stop, wait: Wait | None) -> None:
    """See `Stop`."""
    named = given.watchers
    chosen = sorted(roster.watchers(), key=stop_order) if named is None else list(named)
    expect(roster, given, wait, chosen)
    for watcher in chosen:
        want(roster, watcher, "stop", given.cause, up=False)
    roster.begin(chosen, stops=named is None)


def restart(roster: Watchers, given: Restart, wait: Wait | None) -> None:
    """See `Restart`; of all: all are down before one is up."""
    chosen = chosen_of(roster, given.watchers)
    is_all = given.watchers is None
    if is_all:
        chosen.sort(key=stop_order)
    expect(roster, given, wait, chosen)
    for watcher in chosen:
        watcher.ordered("restart", given.cause, up=True, cycle=watcher.is_running)
        watcher.places.hasten(roster.now())
    roster.begin(chosen, stops=is_all, starts=is_all)


def reload(roster: Watchers, given: Reload, wait: Wait | None) -> None:
    """See `Reload`. It begins a rollout of what runs, and starts what is down; log files are opened
    anew, for they may have been moved away."""
    roster.ports.outputs.reopen(given.watchers)
    if not (given.graceful or given.sequential):
        restart(roster, Restart(given.watchers, given.cause), wait)
        return
    chosen = chosen_of(roster, given.watchers)
    is_all = given.watchers is None
    hung_up = [w for w in chosen if w.options.send_hup and w.is_running and not w.goal.cycle]
    replaced = [watcher for watcher in chosen if watcher not in hung_up]
    expect(roster, given, wait, hung_up)
    for watcher in replaced:
        expect(roster, given, wait, [watcher], watcher.places.spawned())
    for watcher in hung_up:
        want(roster, watcher, "reload", given.cause, up=True)
        hang_up(watcher, roster.ports, given.cause)
    if is_all:
        # Those that a campaign is about to start will be fresh anyway, each in its turn.
        replaced = [
            w for w in replaced if not w.is_held(True) or (w.is_running and not w.goal.cycle)
        ]
    running = [watcher for watcher in replaced if watcher.is_running]
    strategy = Strategy.RECREATE if given.sequential else Strategy.SURGE
    for watcher in replaced:
        roll(roster, watcher, given.cause, strategy)
    roster.begin([*hung_up, *running])
    down = [watcher for watcher in replaced if not watcher.is_running]
    roster.begin(down, starts=is_all and bool(down) and roster.campaign.is_over)


def roll(roster: Watchers, watcher: Watcher, cause: Any, strategy: Strategy) -> None:
    """Want a watcher up, with every process of now replaced by one of the next generation."""
    is_cycling = watcher.goal.cycle
    watcher.ordered("reload", cause, up=True, cycle=is_cycling)
    watcher.places.hasten(roster.now())
    if watcher.is_running and not is_cycling:
        order_rollout(watcher, cause, strategy)


def resize(roster: Watchers, given: Resize, wait: Wait | None) -> None:
    """See `Resize`."""
    expect(roster, given, wait, [given.watcher])
    publish_size(roster, given.watcher, given.numprocesses, given.cause, always=False)
    roster.touch(given.watcher)


def publish_size(roster: Watchers, watcher: Watcher, size: int, cause: Any, always: bool) -> None:
    """Want a number of processes, and tell of it: always, or when it is another one."""
    told: dict[str, object] = {"reason": cause.why} if cause.why else {}
    watcher.places.hasten(roster.now())
    if watcher.resize(size, cause):
        told["numprocesses"] = size
    if always or "numprocesses" in told:
        roster.ports.events.publish(watcher, "updated", cause, **told)


def set_options(roster: Watchers, given: SetOptions, wait: Wait | None) -> None:
    """See `SetOptions`."""
    watcher, options = given.watcher, dict(given.options)
    size = options.pop("numprocesses", watcher.numprocesses)
    watcher.settings.drop(given.dropped)
    changed = watcher.settings.change(options)
    if watcher.connection is not None:
        stop_listening(watcher, roster.ports)  # the next turn listens on what it has by then
    take_over(watcher, changed, roster.ports)
    is_open = watcher.life not in (Life.DOWN, Life.WAITING, Life.OPENING)
    if is_open and not OUTPUT_OPTIONS.isdisjoint(changed):
        roster.ports.outputs.open(watcher)
    rolls = given.fresh or any(map(needs_fresh, changed))
    rolls = rolls and watcher.is_running and watcher.wants_to_run
    expect(roster, given, wait, [watcher], watcher.places.spawned() if rolls else None)
    publish_size(roster, watcher, size, given.cause, always=True)
    if rolls:
        roll(roster, watcher, given.cause, Strategy.SURGE)
        roster.campaign.let_go(watcher)
    roster.touch(watcher)


def add(roster: Watchers, given: Add, wait: Wait | None) -> None:
    """See `Add`."""
    roster.enlist(given.watcher)
    roster.ports.events.publish(given.watcher, "add", given.cause)


def remove(roster: Watchers, given: Remove, wait: Wait | None) -> None:
    """See `Remove`."""
    watcher = given.watcher
    roster.campaign.forget(watcher)
    expect(roster, given, wait, [watcher])
    stop_listening(watcher, roster.ports)
    ends = not given.nostop or watcher.life in (Life.CLOSING, Life.STOPPING)
    watcher.standing = Standing.REMOVED if ends else Standing.ABANDONED
    roster.ports.events.publish(watcher, "remove", given.cause)
    watcher.ordered("rm", given.cause, up=False)
    if ends:
        roster.dismiss(watcher)
    else:
        watcher.places.drop_pending()
        watcher.questions.clear()
        watcher.gate = None
        roster.abandon(watcher)


def kill(roster: Watchers, given: Kill, wait: Wait | None) -> None:
    """See `Kill`."""
    watcher = given.watcher
    chosen = [process for process in given.processes if process.has_leader]
    if chosen:
        expect(roster, given, wait, [watcher], chosen)
    watcher.places.hasten(roster.now())
    end_now(watcher, chosen, roster.ports, given.cause, given.signum, given.graceful_timeout)
    roster.touch(watcher)


def signal(roster: Watchers, given: Signal, wait: Wait | None) -> None:
    """See `Signal`."""
    signals = roster.ports.signals
    for process in given.processes:
        if given.childpid is not None:
            signals.signal_child(process, given.childpid, given.signum)
            continue
        if given.children or given.recursive:
            signals.signal_children(process, given.signum, given.recursive)
        if not given.children:
            process.signalled = given.signum
            signal_with_hooks(given.watcher, process, roster.ports, given.signum)


def configure(roster: Watchers, given: Configure, wait: Wait | None) -> None:
    """See `Configure`."""
    for one in given.orders:
        CARRIED_OUT[type(one)](roster, one, wait)
    for watcher, base in given.bases:
        watcher.settings.rebase(base)


def quit(roster: Watchers, given: Quit, wait: Wait | None) -> None:
    """See `Quit`."""
    first_time = not roster.closing
    roster.closing = True
    everybody = roster.everybody()
    expect(roster, given, wait, everybody)
    if not first_time:
        return
    for watcher in roster.watchers():
        want(roster, watcher, "quit", given.cause, up=False)
        if watcher.is_helper:
            watcher.goal = watcher.goal._replace(patience=HELPER_TIMEOUT)
            limit_time(roster, watcher)
    roster.begin(sorted(everybody, key=stop_order), stops=True)
    for watcher in everybody:
        if watcher.is_removed:
            roster.campaign.let_go(watcher)


def limit_time(roster: Watchers, watcher: Watcher) -> None:
    """Give the processes that are ending no more time than the watcher's goal allows."""
    for process in watcher.places.ending:
        watcher.places.end_by(process, roster.now() + watcher.patience())


CARRIED_OUT: dict[type, Callable[[Watchers, Any, Wait | None], None]] = {
    Start: start,
    Stop: stop,
    Restart: restart,
    Reload: reload,
    Resize: resize,
    SetOptions: set_options,
    Add: add,
    Remove: remove,
    Kill: kill,
    Signal: signal,
    Configure: configure,
    Quit: quit,
}
"""What carries out each kind of order."""


class Roster(Watchers):
    """All watchers, and the one way in for orders. Owned by the supervisor thread."""

    def give(self, order: Order, wait: Wait | None = None) -> None:
        """Take an order, and answer `wait` at the end of it.

        Raises:
            exc.AlreadyExist: An `Add` of a name that is there.
        """
        CARRIED_OUT[type(order)](self, order, wait)
        if wait is not None:
            self.ports.waits.begin(order, wait)

    def hurry(self) -> None:
        """Give nothing any more time: what has not ended is killed in the next turn, and no hook
        is asked."""
        self.campaign.release_all()
        for watcher in self.everybody():
            watcher.goal = watcher.goal._replace(patience=0.0, mute=True)
            limit_time(self, watcher)
            self.touch(watcher)
