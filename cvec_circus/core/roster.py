"""The roster: all watchers, the orders to them, and the turn in which they converge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from cvec_circus import exc
from cvec_circus.core import waiting as judge
from cvec_circus.core.agenda import Agenda
from cvec_circus.core.campaign import Campaign, stop_order
from cvec_circus.core.converge import converge, stop_listening, take_over
from cvec_circus.core.ending import end_now, hang_up, send_signal
from cvec_circus.core.ports import Ports
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.replies import Replies
from cvec_circus.core.states import WatcherState
from cvec_circus.core.waiting import Waiting
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.stream import OUTPUT_OPTIONS
from cvec_circus.options.watcher import needs_fresh
from cvec_circus.wire.outcome import Wait
from cvec_circus.wire.topics import fold

HELPER_TIMEOUT = 5.0
"""Seconds a helper has to stop when the daemon ends."""

CAMPAIGN = "campaign"
"""The agenda's entry for the next watcher that the campaign releases."""

Options = Mapping[str, Any]


class Roster:
    """All watchers. Owned by the supervisor thread.

    An order marks the watchers it touches; `turn()` converges each of these once, answers who waits
    for them, and says when it has to be called again although nothing happens.

    Args:
        ports: The world.
        warmup_delay: Seconds between two watchers when all are started; it may be changed.
    """

    def __init__(self, ports: Ports, warmup_delay: float = 0.0) -> None:
        self._ports = ports
        self.warmup_delay = warmup_delay
        self._watchers: dict[str, Watcher] = {}
        self._leaving: dict[str, Watcher] = {}
        self._dirty: dict[Watcher, None] = {}
        self._replies = Replies(ports.now, self.touch)
        self._agenda: Agenda[Watcher | str] = Agenda()
        self._campaign = Campaign((), (), 0.0, self.touch)
        self.closing = False

    # -- who is there

    def watchers(self) -> list[Watcher]:
        """Every watcher, by name."""
        return sorted(self._watchers.values(), key=lambda watcher: watcher.name)

    def get(self, name: str) -> Watcher | None:
        """The watcher of that name in any case, None if there is none."""
        return self._watchers.get(fold(name))

    def everybody(self) -> list[Watcher]:
        """Every watcher, and the removed ones that are not all gone yet."""
        return [*self.watchers(), *self._leaving.values()]

    @property
    def is_restarting(self) -> bool:
        """Whether all are to start again and some are still on their way down."""
        return self._campaign.is_restarting

    @property
    def is_down(self) -> bool:
        """Whether nothing runs and nothing is left."""
        everybody = chain(self._watchers.values(), self._leaving.values())
        return all(watcher.is_gone for watcher in everybody)

    # -- orders

    def add(self, watcher: Watcher, cause: str) -> None:
        """Puts a new watcher on the roster, stopped.

        Raises:
            exc.AlreadyExist: One of that name, or of a name with the same topic, is there.
        """
        key = fold(watcher.name)
        if key in self._watchers:
            raise exc.AlreadyExist(f"{watcher.name!r} already exist")
        watcher.predecessor = self._leaving.get(key)
        self._watchers[key] = watcher
        self._ports.publish(watcher, "add", cause)

    def remove(self, watcher: Watcher, cause: str, nostop: bool, wait: Wait | None) -> None:
        """Takes a watcher off the roster, and stops it unless its processes are to go on."""
        self._campaign.forget(watcher)
        waiting = self._replies.add("rm", judge.is_down, [watcher], wait)
        key = fold(watcher.name)
        del self._watchers[key]
        watcher.removed = True
        if watcher.listens:
            stop_listening(watcher, self._ports)
        self._ports.publish(watcher, "remove", cause)
        if nostop and watcher.state is not WatcherState.STOPPING:
            self._abandon(watcher, cause, waiting)
            return
        watcher.order_stop(cause, word="rm")
        if not watcher.is_gone:
            self._leaving[key] = watcher
        self.touch(watcher)

    def _abandon(self, watcher: Watcher, cause: str, waiting: Waiting | None) -> None:
        """Lets go of a watcher whose processes run on: nothing of it is looked at any more."""
        watcher.abandoned = True
        watcher.order_stop(cause, word="rm")
        watcher.drop_pending()
        if not watcher.slots:
            self._ports.close_streams(watcher)
        self._ports.forget(watcher)
        self._dirty.pop(watcher, None)
        self._agenda.set(watcher, None)
        self._replies.abandon(watcher, waiting)

    def start(self, watchers: list[Watcher] | None, cause: str, wait: Wait | None) -> None:
        """Wants watchers up; None is all of them, in order of priority."""
        chosen = self._chosen(watchers)
        self._replies.add("start", judge.is_up, chosen, wait)
        for watcher in chosen:
            watcher.order_start(cause)
        self._give(chosen, starts=watchers is None)

    def start_beside(self, watchers: list[Watcher], cause: str, wait: Wait | None) -> None:
        """Wants these up, in order of priority; a start of all that is going on goes on."""
        self._replies.add("start", judge.is_up, watchers, wait)
        for watcher in watchers:
            watcher.order_start(cause)
        held = [watcher for watcher in watchers if not watcher.is_up or watcher.must_cycle]
        self._give([watcher for watcher in watchers if watcher not in held])
        self._campaign.join(held, self.warmup_delay)

    def stop(self, watchers: list[Watcher] | None, cause: str, wait: Wait | None) -> None:
        """Wants watchers down; None is all of them, helpers last."""
        chosen = sorted(self.watchers(), key=stop_order) if watchers is None else watchers
        self._replies.add("stop", judge.is_down, chosen, wait)
        for watcher in chosen:
            watcher.order_stop(cause)
        self._give(chosen, stops=watchers is None)

    def restart(self, watchers: list[Watcher] | None, cause: str, wait: Wait | None) -> None:
        """Wants watchers down once and then up; None is all of them: all down before one is up."""
        chosen = self._chosen(watchers)
        if watchers is None:
            chosen.sort(key=stop_order)
        self._replies.add("restart", judge.is_up, chosen, wait)
        for watcher in chosen:
            watcher.order_restart(cause)
        self._give(chosen, stops=watchers is None, starts=watchers is None)

    def reload(
        self,
        watchers: list[Watcher] | None,
        cause: str,
        sequential: bool,
        wait: Wait | None,
    ) -> None:
        """Wants every process replaced by a fresh one, or sent SIGHUP where `send_hup` says so."""
        chosen = self._chosen(watchers)
        hung_up = [w for w in chosen if w.options["send_hup"] and w.is_up and not w.must_cycle]
        replaced = [watcher for watcher in chosen if watcher not in hung_up]
        self._replies.add("reload", judge.is_reloaded, chosen, wait, replaced)
        for watcher in hung_up:
            watcher.order_start(cause, word="reload")
            hang_up(watcher, self._ports, cause)
        if watchers is None:
            # Those that a campaign is about to start will be fresh anyway, each in its turn.
            replaced = [w for w in replaced if not w.start_held or (w.is_up and not w.must_cycle)]
        is_up = [watcher for watcher in replaced if watcher.is_up]
        for watcher in replaced:
            watcher.order_reload(cause, sequential)
        self._give([*hung_up, *is_up])
        is_down = [watcher for watcher in replaced if not watcher.is_up]
        self._give(is_down, starts=watchers is None and bool(is_down) and self._campaign.is_over)

    def resize(
        self, watcher: Watcher, size: int, cause: str, wait: Wait | None, reason: str = ""
    ) -> None:
        """Wants another number of processes, for a reason that whoever wants it may give."""
        self._replies.add("change of numprocesses", judge.is_sized, [watcher], wait)
        told = watcher.order_size(size, cause, reason)
        if "numprocesses" in told:
            self._ports.publish(watcher, "updated", cause, **told)
        self.touch(watcher)

    def set_options(
        self,
        watcher: Watcher,
        options: Mapping[str, Any],
        cause: str,
        wait: Wait | None,
        reason: str = "",
        fresh: bool = False,
    ) -> None:
        """Takes over new values; what needs fresh processes, or `fresh`, reloads gracefully."""
        given = dict(options)
        size = given.pop("numprocesses", watcher.numprocesses)
        changed = watcher.change(given)
        if watcher.listens:
            stop_listening(watcher, self._ports)  # the next turn listens on what it has by then
        reloads = fresh or any(map(needs_fresh, changed))
        take_over(watcher, changed, self._ports)
        if not OUTPUT_OPTIONS.isdisjoint(changed) and watcher.is_open:
            self._ports.open_streams(watcher)
        reloads = reloads and watcher.is_up and watcher.goal_up and not watcher.must_cycle
        predicate = judge.is_reloaded if reloads else judge.is_sized
        self._replies.add("set", predicate, [watcher], wait, [watcher])
        told = watcher.order_size(size, cause, reason)
        if reloads:
            watcher.order_reload(cause)
            self._campaign.let_go(watcher)
        self._ports.publish(watcher, "updated", cause, **told)
        self.touch(watcher)

    def kill(
        self,
        watcher: Watcher,
        processes: Iterable[ManagedProcess],
        signum: int | None,
        graceful_timeout: float | None,
        wait: Wait | None,
    ) -> None:
        """Ends processes now; their places are filled again."""
        chosen = [process for process in processes if process.has_leader]
        self._replies.add_processes("kill", judge.is_killed, watcher, chosen, wait)
        watcher.impatient = True
        end_now(watcher, chosen, self._ports, signum, graceful_timeout)
        self.touch(watcher)

    def signal(self, watcher: Watcher, process: ManagedProcess, signum: int) -> None:
        """Sends a client's signal to a process."""
        process.signalled = signum
        send_signal(watcher, process, self._ports, signum)

    def demanded(self, watcher: Watcher) -> None:
        """A fact: somebody has connected to a socket of a watcher that waited for that."""
        watcher.demanded = True
        self.touch(watcher)

    def shut_down(self, cause: str, wait: Wait | None = None) -> None:
        """Wants everything down for good: first all but the helpers, then these."""
        first_time = not self.closing
        self.closing = True
        self._replies.add("quit", judge.is_down, self.everybody(), wait)
        if not first_time:
            return
        now = self._ports.now()
        for watcher in self.watchers():
            watcher.order_stop(cause, word="quit")
            if watcher.helper:
                patience = min(watcher.options["graceful_timeout"], HELPER_TIMEOUT)
                watcher.options["graceful_timeout"] = patience
                for process in watcher.ending:
                    watcher.end_by(process, now + patience, now)
        self._give(sorted(self.everybody(), key=stop_order), stops=True)
        for watcher in self._leaving.values():
            self._campaign.let_go(watcher)

    def release(self) -> None:
        """Asks at once whoever a campaign holds back until others have settled."""
        self._campaign.release_all()

    def hurry(self) -> None:
        """Lets nobody have any more time: what has not ended is killed in the next turn, and no
        hook is asked."""
        self._campaign.release_all()
        now = self._ports.now()
        for watcher in self.everybody():
            watcher.options["graceful_timeout"] = 0.0
            watcher.options["hooks"] = {}
            for process in watcher.ending:
                watcher.end_by(process, now, now)
            self.touch(watcher)

    def _chosen(self, watchers: list[Watcher] | None) -> list[Watcher]:
        """Without a name, or by a pattern for several, one that is not to start by itself is left
        alone while it is stopped."""
        named = self.watchers() if watchers is None else watchers
        if watchers is not None and len(watchers) == 1:
            return watchers
        return [w for w in named if w.options["autostart"] or w.goal_up]

    def _give(self, watchers: list[Watcher], stops: bool = False, starts: bool = False) -> None:
        """Has the watchers looked at: at once, or in the sequence of a campaign.

        Args:
            watchers: Those that were given an order.
            stops: Whether it is an order to all that stops them.
            starts: Whether it is an order to all that starts them, after they have stopped.
        """
        if stops or starts:
            self._campaign.release_all()
            self._campaign = Campaign(
                watchers if stops else (),
                watchers if starts else (),
                self.warmup_delay,
                self.touch,
            )
            self._agenda.set(CAMPAIGN, None)
        else:
            for watcher in watchers:
                self._campaign.let_go(watcher)
        for watcher in watchers:
            self.touch(watcher)

    # -- the turn

    def touch(self, watcher: Watcher) -> None:
        """Has the watcher looked at in the next turn, because something about it is new."""
        if not watcher.abandoned:
            self._dirty[watcher] = None

    def next_at(self) -> float | None:
        """The instant at which a turn is due although nothing happens, None if never."""
        instants = (self._agenda.next_at(), self._replies.next_at())
        return min((at for at in instants if at is not None), default=None)

    def turn(self) -> bool:
        """Converges every watcher that something is new about, and answers who waits for it.

        Returns:
            Whether the turn was over before everybody had his.
        """
        now = self._ports.now()
        for item in self._agenda.pop_due(now):
            if isinstance(item, Watcher):
                self.touch(item)
        self._replies.time_out(now)
        self._advance(now)
        while self._dirty:
            watcher = next(iter(self._dirty))
            del self._dirty[watcher]
            self._look_at(watcher)
            if not self._dirty:
                self._advance(self._ports.now())
            if self._ports.turn_is_over():
                return bool(self._dirty)
        return False

    def _advance(self, now: float) -> None:
        if not self._campaign.is_over:
            self._agenda.set(CAMPAIGN, self._campaign.advance(now))

    def _look_at(self, watcher: Watcher) -> None:
        try:
            if converge(watcher, self._ports):
                self.touch(watcher)
        finally:
            self._agenda.set(watcher, watcher.next_deadline())
        self._campaign.saw(watcher)
        self._replies.settle(watcher)
        if watcher.removed:
            self._see_off(watcher)

    def _see_off(self, watcher: Watcher) -> None:
        """Has the next one of its name looked at when a removed watcher is gone, or cannot go."""
        if watcher.is_gone:
            self._agenda.set(watcher, None)
            self._ports.forget(watcher)
            if self._leaving.get(fold(watcher.name)) is watcher:
                del self._leaving[fold(watcher.name)]
        elif not watcher.unkillable():
            return
        successor = self._watchers.get(fold(watcher.name))
        if successor is not None:
            self.touch(successor)

    def refuse_all(self, reason: str) -> None:
        """Answers everybody who still waits, because nothing more will happen."""
        self._replies.refuse_all(reason)
