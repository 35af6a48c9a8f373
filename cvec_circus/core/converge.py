"""converge(): from what is so towards what is wanted, one idempotent pass.

A pass looks at one watcher, meets the deadlines that have come, and takes every step that is
possible now. It never waits: a step that has to wait leaves a deadline, or counts on a fact that
will come. Running it again without news changes nothing, so orders may arrive at any moment and in
any mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from cvec_circus.core.conditions import Connection
from cvec_circus.core.ending import Ender
from cvec_circus.core.goal import Rollout, Strategy
from cvec_circus.core.hooks import YES
from cvec_circus.core.life import CLOSING, DOWN, FILLING, OPENING, STOPPING, UP, WAITING, Life
from cvec_circus.core.ports import Ports
from cvec_circus.core.process import ManagedProcess, Purpose
from cvec_circus.core.spawning import Spawner
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.cause import CONNECTION, EXIT, MAX_AGE, NONE, Cause

THE_END = "the end of its last process"
"""The word for what ends a watcher whose processes are not respawned."""


class Steps(Ender, Spawner):
    """The steps of each life. Owned by the supervisor thread."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._steps: dict[Life, Callable[[Watcher], bool | None]] = {
            DOWN: self._down,
            WAITING: self._waiting,
            OPENING: self._opening,
            FILLING: self._running,
            UP: self._running,
            CLOSING: self._closing,
            STOPPING: self._stopping,
        }

    def converge(self, watcher: Watcher) -> bool:
        """Take every step that can be taken now; return whether the turn was over before that, so
        that another pass is due."""
        agenda = watcher.places.agenda
        for process, purpose in agenda.pop_due(self.now()) if agenda else ():
            self.meet(watcher, process, purpose)
        while True:
            life = watcher.life
            more = self._steps[life](watcher)
            if watcher.life is life:
                return bool(more)

    def meet(self, watcher: Watcher, process: ManagedProcess, purpose: Purpose) -> None:
        """Act on a deadline that has come."""
        if purpose is Purpose.SPAWN:
            watcher.places.ready.append(process)
        elif purpose is Purpose.EXPIRE:
            watcher.places.expired.append(process)
        elif purpose is Purpose.COMPLAIN:
            self.complain(watcher, process)
        else:
            self.kill(watcher, process)

    # -- what a step returns says whether the turn was over before it was done

    def _down(self, watcher: Watcher) -> None:
        """Wait for the conditions of a start, if that is wanted."""
        if watcher.goal.up:
            watcher.enter(WAITING)

    def _waiting(self, watcher: Watcher) -> None:
        """Open when all conditions are met. The connection is waited for last."""
        if not watcher.goal.up:
            self.stop_listening(watcher)
            watcher.enter(DOWN)
        elif (condition := watcher.unmet()) is not None:
            if not isinstance(condition, Connection):
                self.stop_listening(watcher)
        elif watcher.options.on_demand and watcher.connection is None:
            self._listen(watcher)
        else:
            self._begin(watcher)

    def _listen(self, watcher: Watcher) -> None:
        """Wait for the first client of a watcher with `on_demand`."""
        try:
            self.ports.doorbell.listen(watcher)
        except ValueError as error:
            self.give_up(watcher, str(error))
            watcher.enter(DOWN)
        else:
            watcher.conditions.append(Connection())

    def stop_listening(self, watcher: Watcher) -> None:
        """Leave the connections to its processes, or to none."""
        if watcher.connection is not None:
            watcher.conditions.remove(watcher.connection)
            self.ports.doorbell.ignore(watcher)

    def _begin(self, watcher: Watcher) -> None:
        """Begin a life from nothing, with no memory of the one before."""
        now = self.now()
        watcher.enter(OPENING)
        watcher.lives += 1
        watcher.places.begin(now, watcher.goal.numprocesses)
        watcher.goal = watcher.goal._replace(cycle=False)
        is_demanded = watcher.connection is not None
        self.stop_listening(watcher)
        watcher.conditions.clear()
        if is_demanded:
            # Unlike an order, a connection cannot make what dies at once start any faster.
            watcher.goal = watcher.goal._replace(cause=CONNECTION, size_cause=CONNECTION)
            for memory in watcher.places.backoffs.values():
                memory.cause = NONE
        else:
            watcher.places.hasten(now)

    def _opening(self, watcher: Watcher) -> None:
        """Ask before_start, then open the streams."""
        if watcher.goes_on and self.passes(watcher, "before_start"):
            self.ports.outputs.open(watcher)
            watcher.enter(FILLING)
        elif not watcher.goes_on:
            watcher.gate = watcher.rollout = None
            watcher.enter(DOWN)  # to clients it was never anything else

    def _running(self, watcher: Watcher) -> bool:
        """Keep as many fresh processes as wanted, and close if that is wanted."""
        more, size = watcher.goes_on and self._keep_up(watcher), watcher.goal.numprocesses
        if not watcher.goes_on:
            self._close(watcher)
        elif watcher.is_up and watcher.one_shot and size and not watcher.places.slots:
            if watcher.wants_to_run:  # a connection may begin another life
                if watcher.options.on_demand:
                    watcher.goal = watcher.goal._replace(cause=EXIT)
                else:
                    watcher.ordered(THE_END, EXIT, up=False)
            self._close(watcher)
        return more

    def _close(self, watcher: Watcher) -> None:
        """Ask before_stop next; every rollout is over."""
        watcher.enter(CLOSING)
        watcher.gate = watcher.rollout = None
        watcher.goal = watcher.goal._replace(cycle=False)
        watcher.places.expired.clear()

    def _closing(self, watcher: Watcher) -> None:
        """Ask before_stop."""
        watcher.places.drop_pending()
        if self.answer(watcher, "before_stop") is not None:
            watcher.enter(STOPPING)

    def _stopping(self, watcher: Watcher) -> bool:
        """Stop what runs, as the turn allows; when nothing is left it is down."""
        places = watcher.places
        if self._stop_each(watcher, [*places.stale, *places.fresh], watcher.goal.cause):
            return True
        if not places.slots and self.ports.signals.is_settled(watcher):
            watcher.enter(DOWN)
            self.publish(watcher, "stop", watcher.goal.cause)
            self.ports.outputs.close(watcher)
            self.tell(watcher, "after_stop")
        return False

    def passes(self, watcher: Watcher, name: str) -> bool:
        """Tell whether a hook has let the watcher take its next step; it gives up after a no."""
        refusal = self.answer(watcher, name)
        if refusal:
            self.give_up(watcher, refusal)
        return refusal == YES

    def _stop_each(
        self, watcher: Watcher, processes: Iterable[ManagedProcess], cause: Cause | None = None
    ) -> bool:
        """Stop running processes, for that cause or each for its own; return whether the turn was
        over before all of them were asked."""
        left = list(processes)
        while left:
            process = left.pop(0)
            self.stop(watcher, process, cause or process.cause)
            if self.turn_is_over():
                break
        return bool(left)

    # -- what keeping up consists of

    def _keep_up(self, watcher: Watcher) -> bool:
        """Keep as many fresh processes running as wanted, and none beside them."""
        places = watcher.places
        while places.expired and not places.being_replaced():
            process = places.expired.pop(0)  # older than `max_age`: one of a watcher at a time
            if process in places.fresh:
                watcher.make_stale(process, MAX_AGE)
        self.fill_places(watcher)
        more = self._shed_surplus(watcher)
        more |= self.spawn_ready(watcher)
        is_filled = watcher.life is FILLING and watcher.has_all and not watcher.reason
        if is_filled and self.passes(watcher, "after_start"):
            watcher.enter(UP)
            watcher.filled_life = watcher.lives
            watcher.filled_at = self.now()
            self.publish(watcher, "start", watcher.goal.cause)
        if watcher.reason:
            return False
        more |= self.stop_stale(watcher)
        return self.end_rollout(watcher) or more

    def _shed_surplus(self, watcher: Watcher) -> bool:
        """Free the places that are too many, first of what does not run, then of the oldest; return
        whether the turn was over before all of them were free."""
        places = watcher.places
        surplus = places.held - watcher.goal.numprocesses
        if surplus <= 0:
            return False
        rows = [*reversed(places.pending), *places.ending, *places.stale, *places.fresh]
        for process in [process for process in rows if process.holds_place][:surplus]:
            places.release(process)
            if process in places.pending:
                if places.asked_for == process.wid:
                    watcher.withdraw("before_spawn", process.wid)
                    places.asked_for = 0
                places.remove(process)
            elif process not in places.ending:
                self.stop(watcher, process, watcher.goal.size_cause)
                if self.turn_is_over():
                    return places.held > watcher.goal.numprocesses
        return False

    def stop_stale(self, watcher: Watcher) -> bool:
        """Stop stale processes: all of them once their successors run, or one after the other;
        return whether the turn was over before all that may stop had been asked."""
        places = watcher.places
        if not places.stale or places.pending:
            return False
        # Of a watcher that has become a singleton meanwhile nothing can start beside them.
        if not watcher.has_all and (watcher.is_full or not watcher.options.singleton):
            return False
        if not watcher.stops_first:
            return self._stop_each(watcher, places.stale)
        if all(process.unkillable for process in places.ending):
            self._stop_each(watcher, [next(iter(places.stale))])
        return False

    def take_over(self, watcher: Watcher, changed: Collection[str]) -> None:
        """Let options that have been changed count for what is under way already."""
        places = watcher.places
        if watcher.one_shot and not {"respawn", "on_demand"}.isdisjoint(changed):
            missing = max(0, watcher.goal.numprocesses - places.held)
            stale = sum(p.holds_place for p in places.slots.values() if p.stale)
            places.grants = missing + stale
        if "warmup_delay" in changed:
            soonest = self.now() + watcher.options.warmup_delay
            places.next_spawn_at = min(places.next_spawn_at, soonest)
        if "max_age" in changed or "max_age_variance" in changed:
            places.expired.clear()
            for process in places.fresh:
                places.due(process, Purpose.EXPIRE, self.expiry(watcher, process))
        if "singleton" in changed and watcher.options.singleton and any(places.leaders()):
            places.drop_pending()  # it starts when what runs has ended
        if "hooks" in changed and not watcher.has_hook("after_spawn"):
            places.trials.clear()

    # -- rollouts

    def _begin_rollout(self, watcher: Watcher, cause: Cause, strategy: Strategy) -> None:
        """Want every running process replaced by one of the next generation."""
        watcher.rollout = Rollout(cause, strategy)
        watcher.goal = watcher.goal._replace(generation=watcher.settings.renew(cause))
        for process in list(watcher.places.fresh):
            watcher.make_stale(process, cause)
        watcher.places.awaited.update(watcher.places.pending)

    def order_rollout(self, watcher: Watcher, cause: Cause, strategy: Strategy) -> None:
        """Begin a rollout now, or when the one that is under way has ended."""
        if watcher.rollout is None:
            self._begin_rollout(watcher, cause, strategy)
        else:
            watcher.rollout = Rollout(watcher.rollout.cause, strategy, then=cause)
        if not watcher.stops_first:
            for process in watcher.places.stale:
                watcher.places.release(process)

    def end_rollout(self, watcher: Watcher) -> bool:
        """End the rollout when all it replaces is gone and what replaces it is there; return
        whether the next one has begun.

        What cannot be killed keeps a rollout from having succeeded, but not the next one from
        beginning.
        """
        places, rollout = watcher.places, watcher.rollout
        if rollout is None or places.stale or places.awaited or places.trials or not watcher.is_up:
            return False
        if places.stale_count and (rollout.then is None or places.being_replaced()):
            return False
        if not places.stale_count:
            self.publish(watcher, "reload", rollout.cause)
        watcher.rollout = None
        if rollout.then is not None:
            self._begin_rollout(watcher, rollout.then, rollout.strategy)
        return watcher.rollout is not None
