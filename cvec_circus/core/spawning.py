"""Spawning: from a slot whose time has come to a process, to another attempt, or to giving up."""

from __future__ import annotations

import errno

from cvec_circus.base.clock import exponential, jittered
from cvec_circus.base.figures import counted
from cvec_circus.core.backoff import FAILED_START_CEILING, FIRST_DELAY, NEVER
from cvec_circus.core.conditions import Question
from cvec_circus.core.hooks import YES
from cvec_circus.core.process import ManagedProcess, Purpose
from cvec_circus.core.proof import Prover
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.cause import EXEC, GIVE_UP, OWN_ENDS, Cause

ANNOUNCED_BACKOFF = 1.0
"""Seconds; a wait this long or longer is worth an event."""

SHORTAGES = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
"""Temporary shortages of the system: never a reason to give up."""

OPEN_AHEAD = 64
"""Open and due slots beyond which no more are opened: ten thousand places open as turns allow."""


class Spawner(Prover):
    """Fills the places of watchers. Owned by the supervisor thread."""

    def fill_places(self, watcher: Watcher) -> None:
        """Open a slot for each place that is not held, as far ahead as spawning can keep up."""
        places = watcher.places
        while len(places.ready) < OPEN_AHEAD and watcher.has_room:
            places.grants -= watcher.one_shot
            places.open_slot(self.now(), watcher.goal.size_cause)

    def spawn_ready(self, watcher: Watcher) -> bool:
        """Spawn due slots, as fast as the hook and the warm-up allow; return whether the turn was
        over before all of them had been spawned."""
        places = watcher.places
        while places.ready:
            process = places.ready[0]
            if process not in places.pending:
                del places.ready[0]
                continue
            if self.now() < places.next_spawn_at or not self.may_spawn(watcher, process):
                return False
            self._spawn(watcher, places.ready.pop(0))
            if watcher.reason:
                return False
            if self.turn_is_over():
                return bool(places.ready) or watcher.has_room
            self.fill_places(watcher)
        return False

    def may_spawn(self, watcher: Watcher, process: ManagedProcess) -> bool:
        """Tell whether before_spawn has said yes to the next process; ask it the first time.

        One at a time: changes that the hook makes to the environment are for this process, so it is
        asked about the next one when this one has been spawned.
        """
        places = watcher.places
        if not watcher.has_hook("before_spawn"):
            if places.asked_for:
                watcher.withdraw("before_spawn", places.asked_for)
                places.asked_for = 0
            return True
        if not (process.cleared or places.asked_for):
            places.asked_for = process.wid
            asked = Question("before_spawn", watcher.lives, self.now(), process.wid)
            self.ask(watcher, asked)
        return process.cleared

    def before_spawn_answered(self, watcher: Watcher, asked: Question, refusal: str) -> None:
        """Spawn the process that before_spawn was asked about, or give up."""
        places = watcher.places
        process = places.slots.get(asked.wid)
        if places.asked_for != asked.wid or asked.life != watcher.lives or process is None:
            return
        places.asked_for = 0
        if refusal == YES:
            process.cleared = True
        elif watcher.goes_on:
            self._refused(watcher, process, refusal)

    def _refused(self, watcher: Watcher, process: ManagedProcess | None, refusal: str) -> None:
        """End what a hook has said no to: the rollout, or the watcher."""
        if process is not None and self.judges(watcher, process):
            self.fail_rollout(watcher, process, refusal)
        else:
            self.give_up(watcher, refusal)

    def after_spawn_answered(self, watcher: Watcher, asked: Question, refusal: str) -> None:
        """Keep the process that after_spawn was asked about, or give up.

        A refused process may have died meanwhile; that makes no difference, unless it was already
        being ended.
        """
        process = watcher.places.slots.get(asked.wid)
        if process is not None and process.pid != asked.pid:
            process = None
        is_own = process is None or process.cause.text in OWN_ENDS
        if refusal != YES and is_own and watcher.lives == asked.life:
            if watcher.is_running and watcher.goes_on and watcher.has_hook("after_spawn"):
                self._refused(watcher, process, refusal)  # on trial still
        if process is not None:
            watcher.places.trials.pop(process, None)
            watcher.places.prove(process)

    def _spawn(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Start a process in its slot, or arrange for another attempt, or give the watcher up."""
        places, wid = watcher.places, process.wid
        try:
            pid = self.ports.launcher.spawn(watcher, process)
        except (OSError, ValueError, MemoryError) as error:
            self._try_again(watcher, process, error)
            return
        except Exception:
            # An internal error: the loop logs it, and the slot still needs its next attempt.
            now = self.now()
            places.spawn_at(process, now + FAILED_START_CEILING, now)
            raise
        now = self.now()
        places.ran(process, pid, watcher.settings.generation.number, now)
        process.started = self.ports.clock.time()
        self.ports.ledger.spawned(watcher, process)
        places.next_spawn_at = now + watcher.options.warmup_delay
        places.due(process, Purpose.EXPIRE, self.expiry(watcher, process))
        self.publish(watcher, "spawn", process.spawn_cause, process_pid=pid, wid=wid)
        if watcher.has_hook("after_spawn"):
            asked = Question("after_spawn", watcher.lives, now, wid, pid)
            self.ask(watcher, asked, pid=pid)
            places.trials[process] = None
        self.begin_proof(watcher, process)

    # -- what failed

    def _try_again(self, watcher: Watcher, process: ManagedProcess, error: Exception) -> None:
        """Arrange for another attempt to spawn a process, or give up."""
        places, now = watcher.places, self.now()
        if is_shortage(error):
            # All slots of the watcher wait for it, on one timer.
            places.trouble = str(error) or type(error).__name__
            places.shortages += 1
            delay = exponential(places.shortages, FIRST_DELAY, FAILED_START_CEILING)
            places.next_spawn_at = now + jittered(delay, self.random())
            places.ready.insert(0, process)
            if places.shortages == 1:
                self.note(watcher, f"{places.trouble}; trying again until there is some")
            return
        if self.judges(watcher, process):
            text = f"slot {process.wid}: {error or type(error).__name__}"
            self.fail_rollout(watcher, process, text)
            return
        self.back_off(watcher, process.wid, NEVER, EXEC)
        self.start_failed(watcher, process, error)
        if not watcher.reason:
            places.spawn_at(process, places.backoff(process.wid).ready_at, now)

    def back_off(self, watcher: Watcher, wid: int, lived: float, cause: Cause) -> None:
        """Set when a slot may spawn again, and publish a wait of `ANNOUNCED_BACKOFF` or longer.

        Args:
            lived: How many seconds its process ran; `NEVER` if it never executed its program.
        """
        memory, options = watcher.places.backoff(wid), watcher.options
        memory.died(lived, self.now(), options, self.random())
        deaths, delay = memory.deaths, memory.delay
        is_tried_again = watcher.goal.up and (not watcher.is_job or cause is EXEC)
        if deaths and delay >= ANNOUNCED_BACKOFF and is_tried_again:
            self.publish(watcher, "backoff", cause, wid=wid, deaths=deaths, delay=delay)

    def start_failed(self, watcher: Watcher, process: ManagedProcess, error: Exception) -> None:
        """Count a failed start, and give up when no process could ever be started.

        A shortage does not count. A slot that has failed `max_retry` times keeps trying while
        others run, because giving up would stop these.
        """
        places, memory = watcher.places, watcher.places.backoff(process.wid)
        places.trouble = str(error) or type(error).__name__
        if not is_shortage(error):
            memory.failed_starts += 1
            places.refused = places.trouble
            places.exhausted |= 0 <= watcher.options.max_retry <= memory.failed_starts
            if places.exhausted and not places.has_started(self.now()):
                self.give_up(
                    watcher, f"{places.trouble} ({counted(memory.failed_starts, 'attempt')})"
                )
                return
        tries = f"attempt {memory.deaths}, next in {memory.delay:g} s"
        self.note(watcher, f"slot {process.wid}: {places.trouble}; {tries}")

    def give_up(self, watcher: Watcher, reason: str) -> None:
        """Stop a watcher that cannot run, and say why."""
        watcher.give_up(reason)
        self.publish(watcher, "giveup", GIVE_UP, reason=reason)


def is_shortage(error: Exception) -> bool:
    """Tell whether the shortage may be temporary."""
    return isinstance(error, MemoryError) or getattr(error, "errno", None) in SHORTAGES
