"""converge(): one idempotent pass from the actual towards the desired state.

A pass looks at one watcher, meets the deadlines that have come, and takes every step that is
possible now. It never waits: a step that has to wait leaves a deadline, or relies on a fact to
come. Running it again without news changes nothing, so orders may arrive at any moment and in any
combination.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cvec_circus.base.figures import counted
from cvec_circus.core.conditions import OF_OPTIONS, Connection, Dependency
from cvec_circus.core.goal import THE_END
from cvec_circus.core.hooks import YES
from cvec_circus.core.life import CLOSING, DOWN, FILLING, OPENING, STOPPING, UP, WAITING, Life
from cvec_circus.core.phase import FAILING, phase
from cvec_circus.core.ports import Ports
from cvec_circus.core.process import ManagedProcess, Purpose
from cvec_circus.core.scheduling import Scheduler
from cvec_circus.core.watcher import Watcher
from cvec_circus.system.collecting import ended
from cvec_circus.wire.cause import CONNECTION, EXIT, MAX_AGE, NONE, Cause
from cvec_circus.wire.topics import fold


class Steps(Scheduler):
    """The steps of each life. Owned by the supervisor thread."""

    def __init__(self, ports: Ports, find: Callable[[str], Watcher | None]) -> None:
        super().__init__(ports)
        self._find = find
        self._waiting_for: dict[str, dict[Watcher, None]] = {}
        """The watchers that wait for one to start, or to be ready, by that one's folded name."""
        self._waits: dict[Watcher, str] = {}  # the other way round
        self._newly: set[Watcher] = set()  # those whose wait has begun in this pass
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
        if watcher.run is not None or watcher.options.schedule:
            self.keep_time(watcher)
        while True:
            self.tell_failed(watcher)
            life, failed = watcher.life, watcher.failed
            more = self._steps[life](watcher)
            if watcher.life is life and watcher.failed is failed:
                return bool(more)

    def adopt(self, watcher: Watcher, had_gap: bool = True) -> None:
        """Resume the checks and deadlines of processes left by an earlier daemon, and the rollout
        of those that are older than wanted. Without a gap no run was missed."""
        places = watcher.places
        for process in places.fresh:
            places.due(process, Purpose.EXPIRE, self.expiry(watcher, process))
            self.go_on(watcher, process)
        if had_gap and watcher.run is not None and watcher.run.at <= self.now():
            watcher.missed = self.ports.timetable.missed(watcher.run)
            if watcher.missed:
                self.note(watcher, watcher.missed)
            watcher.last_run = watcher.run
        watcher.run = None if had_gap else watcher.run  # worked out anew, by the calendar
        wanted = watcher.goal.generation
        olds = [process for process in places.fresh if process.generation < wanted]
        if watcher.finishes_run and places.held <= watcher.goal.numprocesses:
            olds = []
        if olds and watcher.is_running and watcher.wants_to_run:
            way_back = any(process.proved for process in olds)
            cause, undo = watcher.settings.generation.cause, watcher.settings.undo_nothing()
            self.roll_out(watcher, cause, undo, way_back, olds)
            for process in olds[: max(0, places.held - watcher.goal.numprocesses)]:
                places.release(process)  # its successor is there already
            for process in places.unwell:
                self.give_time(watcher, process)

    def meet(self, watcher: Watcher, process: ManagedProcess, purpose: Purpose) -> None:
        """Act on a deadline that has come."""
        if purpose is Purpose.SPAWN:
            watcher.places.ready.append(process)
        elif purpose is Purpose.EXPIRE:
            watcher.places.expired.setdefault(process, MAX_AGE)
        elif purpose is Purpose.READY_BY:
            self.ready_by(watcher, process)
        elif purpose is Purpose.COMPLAIN:
            self.complain(watcher, process)
        else:
            self.kill(watcher, process)

    # -- what a step returns says whether the turn was over before it was done

    def _down(self, watcher: Watcher) -> None:
        """Wait for the conditions of a start, if that is wanted."""
        if watcher.goal.up:
            self.depend(watcher)
            watcher.enter(WAITING)

    def _waiting(self, watcher: Watcher) -> None:
        """Open when all conditions are met. The connection is waited for last."""
        condition = watcher.unmet() if watcher.goal.up else None
        name = fold(condition.name) if isinstance(condition, Dependency) else None
        if self._waits.get(watcher) != name:
            self.wait_no_more(watcher)
            if name is not None:
                self._waits[watcher] = name
                self._newly.add(watcher)
        if name is not None:
            self._waiting_for.setdefault(name, {})[watcher] = None
        if not watcher.goal.up:
            self.stop_listening(watcher)
            watcher.enter(DOWN)
        elif condition is not None:
            if not isinstance(condition, Connection):
                self.stop_listening(watcher)
        elif watcher.options.on_demand and watcher.connection is None:
            self._listen(watcher)
        else:
            self._begin(watcher)

    def depend(self, watcher: Watcher) -> None:
        """Make a watcher wait for what its current options say."""
        find, clock = self._find, self.ports.clock
        others = (one for one in watcher.conditions if not isinstance(one, OF_OPTIONS))
        own = (one for kind in OF_OPTIONS for one in kind.of(watcher, find, clock))
        watcher.conditions = [*others, *own]
        watcher.conditions.sort(key=lambda one: isinstance(one, Connection))

    def wait_no_more(self, watcher: Watcher) -> None:
        """Remove a watcher from the lists of those it no longer waits for."""
        name = self._waits.pop(watcher, None)
        if name is not None and name in self._waiting_for:
            self._waiting_for[name].pop(watcher, None)
            if not self._waiting_for[name]:
                del self._waiting_for[name]

    def released_by(self, watcher: Watcher) -> list[Watcher]:
        """Return the watchers that no longer have to wait for this one, and all behind it when they
        may wait forever."""
        if not self._waiting_for:
            self._newly.discard(watcher)
            return []
        name = fold(watcher.name)
        waiting = self._waiting_for.get(name, {})
        released = [one for one in waiting if not waits_for(one, name)]
        for one in released:
            del waiting[one]
        may_be_hopeless = watcher.life is DOWN or watcher in self._newly
        may_be_hopeless = may_be_hopeless or bool(waiting and phase(watcher) in FAILING)
        self._newly.discard(watcher)
        return [*released, *self._all_behind(watcher)] if may_be_hopeless else released

    def _all_behind(self, watcher: Watcher) -> list[Watcher]:
        """Return the watchers that wait for this one, and transitively those that wait for them."""
        found: dict[Watcher, None] = {}
        left = [watcher]
        while left:
            waiting = self._waiting_for.get(fold(left.pop().name), {})
            new = [one for one in waiting if one not in found]
            found.update(dict.fromkeys(new))
            left += new
        return list(found)

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
        """Stop watching for connections: its processes accept them, or none does."""
        if watcher.connection is not None:
            watcher.conditions.remove(watcher.connection)
            self.ports.doorbell.ignore(watcher)

    def _begin(self, watcher: Watcher) -> None:
        """Begin a life from nothing, with no memory of the one before."""
        now = self.now()
        watcher.enter(OPENING)
        watcher.lives += 1
        watcher.is_told_ready, watcher.ready_at = False, None
        watcher.places.begin(now, watcher.goal.numprocesses)
        watcher.goal = watcher.goal._replace(cycle=False)
        if watcher.is_due:
            cause, watcher.due_cause = watcher.due_cause, NONE
            watcher.goal = watcher.goal._replace(cause=cause, size_cause=cause)
            watcher.reason = ""  # of the run before
        is_demanded = watcher.connection is not None
        self.stop_listening(watcher)
        watcher.conditions.clear()
        if is_demanded:
            # Unlike an order, a connection does not reset the backoff.
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
                cause = EXIT._replace(why=failure(watcher))
                if watcher.options.schedule:
                    watcher.goal = watcher.goal._replace(word=THE_END, cause=cause)
                elif watcher.options.on_demand:
                    watcher.goal = watcher.goal._replace(cause=EXIT)
                else:
                    watcher.ordered(THE_END, cause, up=False)
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
        """Stop running processes, as the turn allows; the watcher is down when nothing is left."""
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
        """Tell whether a hook lets the watcher take its next step; it gives up after a no."""
        refusal = self.answer(watcher, name)
        if refusal:
            self.give_up(watcher, refusal)
        return refusal == YES

    def _stop_each(
        self, watcher: Watcher, processes: Sequence[ManagedProcess], cause: Cause | None = None
    ) -> bool:
        """Stop running processes, for that cause or each for its own; return whether the turn was
        over before all of them were asked."""
        for number, process in enumerate(processes, 1):
            self.stop(watcher, process, cause or process.cause)
            if self.turn_is_over():
                return number < len(processes)
        return False

    # -- what keeping up consists of

    def _keep_up(self, watcher: Watcher) -> bool:
        """Keep as many fresh processes running as wanted, and none beside them."""
        self.replace_expired(watcher)
        self.make_room(watcher)
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
        more |= self._stop_spare(watcher)  # one less is on trial, and more may start
        more |= self.end_rollout(watcher)
        self.tell_ready(watcher)
        return more

    def _stop_spare(self, watcher: Watcher) -> bool:
        """Stop stale processes for which enough others run; return whether there are any."""
        places = watcher.places
        spare = self.spare(watcher)
        if spare:
            self._stop_each(watcher, places.by_worth(places.stale)[:spare])
        return spare > 0

    def _shed_surplus(self, watcher: Watcher) -> bool:
        """Free surplus places; return whether the turn was over before all of them were free, or
        replacements have waited for that."""
        places = watcher.places
        surplus = places.held - watcher.goal.numprocesses
        if surplus <= 0:
            return False
        self._stop_spare(watcher)  # what ends anyway leaves its place first
        there = (*reversed(places.pending), *places.ending, *places.stale, *places.fresh)
        for process in places.by_worth(one for one in there if one.holds_place)[:surplus]:
            places.release(process)
            if process in places.pending:
                watcher.drop(process)
            elif process not in places.ending:
                self.stop(watcher, process, watcher.goal.size_cause)
                if self.turn_is_over():
                    break
        return places.held > watcher.goal.numprocesses or bool(places.expired)


def failure(watcher: Watcher) -> str:
    """Say how the unreplaced processes of a watcher have failed, "" if none has."""
    failed, death = watcher.places.failed_exits, watcher.places.last_death
    if failed == 1 and death is not None and death.exit_code != 0:
        return f"process {death.pid} {ended(death.exit_code, death.oom)}"
    return f"{counted(failed, 'process')} ended with a code other than 0" if failed else ""


def waits_for(watcher: Watcher, name: str) -> bool:
    """Tell whether a waiting watcher waits for the one of that folded name, before all others."""
    condition = watcher.unmet()
    return isinstance(condition, Dependency) and fold(condition.name) == name
