"""The roster: the one door for orders, and what each order changes.

Orders change goals, generations and rollouts; `converge()` takes the steps. What each order means
is in `wire.orders`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from signal import SIGHUP
from typing import Any

from cvec_circus.core.conditions import Dependency, dependants
from cvec_circus.core.goal import THE_END
from cvec_circus.core.life import CLOSING, STOPPING, WAITING
from cvec_circus.core.ports import Ends
from cvec_circus.core.process import ManagedProcess, ProcessState
from cvec_circus.core.watcher import Watcher
from cvec_circus.core.watchers import Watchers
from cvec_circus.options.generation import Undo
from cvec_circus.options.needs import conditions
from cvec_circus.options.watcher import needs_fresh
from cvec_circus.wire import orders
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Order
from cvec_circus.wire.outcome import Wait
from cvec_circus.wire.topics import fold

HELPER_TIMEOUT = 5.0
"""Seconds a helper has to stop when the daemon ends."""


class Roster(Watchers):
    """All watchers, and the only entry point for orders. Owned by the supervisor thread."""

    def give(self, order: Order, wait: Wait | None = None) -> None:
        """Carry out an order, and answer `wait` when it is complete.

        Raises:
            exc.AlreadyExist: An `Add` of an existing name.
        """
        CARRIED_OUT[type(order)](self, order, wait)
        if wait is not None:
            self.touch(*self.ports.waits.begin(wait, order))

    def hurry(self) -> None:
        """Cut all waits short: whatever has not ended is killed in the next turn, and no hook is
        asked."""
        self.campaign.release_all()
        for watcher in self.all_watchers():
            self._limit_time(watcher, 0.0, mute=True)
            self.touch(watcher)

    # -- what each order changes

    def chosen_of(self, watchers: orders.Chosen) -> list[Watcher]:
        """Return the watchers an order is for: see `wire.orders`."""
        if watchers is not None:
            return list(watchers)
        return [watcher for watcher in self.watchers() if starts_with_others(watcher)]

    def _with_dependencies(self, chosen: list[Watcher]) -> list[Watcher]:
        """Return watchers to start with their dependencies that are down, not stopped by an order,
        and not completed."""
        found = dict.fromkeys(chosen)
        left = list(chosen)
        while left:
            for name, condition in conditions(left.pop().options).items():
                other = self.get(name)
                if other is None or other in found or other.goal.up:
                    continue
                is_done = Dependency(name, condition, self.get).is_met()
                if other.goal.word not in ("stop", "rm", "quit") and not is_done:
                    found[other] = None
                    left.append(other)
        return list(found)

    def with_dependants(self, chosen: Sequence[Watcher]) -> list[Watcher]:
        """Return watchers, and their dependants that are wanted up."""
        return self._with(chosen, dependants(self.watchers()))

    def with_parts(self, chosen: Sequence[Watcher]) -> list[Watcher]:
        """Return watchers, and the parts of them that are wanted up."""
        return self._with(chosen, dependants(self.watchers(), itemgetter("part_of")))

    def _with(
        self, chosen: Sequence[Watcher], needed: Mapping[str, Sequence[Watcher]]
    ) -> list[Watcher]:
        found = dict.fromkeys(chosen)
        left = list(chosen)
        while left:
            for one in needed.get(fold(left.pop().name), ()):
                if one not in found and one.goal.up:
                    found[one] = None
                    left.append(one)
        return list(found)

    def _expect(
        self, order: Order, wait: Wait | None, watchers: Sequence[Watcher], ends: Ends = None
    ) -> None:
        """Record the state of watchers before the order is applied, if its sender waits."""
        if wait is not None:
            self.ports.waits.before(wait, order, watchers, ends)

    def _want(
        self, watcher: Watcher, word: str, cause: Cause, up: bool, cycle: bool = False
    ) -> None:
        """Give a watcher its new goal, and forget earlier deaths."""
        watcher.ordered(word, cause, up, cycle)
        watcher.places.hasten(self.now())

    def _start(self, given: orders.Start, wait: Wait | None) -> None:
        chosen = self.chosen_of(given.watchers)
        self._expect(given, wait, chosen)
        chosen = self._with_dependencies(chosen)
        for watcher in chosen:
            self._want(watcher, "start", given.cause, up=True)
        if given.beside:
            held = [watcher for watcher in chosen if not watcher.is_running]
            self.begin([watcher for watcher in chosen if watcher not in held])
            self.campaign.join(held)
        else:
            self._run_now(given.watchers)
            self.begin(chosen, starts=given.watchers is None)

    def _run_now(self, named: orders.Chosen) -> None:
        """Let jobs run that an order names; one to all leaves them to their schedules."""
        for watcher in named or ():
            if watcher.options.schedule and (not watcher.is_running or watcher.goal.cycle):
                watcher.due_cause = watcher.goal.cause

    def _stop(self, given: orders.Stop, wait: Wait | None) -> None:
        chosen = self.watchers() if given.watchers is None else list(given.watchers)
        if given.with_dependants:
            chosen = self.with_dependants(chosen)
        self._expect(given, wait, chosen)
        for part in self.with_parts(chosen)[len(chosen) :] if wait is not None else ():
            self._expect(given, wait, [part], part.places.spawned())
        for watcher in chosen:
            self._want(watcher, "stop", given.cause, up=False)
            if given.failed:
                self._give_up(watcher, given.cause)
        if given.with_dependants:
            self.campaign.stop(chosen)
        self.begin(chosen, stops=given.watchers is None)

    def _give_up(self, watcher: Watcher, cause: Cause) -> None:
        """Mark a stopping watcher as failed, because a client says so."""
        reason = cause.reason or "gave up"
        watcher.reason = ": ".join(filter(None, (cause.actor, reason)))
        self.ports.events.publish(watcher, "giveup", cause, reason=reason)

    def _restart(self, given: orders.Restart | orders.Reload, wait: Wait | None) -> None:
        chosen = self.chosen_of(given.watchers)
        is_all = given.watchers is None
        self._expect(given, wait, chosen)
        for watcher in chosen if isinstance(given, orders.Reload) else ():
            watcher.gaps += bool(watcher.places.spawned())
        for watcher in chosen:
            self._want(watcher, "restart", given.cause, up=True, cycle=watcher.is_running)
        self._run_now(given.watchers)
        self._start_needed(chosen, given.cause)
        self.begin(chosen, stops=is_all, starts=is_all)  # all are down before one is up

    def _reload(self, given: orders.Reload, wait: Wait | None) -> None:
        """Begin a rollout of what runs, and start what is down."""
        self.ports.outputs.reopen(given.watchers)  # they may have been moved away
        if given.restarts:
            self._restart(given, wait)
            return
        is_all = given.watchers is None
        chosen = self.to_reload() if given.watchers is None else list(given.watchers)
        hung_up = [w for w in chosen if w.options.send_hup and w.is_running and not w.goal.cycle]
        replaced = [watcher for watcher in chosen if watcher not in hung_up]
        self._expect(given, wait, hung_up)
        for watcher in replaced:
            if not (is_all and _stays_down(watcher, chosen)):
                self._expect(given, wait, [watcher], watcher.places.spawned())
        for watcher in hung_up:
            self._want(watcher, "reload", given.cause, up=True)
            for process in watcher.places.fresh:
                self.steps.signal(watcher, process, SIGHUP)
            self.ports.events.publish(watcher, "reload", given.cause)
        if is_all:
            # Those that a campaign is about to start will be fresh anyway, each in its turn.
            replaced = [
                w for w in replaced if not w.is_held(True) or (w.is_running and not w.goal.cycle)
            ]
        self._start_needed(replaced, given.cause)
        for watcher in replaced:
            undo = watcher.settings.undo_nothing()
            self._roll(watcher, given.cause, undo, given.sequential)
        self.begin([*hung_up, *(watcher for watcher in replaced if watcher.is_running)])
        down = [watcher for watcher in replaced if not watcher.is_running]
        self.begin(down, starts=is_all and bool(down) and not self.campaign.asks(True))

    def _start_needed(self, watchers: list[Watcher], cause: Cause) -> None:
        """Start the dependencies of watchers to start."""
        for watcher in self._with_dependencies(watchers)[len(watchers) :]:
            self._want(watcher, "start", cause, up=True)
            self.touch(watcher)

    def to_reload(self) -> list[Watcher]:
        """Return the watchers that a reload of all covers: one stopped by an order stays stopped,
        one that gave up is tried again, and the run of a job goes on."""
        wanted = [one for one in self.watchers() if one.goal.up or one.goal.word == "giveup"]
        return [one for one in wanted if not (one.options.schedule and one.is_running)]

    def _roll(self, watcher: Watcher, cause: Cause, undo: Undo, sequential: bool = False) -> None:
        """Want a watcher up, with every current process replaced by one of the next generation."""
        is_cycling = watcher.goal.cycle
        self._want(watcher, "reload", cause, up=True, cycle=is_cycling)
        if watcher.is_running and not is_cycling:
            self.steps.order_rollout(watcher, cause, undo, sequential)

    def _resize(self, given: orders.Resize, wait: Wait | None) -> None:
        self._expect(given, wait, [given.watcher])
        self._publish_size(given.watcher, given.numprocesses, given.cause, always=False)
        self.touch(given.watcher)

    def _publish_size(self, watcher: Watcher, size: int, cause: Cause, always: bool) -> None:
        """Want a number of processes, and publish it: always, or if it has changed."""
        told: dict[str, object] = {"reason": cause.why} if cause.why else {}
        watcher.places.hasten(self.now())
        if watcher.resize(size, cause):
            told["numprocesses"] = size
        if always or "numprocesses" in told:
            self.ports.events.publish(watcher, "updated", cause, **told)

    def _set_options(self, given: orders.SetOptions, wait: Wait | None) -> None:
        watcher, options = given.watcher, dict(given.options)
        size = options.pop("numprocesses", watcher.goal.numprocesses)
        undo = watcher.settings.undo_nothing()
        changed = watcher.change(options, given.dropped)
        fresh = [n for n in changed if needs_fresh(n, undo.options.get(n), options[n])]
        needs, keeps_run = bool(fresh), watcher.finishes_run and watcher.is_running
        if watcher.is_gone and watcher.goal.word != THE_END and (needs or "hooks" in changed):
            watcher.reason = ""  # it is about options that are gone
        if watcher.life is WAITING:
            self.steps.depend(watcher)
        self.steps.stop_listening(watcher)  # the next turn listens on what it has by then
        # A run whose stream is taken away keeps it: nothing else would read its pipe.
        kept = [n for n in fresh if not options[n]] if keeps_run else []
        self.steps.take_over(watcher, [n for n in changed if n not in kept])
        rolls = given.fresh or (not watcher.finishes_run and (needs or watcher.is_outdated))
        rolls = rolls and watcher.is_running and watcher.wants_to_run
        at_stake = {name: options[name] for name in changed}
        at_stake.update((n, options[n]) for n in watcher.at_stake() if n in options)
        ends = None
        if rolls:
            ends = watcher.places.spawned()
        elif any(name in at_stake for name in watcher.at_stake()):
            ends = list(watcher.places.stale)
        if "numprocesses" in given.options:
            at_stake["numprocesses"] = size
        self._expect(given._replace(options=at_stake), wait, [watcher], ends)
        self._publish_size(watcher, size, given.cause, always=True)
        if rolls:
            names = (*changed, *given.dropped)
            self._roll(watcher, given.cause, undo._replace(names=names))
        elif needs and keeps_run:
            generation = watcher.settings.renew(given.cause)
            watcher.goal = watcher.goal._replace(generation=generation)
        self.touch(watcher)

    def _add(self, given: orders.Add, wait: Wait | None) -> None:
        self.enlist(given.watcher)
        self.ports.events.publish(given.watcher, "add", given.cause)

    def _remove(self, given: orders.Remove, wait: Wait | None) -> None:
        watcher = given.watcher
        self.campaign.forget(watcher)
        self._expect(given, wait, [watcher])
        self.steps.stop_listening(watcher)
        ends = not given.nostop or watcher.life in (CLOSING, STOPPING)
        watcher.is_removed, watcher.is_abandoned = True, not ends
        self.ports.events.publish(watcher, "remove", given.cause)
        watcher.ordered("rm", given.cause, up=False)
        if ends:
            self.dismiss(watcher)
        else:
            watcher.places.drop_pending()
            watcher.questions.clear()
            watcher.gate = None
            self.abandon(watcher)

    def _kill(self, given: orders.Kill, wait: Wait | None) -> None:
        watcher = given.watcher
        chosen = [process for process in given.processes if process.has_leader]
        if chosen:
            self._expect(given, wait, [watcher], chosen)
        if given.surge:
            chosen = [process for process in chosen if process in watcher.places.fresh]
        if given.surge and watcher.is_running and watcher.wants_to_run:
            watcher.places.expired.update(dict.fromkeys(chosen, given.cause))
        else:
            self._end(given, chosen)
        self.touch(watcher)

    def _end(self, given: orders.Kill, processes: list[ManagedProcess]) -> None:
        """End processes before their successors start."""
        watcher, limit, signum = given.watcher, given.graceful_timeout, given.signum
        watcher.places.hasten(self.now())
        for process in processes:
            if process.state is ProcessState.RUNNING:
                self.steps.stop(watcher, process, given.cause, signum, limit)
            elif signum is not None:
                self.steps.pass_on(watcher, process, signum, given.cause)
            if limit is not None:
                watcher.places.end_by(process, self.now() + limit)

    def _signal(self, given: orders.Signal, wait: Wait | None) -> None:
        signals, tell = self.ports.signals, self.steps.tell_signal
        for process in given.processes:
            about = given.watcher, process, given.signum, given.cause
            if given.childpid is not None:
                tell(*about, childpid=given.childpid)
                signals.signal_child(process, given.childpid, given.signum)
                continue
            if given.children or given.recursive:
                tell(*about, children=True)
                signals.signal_children(process, given.signum, given.recursive)
            if not given.children:
                self.steps.pass_on(*about)

    def _configure(self, given: orders.Configure, wait: Wait | None) -> None:
        for one in given.orders:
            CARRIED_OUT[type(one)](self, one, wait)
        for watcher, base in given.bases:
            watcher.settings.rebase(base)
        for watcher in given.joined:
            at_stake = {name: watcher.options.get(name) for name in watcher.at_stake()}
            wish = orders.SetOptions(watcher, at_stake, given.cause)
            self._expect(wish, wait, [watcher], list(watcher.places.stale))
        for watcher in given.settled:
            watcher.settle(given.cause)

    def _quit(self, given: orders.Quit, wait: Wait | None) -> None:
        all_watchers = self.all_watchers()
        self._expect(given, wait, all_watchers)
        if self.closing:
            return
        self.closing = True
        for watcher in self.watchers():
            self._want(watcher, "quit", given.cause, up=False)
            if watcher.kind.is_helper:
                self._limit_time(watcher, HELPER_TIMEOUT)
        self.begin(all_watchers, stops=True)
        for watcher in all_watchers:
            if watcher.is_removed:
                watcher.release(True, False)

    def _limit_time(self, watcher: Watcher, patience: float, mute: bool = False) -> None:
        """Limit the time that the processes of a watcher have to end."""
        watcher.goal = watcher.goal._replace(patience=patience, mute=mute)
        for process in watcher.places.ending:
            watcher.places.end_by(process, self.now() + watcher.patience())


def starts_with_others(watcher: Watcher) -> bool:
    """Tell whether an order to start that does not name this watcher starts it."""
    return watcher.options.autostart or watcher.goal.up


def _stays_down(watcher: Watcher, chosen: Sequence[Watcher]) -> bool:
    """Tell whether a watcher waits for one that is down and is not to start now either."""
    first = watcher.unmet()
    if not isinstance(first, Dependency) or not first.is_hopeless():
        return False
    return first.last()[1] not in chosen


CARRIED_OUT: dict[type, Callable[[Roster, Any, Wait | None], None]] = {
    orders.Start: Roster._start,
    orders.Stop: Roster._stop,
    orders.Restart: Roster._restart,
    orders.Reload: Roster._reload,
    orders.Resize: Roster._resize,
    orders.SetOptions: Roster._set_options,
    orders.Add: Roster._add,
    orders.Remove: Roster._remove,
    orders.Kill: Roster._kill,
    orders.Signal: Roster._signal,
    orders.Configure: Roster._configure,
    orders.Quit: Roster._quit,
}
"""What carries out each kind of order."""
