"""Rollouts: replace processes by those of the next generation, or roll back.

A rollout begins with the processes that run: they become *stale*. It goes on as two numbers allow:
at most `surge` processes start beside the stale ones, and at most `unavailable` places are without
a process that is good enough. So a stale process is asked to stop when there is one too many of
them and of those that have been proved; one that is not ready goes before those that are. A watcher
whose processes cannot run beside each other has a surge of 0: one place at a time, first the old
process ends, then its successor starts. This includes programs that bind their own address: with
`rollout = auto`, a watcher whose every check probes the same address for all processes, where the
old one would answer for the new.

**It fails** when a new process exits, cannot be started, is refused by a hook, or is not ready in
time. Until the rollout is over, the exit of a proved process counts too, and so does a `live` check
that would restart it: a program that reports ready and then exits would remove one old process
after the other. The stale processes that still run are then kept, and new ones that are not proved
are stopped. If an order changed options, they are rolled back, and so are places that were already
replaced; otherwise these stay: code on disk cannot be rolled back. All of this needs a stale
process that was proved when the rollout began. Without one there is nothing to roll back to: new
processes count as good as soon as they run, and fail as they do at a start.

A new order to replace the processes overtakes a rollout: unproved processes are stopped, and the
same processes and options as before remain to roll back to. They keep their places until they are
gone, so a storm of orders never runs more than two processes per place.
"""

from __future__ import annotations

from collections.abc import Collection

from cvec_circus.base.named import NamedTuple
from cvec_circus.core.ending import Ender
from cvec_circus.core.goal import Failed, Rollout
from cvec_circus.core.life import DOWN, OPENING, WAITING
from cvec_circus.core.process import ManagedProcess, Purpose
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.cgroup import LIMITS
from cvec_circus.options.checks import processes_of, prove_nothing
from cvec_circus.options.generation import Undo
from cvec_circus.options.stream import OUTPUT_OPTIONS
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.wire.cause import EXIT, LIVE, MAX_AGE, NONE, READY, ROLLBACK, Cause

FIRST_RETRY = 60.0
"""Seconds before the replacement of a process that is too old is retried; doubles after each
failure, up to `max_age`."""


class Shape(NamedTuple):
    """How a rollout proceeds. Immutable; `goal.Rollout` has the same fields."""

    surge: int | None
    unavailable: int
    may_retry: bool
    has_gap: bool  # no place needs to have a process meanwhile


def shape_of(options: WatcherOptions, size: int, sequential: bool = False) -> Shape:
    """Return how a rollout of that many processes proceeds."""
    surge: int | None = None
    if options.max_surge is not None:
        surge = processes_of(options.max_surge, size, up=True)
    unavailable = processes_of(options.max_unavailable or 0, size, up=False)
    is_auto = options.rollout == "auto" and not options.singleton
    has_sockets = options.use_sockets or options.stdin_socket
    binds = is_auto and not has_sockets and prove_nothing(options.ready)
    if sequential or options.singleton or options.rollout == "recreate" or binds:
        surge = 0
    works_once = not options.respawn or options.schedule  # so the work of the old one would be lost
    may_retry = surge != 0 and is_auto and not (has_sockets or options.ready or works_once)
    unavailable = max(int(surge == 0), unavailable)
    return Shape(surge, unavailable, may_retry, has_gap=unavailable >= size)


class Roller(Ender):
    """Begins, ends and rolls back rollouts. Owned by the supervisor thread."""

    def order_rollout(
        self, watcher: Watcher, cause: Cause, undo: Undo, sequential: bool = False
    ) -> None:
        """Want every running process replaced by one of the next generation.

        Args:
            undo: The previous options.
            sequential: One place after the other, the old process first.
        """
        places, before = watcher.places, watcher.rollout
        way_back = any(process.proved for process in (*places.fresh, *places.stale))
        if before is not None:
            undo = before.undo.merged(undo)
            for process in list(places.unproved):
                places.grants += watcher.one_shot
                self.stop(watcher, process, cause)
        watcher.goal = watcher.goal._replace(generation=watcher.settings.renew(cause))
        self.roll_out(watcher, cause, undo, way_back, list(places.fresh), sequential)
        places.awaited.update(places.pending)

    def replace_expired(self, watcher: Watcher) -> None:
        """Begin the rollout of processes that are to be replaced when no other one is under way:
        those that a client has chosen together, or one that is older than `max_age`."""
        places = watcher.places
        has_surplus = places.held > watcher.goal.numprocesses  # begun by an earlier daemon
        while places.expired and not (watcher.rollout or has_surplus or places.being_replaced()):
            first = min(places.expired, key=places.worth)
            cause, chosen = places.expired[first], [first]
            if cause.text != MAX_AGE.text:
                chosen = [one for one, why in places.expired.items() if why == cause]
            for process in chosen:
                del places.expired[process]
            if olds := [process for process in chosen if process in places.fresh]:
                way_back = any(process.proved for process in olds)
                self.roll_out(watcher, cause, watcher.settings.undo_nothing(), way_back, olds)

    def roll_out(
        self,
        watcher: Watcher,
        cause: Cause,
        undo: Undo,
        way_back: bool,
        olds: list[ManagedProcess],
        sequential: bool = False,
        total: int = 0,
    ) -> None:
        """Begin a rollout of these processes, or continue one of that many in another way."""
        size = watcher.goal.numprocesses
        shape = shape_of(watcher.options, size, sequential)
        # Processes that an earlier rollout has not replaced are already stale.
        total = max(total, len(olds), min(len(watcher.places.stale) + len(olds), size))
        has_gap = shape.has_gap and bool(olds or watcher.places.stale_count)
        pace = shape.surge, shape.unavailable, total
        rollout = Rollout(cause, *pace, self.now(), undo, way_back, shape.may_retry, has_gap)
        if rollout.is_partial and len(olds) < size:
            rollout = rollout._replace(may_retry=False)  # they do run beside each other
        watcher.rollout = rollout
        watcher.gaps += has_gap
        for process in olds:
            watcher.make_stale(process, cause)

    # -- as it goes on

    def make_room(self, watcher: Watcher) -> None:
        """Let successors start beside the stale processes, as many as the surge allows."""
        places, rollout = watcher.places, watcher.rollout
        if rollout is None or not places.stale or watcher.stops_first:
            return
        slots = [one for one in places.stale if one.holds_place]
        if rollout.surge is not None and slots:
            beside = sum(p.stale and not p.holds_place for p in (*places.stale, *places.ending))
            slots = slots[: max(0, rollout.surge - beside)]
        for process in slots:
            places.release(process)

    def spare(self, watcher: Watcher) -> int:
        """Return how many stale processes may be stopped now."""
        places, rollout = watcher.places, watcher.rollout
        if rollout is None or not places.stale:
            return 0
        good = len(places.fresh) - len(places.trials)
        if rollout.is_checked:  # a rollback fails by nothing, so it goes on
            good = places.ready_count() if rollout.way_back else places.proved_count()
        need = watcher.goal.numprocesses - max(rollout.unavailable, watcher.stops_first)
        need -= self._bystanders(watcher, rollout)
        if watcher.one_shot:  # what has done its work is not replaced
            need = min(need, len(places.fresh) + len(places.pending) + places.grants)
        need -= sum(process.holds_place for process in places.unkillable())
        return max(0, min(len(places.stale), len(places.stale) + good - max(0, need)))

    def _bystanders(self, watcher: Watcher, rollout: Rollout) -> int:
        """Return how many places have no process that counts, and get none by the rollout, such as
        that of a crash loop: what a partial rollout replaces does not wait for them."""
        if not rollout.is_partial:
            return 0
        places = watcher.places
        lacking = {*places.pending, *places.trials}
        if rollout.is_checked:
            lacking.update(places.unproved, places.unwell)
        held = (one for one in lacking if one.holds_place and not one.stale)
        return sum(not rollout.brings(one) for one in held)

    def end_rollout(self, watcher: Watcher) -> bool:
        """End the rollout when all that it replaces is gone and what replaces it is good enough;
        return whether another one can begin.

        An unkillable process keeps an ordered rollout from succeeding, but not the next one from
        beginning.
        """
        places, rollout = watcher.places, watcher.rollout
        if rollout is None or places.stale or places.awaited or places.trials or not watcher.is_up:
            return False
        is_ordered = not (rollout.is_partial or rollout.cause.text == ROLLBACK.text)
        left = places.stale_count if is_ordered else places.being_replaced()
        if left or (rollout.is_checked and any(map(rollout.brings, places.unproved))):
            return False
        watcher.rollout = None
        if is_ordered:
            gap = {"gap": True} if rollout.has_gap else {}
            self.publish(watcher, "reload", rollout.cause, **gap)
        elif rollout.cause.text == MAX_AGE.text:
            watcher.age_retry = 0.0
        return bool(places.expired)

    # -- if it fails

    def judges(self, watcher: Watcher, process: ManagedProcess, end: Cause = NONE) -> bool:
        """Tell whether a failure of that process is one of the rollout that is under way.

        For a proved process only its end counts, by itself or because it is not alive, unless the
        rollout only waits for unkillable processes; and that it has not been ready again in time,
        while an old one can be kept. Where nothing is proved (`min_uptime` is 0, and there is no
        check) an exit does not count.

        Args:
            end: What ends the process, or has ended it; `READY` if it keeps running and is not
                ready again, without text if it has not been ready.
        """
        places, rollout = watcher.places, watcher.rollout
        if rollout is None or not rollout.way_back or not watcher.goes_on:
            return False
        if process.stale or not (process.holds_place and rollout.brings(process)):
            return False
        if not process.proved or process in places.trials:
            return True
        if end == READY:
            return bool(places.stale)
        has_unproved = any(map(rollout.brings, places.unproved))
        is_over = not (places.being_replaced() or places.awaited or has_unproved)
        proves = process.checked or watcher.options.min_uptime > 0
        means_something = end == LIVE or (end == EXIT and proves)
        return means_something and not is_over

    def fail_rollout(
        self, watcher: Watcher, process: ManagedProcess, text: str, has_exited: bool = False
    ) -> None:
        """Keep the stale processes that still run, and stop the new ones that are not proved.

        Args:
            process: The one that failed.
            text: Which process failed, and how; a sentence.
            has_exited: It executed its program and exited by itself: perhaps it cannot run beside
                the old one, and is then tried once more without it.
        """
        places, rollout = watcher.places, watcher.rollout
        assert rollout is not None and rollout.way_back
        cause = ROLLBACK._replace(why=text)
        kept, is_partial, undo = list(places.stale), rollout.is_partial, rollout.undo
        self._keep_old(watcher, process, cause)
        replaced = watcher.replaced
        if has_exited and rollout.may_retry:
            self.note(watcher, f"{text}; tried again with the old process stopped first")
            self.roll_out(
                watcher, rollout.cause, rollout.undo, True, kept, True, total=rollout.total
            )
            return
        watcher.rollout = None
        for one in kept:
            if one.generation <= undo.last:
                one.generation = min(one.generation, undo.number)
        news = [one for one in places.fresh if one.generation > undo.number]
        watcher.undo(undo)
        if undo.names:
            kept = [one for one in kept if one not in news]
            self.take_over(watcher, undo.names)
        self.tell_failed(watcher, at_once=True)
        watcher.failed = Failed(
            watcher.failed.number + 1 if watcher.failed else 1,
            rollout.cause,
            text,
            process.pid,
            tuple(one.pid for one in kept),
            rollout.total,
            0 if is_partial else replaced,
            bool(undo.names),
            generation=watcher.settings.newest,
        )
        if rollout.cause.text == MAX_AGE.text:
            self._put_off(watcher)
        elif undo.names and news:
            self.roll_out(watcher, cause, watcher.settings.undo_nothing(), False, news)

    def tell_failed(self, watcher: Watcher, at_once: bool = False) -> None:
        """Publish once that a rollout has failed: when the last output of the failed process is
        known, or at once. Then it is also known which old processes have ended with it."""
        failed, places = watcher.failed, watcher.places
        if failed is None or failed.text:
            return
        words = self.ports.said(watcher, failed.pid) if failed.pid else ""
        if words is None and not at_once:
            return
        kept = [one.pid for one in (*places.stale, *places.fresh) if one.pid in failed.kept]
        watcher.failed = failed.told(kept, words or "")
        self.publish(watcher, "rollback", failed.cause, reason=watcher.failed.text, kept=kept)

    def _keep_old(self, watcher: Watcher, process: ManagedProcess, cause: Cause) -> None:
        """Keep the stale processes, and stop the new ones that failed with that one."""
        places, rollout = watcher.places, watcher.rollout
        assert rollout is not None
        failed = list(filter(rollout.brings, places.unproved))
        if process in places.fresh and process not in failed:
            failed.append(process)
        for one in list(filter(rollout.brings, places.pending)):
            watcher.drop(one)
        for one in list(places.stale):
            places.keep(one)
        if process in places.ending:
            places.disown(process)
        watcher.withdraw("after_spawn", process.wid, process.pid)
        for one in failed:
            places.make_stale(one, cause)
            if rollout.surge != 0:
                places.release(one)
            self.stop(watcher, one, cause)
        if watcher.one_shot:
            places.grants = 0
        if rollout.is_partial:
            places.backoffs.pop(process.wid, None)
        else:
            places.hasten(self.now())
        places.backoff(process.wid).cause = cause  # of the spawn in its place, if there is one

    def _put_off(self, watcher: Watcher) -> None:
        """Retry the replacement of too old processes later."""
        places, longest = watcher.places, max(FIRST_RETRY, watcher.options.max_age)
        watcher.age_retry = min(longest, 2 * watcher.age_retry or FIRST_RETRY)
        for process in places.fresh:
            if places.deadline(process, Purpose.EXPIRE) is None:
                places.due(process, Purpose.EXPIRE, self.now() + watcher.age_retry)
        places.forget_ages()

    # -- options that count at once

    def take_over(self, watcher: Watcher, changed: Collection[str]) -> None:
        """Apply changed options to what is already under way."""
        places = watcher.places
        if watcher.one_shot and not {"respawn", "on_demand", "schedule"}.isdisjoint(changed):
            missing = max(0, watcher.goal.numprocesses - places.held)
            stale = sum(p.holds_place for p in places.slots.values() if p.stale)
            places.grants = missing + stale
        if "warmup_delay" in changed:
            soonest = self.now() + watcher.options.warmup_delay
            places.next_spawn_at = min(places.next_spawn_at, soonest)
        if "max_age" in changed or "max_age_variance" in changed:
            places.forget_ages()
            for process in places.fresh:
                places.due(process, Purpose.EXPIRE, self.expiry(watcher, process))
        if "singleton" in changed and watcher.options.singleton and any(places.leaders()):
            places.drop_pending()  # it starts when what runs has ended
        if not LIMITS.keys().isdisjoint(changed):
            self.ports.launcher.limit(watcher)
        self._judge_anew(watcher, changed)
        is_open = watcher.life not in (DOWN, WAITING, OPENING)
        if is_open and not OUTPUT_OPTIONS.isdisjoint(changed):
            self.ports.outputs.open(watcher)

    def _judge_anew(self, watcher: Watcher, changed: Collection[str]) -> None:
        """Apply changed hooks and checks to running processes."""
        places = watcher.places
        if "hooks" in changed and not watcher.has_hook("after_spawn"):
            for process in list(places.trials):
                del places.trials[process]
                places.prove(process)
        if any(name.startswith("live") for name in changed):
            for process in (*places.stale, *places.fresh):
                if process.proved:
                    self.ports.probes.proved(watcher, process)

    def expiry(self, watcher: Watcher, process: ManagedProcess) -> float | None:
        """Return the instant at which the process is older than `max_age`, None for never."""
        options = watcher.options
        if not options.max_age:
            return None
        variance = options.max_age_variance * self.random()
        return process.spawned_at + options.max_age + variance
