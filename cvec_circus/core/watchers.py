"""All watchers, and the turn in which they converge."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from cvec_circus import exc
from cvec_circus.base.timers import Agenda
from cvec_circus.core.conditions import Predecessor
from cvec_circus.core.converge import Steps
from cvec_circus.core.essential import Ended, end_of
from cvec_circus.core.facts import Facts, Recorder
from cvec_circus.core.goal import THE_END
from cvec_circus.core.life import CLOSING, DOWN, STOPPING, WAITING
from cvec_circus.core.ports import Ports
from cvec_circus.core.state import restore_watcher, watcher_state
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.cause import EXIT, PART_OF
from cvec_circus.wire.topics import fold


class Watchers:
    """All watchers and their turn; `roster.Roster` takes orders. Owned by the supervisor thread.

    An order marks the watchers it affects; `turn()` takes the facts, converges each marked watcher
    once, answers waiting senders, and says when to call it again without news.
    """

    def __init__(self, ports: Ports, facts: Facts) -> None:
        self.ports, self.campaign, self._facts = ports, ports.campaign, facts
        self.now = ports.clock.now
        self.closing = False  # the daemon is on its way out
        self.ended: Ended | None = None  # the essential watcher whose end is that of the daemon
        self.steps, self._recorder = Steps(ports, self.find), Recorder(ports)
        self._watchers: dict[str, Watcher] = {}
        self.left_out: dict[str, Watcher] = {}  # stand-ins of those that cannot run, by name
        self._leaving: dict[Watcher, None] = {}
        self._dirty: OrderedDict[Watcher, None] = OrderedDict()
        self._parts: dict[Watcher, None] = {}  # what is, or was, part of others
        self._agenda: Agenda[Watcher | None] = Agenda()  # None stands for the campaign
        self._places = 0

    # -- who is there

    def watchers(self) -> list[Watcher]:
        """Return every watcher, by name."""
        return sorted(self._watchers.values(), key=lambda watcher: watcher.name)

    def get(self, name: str) -> Watcher | None:
        """Return the watcher of that name in any case, None if there is none."""
        return self._watchers.get(fold(name))

    def find(self, name: str) -> Watcher | None:
        """Return what others wait for under that name: the watcher, or its stand-in."""
        return self.get(name) or self.left_out.get(fold(name))

    def all_watchers(self) -> list[Watcher]:
        """Return every watcher, including removed ones that are not gone yet."""
        return [*self._watchers.values(), *self._leaving]

    @property
    def is_down(self) -> bool:
        """Whether nothing runs and nothing is left."""
        return all(watcher.is_gone for watcher in self.all_watchers())

    # -- what orders need of it

    def enlist(self, watcher: Watcher) -> None:
        """Put a new watcher on the roster.

        Raises:
            exc.AlreadyExist: One of that name, or of a name with the same topic, is there.
        """
        key = fold(watcher.name)
        if key in self._watchers:
            raise exc.AlreadyExist(f"{watcher.name!r} already exist")
        self._places += 1
        watcher.place = self._places
        watcher.conditions += [Predecessor(w) for w in self._leaving if fold(w.name) == key]
        self._watchers[key] = watcher

    def adopt(self, watcher: Watcher, had_gap: bool = True) -> None:
        """Put a watcher left by an earlier daemon on the roster, under its old number; removed ones
        come first. `had_gap`: whether there was no daemon for a while."""
        key = fold(watcher.name)
        self._places = max(self._places, watcher.place)
        if watcher.is_removed:
            self._leaving[watcher] = None
        else:
            watcher.conditions += [Predecessor(w) for w in self._leaving if fold(w.name) == key]
            self._watchers[key] = watcher
        self.steps.adopt(watcher, had_gap)
        self.touch(watcher)

    def dismiss(self, watcher: Watcher) -> None:
        """Take a watcher off the roster, and follow its end."""
        del self._watchers[fold(watcher.name)]
        if not watcher.is_gone:
            self._leaving[watcher] = None
        self.touch(watcher)

    def abandon(self, watcher: Watcher) -> None:
        """Release a watcher whose processes keep running: it is no longer supervised."""
        del self._watchers[fold(watcher.name)]
        if not watcher.places.slots:
            self.ports.outputs.close(watcher)
        self.ports.forget(watcher)
        self._dirty.pop(watcher, None)
        self._parts.pop(watcher, None)
        self._agenda.set(watcher, None)
        self.steps.wait_no_more(watcher)
        self.ports.waits.abandon(watcher)

    def begin(self, watchers: list[Watcher], stops: bool = False, starts: bool = False) -> None:
        """Look at watchers that were given an order: at once, or in the sequence of a campaign if
        it is one to all that `stops` them, or `starts` them after they have stopped."""
        if stops or starts:
            self.campaign.begin(watchers if stops else (), watchers if starts else ())
            self._advance()
        self.touch(*watchers)

    # -- the turn

    @property
    def touched(self) -> list[Watcher]:
        """Those that the next turn looks at."""
        return list(self._dirty)

    def touch(self, *watchers: Watcher) -> None:
        """Look at watchers in the next turn, because something about them is new."""
        for watcher in watchers:
            if not watcher.is_abandoned:
                self._dirty[watcher] = None
                if watcher.options.part_of:
                    self._parts[watcher] = None

    def next_at(self) -> float | None:
        """Return the instant at which a turn is due without news, None for never."""
        return self._agenda.next_at()

    def turn(self) -> bool:
        """Take the facts, converge every watcher with news, and answer waiting senders.

        Returns:
            Whether the turn was over before all of them had been looked at.
        """
        self.take_facts()
        self.touch(*filter(None, self._agenda.pop_due(self.now())))
        self._advance()
        while self._dirty:
            self._look_at(self._dirty.popitem(last=False)[0])
            if not self._dirty:
                self._dirty.clear()  # an emptied one keeps its size
                self._advance()
            if self.ports.clock.turn_is_over():
                return bool(self._dirty)
        return False

    def take_facts(self) -> None:
        """Record what the desks have reported, and mark the watchers it is about."""
        while self._facts:
            fact = self._facts.popleft()
            watcher = fact.watcher
            self.touch(watcher)
            self._recorder.record(fact)
            if watcher.is_abandoned and not watcher.places.slots:
                self.ports.outputs.close(watcher)  # it is no longer converged

    def _advance(self) -> None:
        if not self.campaign.is_over:
            asked, next_at = self.campaign.advance()
            self.touch(*asked)
            self._agenda.set(None, next_at)

    def _look_at(self, watcher: Watcher) -> None:
        before = watcher.life
        try:
            if self.steps.converge(watcher):
                self.touch(watcher)
        finally:
            self._agenda.set(watcher, watcher.next_deadline())
        if self._facts:  # strays of what was given up just now belong in the replies
            self.take_facts()
        self.touch(*self.steps.released_by(watcher))
        if watcher.life in (CLOSING, STOPPING, DOWN):
            self._take_parts_down(watcher)
        if not (self.closing or self.ended):
            self.ended = end_of(watcher, before)
        self.campaign.saw(watcher)
        self.ports.ledger.saw(watcher)
        self.ports.waits.settle(watcher)
        if watcher.is_removed:
            self._see_off(watcher)

    def _take_parts_down(self, watcher: Watcher) -> None:
        """Take down the parts of a watcher that an order stopped or restarted, or that has given
        up; they stay wanted up, and wait for it."""
        if not self._parts or watcher.goal.word in ("", THE_END) or watcher.goal.cause is EXIT:
            return
        name, cause = fold(watcher.name), PART_OF._replace(actor=watcher.goal.cause.actor)
        for part in self._parts:
            if part.is_running and part.wants_to_run and name in map(fold, part.options.part_of):
                why = f"it is part of {watcher.name}"
                part.goal = part.goal._replace(cycle=True, cause=cause._replace(why=why))
                self.touch(part)

    def _see_off(self, watcher: Watcher) -> None:
        """Look at the next watcher of the same name when a removed one is gone, or cannot go."""
        if watcher.is_gone:
            self._agenda.set(watcher, None)
            self.ports.forget(watcher)
            self.campaign.forget(watcher)
            self._leaving.pop(watcher, None)
            self._parts.pop(watcher, None)
        elif not watcher.places.unkillable():
            return
        successor = self._watchers.get(fold(watcher.name))
        if successor is not None:
            self.touch(successor)

    # -- written down, and read again

    def to_state(self) -> dict[str, Any]:
        """Return the whole core in JSON's types; waiting senders are answered first."""
        all_watchers = self.all_watchers()
        number = {watcher: index for index, watcher in enumerate(all_watchers)}
        return {
            "closing": self.closing,
            "ended": self.ended,
            "places": self._places,
            "watchers": [watcher_state(watcher, number) for watcher in all_watchers],
            "campaign": self.campaign.to_state(number),
        }

    def restore(self, state: Mapping[str, Any]) -> list[Watcher]:
        """Become the saved core; return its watchers, in the order of the state."""
        self.closing = state["closing"]
        self.ended = Ended(*state["ended"]) if state["ended"] else None
        self._places = state["places"]
        restored = [restore_watcher(row) for row in state["watchers"]]
        for watcher, row in zip(restored, state["watchers"]):
            watcher.conditions += [Predecessor(restored[index]) for index in row["predecessors"]]
            if watcher.is_removed:
                self._leaving[watcher] = None
            else:
                self._watchers[fold(watcher.name)] = watcher
            if watcher.connection is not None:
                self.ports.doorbell.listen(watcher)
            for process in (*watcher.places.stale, *watcher.places.fresh):
                self.steps.watch(watcher, process)
        for watcher in restored:
            if watcher.life is WAITING:
                self.steps.depend(watcher)
        self.campaign.restore(state["campaign"], restored)
        self.touch(*restored)
        return restored
