"""What commands ask for: names become watchers, requests become orders to the roster."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Optional

from cvec_circus import __version__, exc
from cvec_circus.core.life import DOWN, WAITING
from cvec_circus.core.phase import phase
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.roster import starts_with_others
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.watcher import WATCHER_OPTIONS, public
from cvec_circus.supervisor.admission import admit
from cvec_circus.supervisor.answers import explanation
from cvec_circus.supervisor.answers.reason import why
from cvec_circus.supervisor.answers.verdicts import Await
from cvec_circus.supervisor.campaign import stop_order
from cvec_circus.supervisor.compose import Desks, Loaded
from cvec_circus.supervisor.names import compile_pattern
from cvec_circus.supervisor.reload.rehearsal import rehearse
from cvec_circus.supervisor.sampler import rows_of
from cvec_circus.supervisor.shutdown import Shutdown
from cvec_circus.wire.messages import COMMAND_FAILED
from cvec_circus.wire.orders import Add, Order, Quit, Reload, Restart
from cvec_circus.wire.outcome import Outcome, Wait
from cvec_circus.wire.topics import fold

if TYPE_CHECKING:
    from cvec_circus.commands.target import Answer
    from cvec_circus.supervisor.output.all_outputs import AllOutputs
    from cvec_circus.supervisor.reload.reloading import Reloading

Fields = dict[str, Any]
BeforeReload = Callable[[Optional[list[str]], Callable[[], None], Optional[Wait]], None]


class Target:
    """The commands' view of the supervisor. Owned by the supervisor thread.

    Attributes:
        before_reload: Called with the names of the watchers that an order reloads, None for all,
            with what then reloads them, and with the `Wait` of the order; None does so at once.
        started_at: Since when it is up, upgrades included.
        upgrade: See `Upgrade.ask`; None where a program embeds the daemon.
        reloading: The queue of the orders that change everything, once it was needed.
        watchers, sockets: Return all watchers, by name; describe the managed sockets.
        sample_daemon, examine_machine: See `SampleDesk`.
    """

    def __init__(self, desks: Desks, shutdown: Shutdown, loaded: Loaded) -> None:
        self._desks = desks
        self._roster = desks.roster
        self._shutdown = shutdown
        self._loaded = loaded
        self.started_at = desks.turn.now()
        self.before_reload: BeforeReload | None = None
        self.upgrade: Callable[[Fields, Answer], None] | None = None
        self.reloading: Reloading | None = None
        self.watchers = desks.roster.watchers
        self.sockets = desks.sockets.describe
        self._concealed: Callable[[Fields], Fields] = desks.variables.conceal_all
        sampler = desks.sampler
        self.sample_daemon, self.examine_machine = sampler.sample_daemon, sampler.examine_machine

    # -- questions

    @property
    def stopping(self) -> bool:
        """Whether the daemon is on its way out."""
        return self._shutdown.begun

    def global_options(self) -> Fields:
        """Return what `globaloptions` answers."""
        return {
            "endpoint": self._desks.control.address,
            "pubsub_endpoint": self._desks.events.address,
            "stats_endpoint": self._loaded.stats_address,
            "check_delay": self._loaded.configuration.circus["check_delay"],
            "multicast_endpoint": None,
        }

    def description(self) -> Fields:
        """Return what `ping` answers."""
        return {
            "pid": os.getpid(),
            "version": __version__,
            "run": self._desks.events.run,
            "uptime": round(self._roster.now() - self.started_at, 3),
        }

    def find(self, name: str) -> Watcher:
        """Return the watcher of that name, in any case."""
        watcher = self._roster.get(name)
        if watcher is None:
            self._refuse_left_out(name)
            raise exc.MessageError(f"program {name} not found")
        return watcher

    def known(self) -> list[Watcher]:
        """Return all watchers by name, with those that were left out."""
        absent = [w for w in self._loaded.left_out.values() if self._roster.get(w.name) is None]
        return sorted([*self.watchers(), *absent], key=lambda watcher: watcher.name)

    def _refuse_left_out(self, name: str) -> None:
        watcher = self._loaded.left_out.get(fold(name))
        if watcher is not None:
            raise exc.MessageError(f"{watcher.name} was {watcher.reason}", COMMAND_FAILED)

    def matching(self, pattern: str, match: str, known: bool = False) -> list[Watcher]:
        """Return the watchers whose names match; an exact name stands for that watcher alone.

        With `known` these are also those that were left out.
        """
        exact = self._roster.get(pattern)
        if exact is None and known:
            exact = self._loaded.left_out.get(fold(pattern))
        if exact is not None or match == "simple":
            return [exact or self.find(pattern)]
        expression = compile_pattern(pattern, match)
        there = self.known() if known else self.watchers()
        found = [watcher for watcher in there if expression.match(watcher.name)]
        if not found:
            self._refuse_left_out(pattern)
            for watcher in self._loaded.left_out.values():
                if expression.match(watcher.name):
                    self._refuse_left_out(watcher.name)
            raise exc.MessageError(f"program {pattern} not found")
        return found

    def to_start(self, watchers: list[Watcher]) -> list[Watcher]:
        """Return those that an order to start them starts, which names none of them."""
        return list(filter(starts_with_others, watchers))

    def reason(self, watcher: Watcher) -> str:
        """Return why it is in its state; "" when there is nothing to explain."""
        return self._desks.variables.conceal(why(watcher, self._roster.now()))

    def phase(self, watcher: Watcher) -> str:
        """Return its phase."""
        is_left_out = self._loaded.left_out.get(fold(watcher.name)) is watcher
        return "invalid" if is_left_out else phase(watcher)

    def is_active(self, watcher: Watcher) -> bool:
        """Tell whether it is up, or one of its processes is ready while others are replaced."""
        return explanation.is_active(watcher, self.phase(watcher))

    def detail(self, watcher: Watcher, deaths: bool = False) -> Fields:
        """Return what `status` tells of it with `details`."""
        probes, now = self._desks.probes, self._roster.now()
        about = watcher, self.phase(watcher), probes, now, deaths
        return self._concealed(explanation.detail(*about))

    def explain(self, watcher: Watcher) -> Fields:
        """Return what `why` answers."""
        probes, now = self._desks.probes, self._roster.now()
        told = explanation.explanation(watcher, self.phase(watcher), probes, self.phase, now)
        is_kept = self._desks.last_words.keeps(watcher)
        histories = self._desks.outputs.histories
        unkept = "" if is_kept else histories.why_not(watcher, None)
        lost = self._desks.outputs.troubles(watcher)
        return self._concealed({**told, "unkept": unkept, "lost": lost})

    def graph(self) -> Fields:
        """Return what `graph` answers: for each watcher, what it depends on."""
        known = self.known()
        nodes = {one.name: explanation.node(one, self.phase(one), self._roster) for one in known}
        return self._concealed(nodes)

    def needing(self, watchers: Sequence[Watcher]) -> dict[str, list[str]]:
        """Return the names of the parts of watchers, which stop with them, and of what else depends
        on them, and goes on."""
        parts, found = self._roster.with_parts(watchers), self._roster.with_dependants(watchers)
        others = [one.name for one in found if one not in parts and one.life not in (DOWN, WAITING)]
        return {
            "parts": sorted(one.name for one in parts[len(watchers) :]),
            "dependants": sorted(others),
        }

    def stop_order(self, watchers: Sequence[Watcher]) -> list[str]:
        """Return the names of those that an order to stop watchers with their dependants stops, in
        order."""
        found = self._roster.with_dependants(watchers)
        return [one.name for one in stop_order([w for w in found if w.life is not DOWN])]

    def leaving(self, name: str) -> list[Watcher]:
        """Return the watchers of that name, and the removed ones that are not all gone."""
        there = self._roster.all_watchers()
        return [watcher for watcher in there if fold(watcher.name) == fold(name)]

    def await_state(self, watchers: Sequence[Watcher], state: str, wait: Wait) -> None:
        """Answer `wait` when watchers are in a state: see `verdicts.STATES`."""
        for one in watchers:
            if self.phase(one) == "invalid":
                wait.then(Outcome(error=f"{one.name} cannot be used: {one.reason}"))
                return
        order, waits = Await(state), self._desks.waits
        waits.before(wait, order, watchers)
        self._roster.touch(*waits.begin(wait, order))

    def pids(self, watcher: Watcher) -> list[int]:
        """Return the pids of its processes, in order of wid."""
        return watcher.places.pids()

    def options(self, watcher: Watcher) -> Fields:
        """Return its options as the wire shows them."""
        return public(watcher.options, _working_dir())

    def events(self, since: int | None, limit: int, marker: str | None) -> Fields:
        """Return events out of the history, and publish the marker, which shows a client where in
        its stream the answer ends."""
        found = self._desks.events.since(since, limit)
        if marker is not None:
            self._desks.events.sync(marker)
        return found

    @property
    def last_lines(self) -> Callable[..., Fields]:
        """See `Histories.last`."""
        return self._desks.outputs.histories.last

    @property
    def next_lines(self) -> Callable[..., None]:
        """See `Histories.after`."""
        return self._desks.outputs.histories.after

    def all_outputs(self) -> AllOutputs:
        """What the processes of many watchers have written, in one order."""
        return self._desks.outputs.all

    def unkept(
        self, watchers: list[Watcher] | None, channels: Sequence[str]
    ) -> tuple[bool, dict[str, str]]:
        """Return whether any of these outputs is kept, and by name why those of others are not, or
        not yet; for None, which is all watchers, without those that are turned off."""
        desk, is_kept = self._desks.outputs, False
        unkept: dict[str, str] = {}
        off: dict[str, str] = {}
        for watcher in self.watchers() if watchers is None else watchers:
            if any(desk.size(watcher, channel) for channel in channels):
                is_kept = True
                if text := desk.unread(watcher, channels):
                    unkept[watcher.name] = text
            elif watchers is not None or not watcher.kind.is_helper:
                channel = channels[0] if len(channels) == 1 else None
                is_off = watchers is None and watcher.options.log_history == 0
                reasons = off if is_off else unkept
                reasons[watcher.name] = desk.histories.why_not(watcher, channel)
        return is_kept, unkept if is_kept else {**unkept, **off}

    def sample(
        self,
        watchers: list[Watcher],
        pid: int | None,
        then: Callable[[Fields], None],
        refuse: Callable[[str], None],
        extended: bool = False,
    ) -> None:
        """Measure processes; `then` gets ``{name: {pid: process info}}``, or `refuse` the reason
        why there is none. `extended`: after the hooks of that name have added to it."""
        chosen = {
            one.name: [p for p in one.places.leaders() if pid in (None, p.pid)] for one in watchers
        }

        def answer(rows: dict[int, Fields]) -> None:
            found = {name: rows_of(processes, rows) for name, processes in chosen.items()}
            hooked = [w for w in watchers if "extended_stats" in w.options.hooks]
            if extended and hooked:
                self._extend(hooked, found, then)
            else:
                then(found)

        pids = [process.pid for processes in chosen.values() for process in processes]
        self._desks.sampler.sample(pids, answer, refuse)

    def sample_now(self, watcher: Watcher) -> dict[str, Fields]:
        """Measure the processes of a watcher within this turn; see `SampleDesk.sample_now`."""
        processes = list(watcher.places.leaders())
        rows = self._desks.sampler.sample_now([process.pid for process in processes])
        return rows_of(processes, rows)

    def _extend(
        self, watchers: list[Watcher], found: Fields, then: Callable[[Fields], None]
    ) -> None:
        """Let the hooks of these watchers extend the figures, all at the same time."""
        missing = {watcher.name for watcher in watchers}

        def take(name: str, rows: dict[int, Fields]) -> None:
            found[name] = {str(pid): row for pid, row in rows.items()}
            missing.discard(name)
            if not missing:
                then(found)

        for watcher in watchers:
            rows = {int(pid): row for pid, row in found[watcher.name].items()}
            self._desks.hooks.extend(watcher, rows, partial(take, watcher.name))

    # -- orders

    def give(self, order: Order, wait: Wait | None = None) -> None:
        """Give an order to the roster, when it is that order's turn.

        Raises:
            CircusError: See `admission.admit`.
        """
        most = self._loaded.configuration.circus["max_processes"]
        admit(order, self._roster, self.sockets, most)
        if isinstance(order, Quit):
            self._shutdown.begin(order.cause, wait)
        elif isinstance(order, Reload) and self.before_reload is not None:
            names = None if order.watchers is None else [one.name for one in order.watchers]
            self.before_reload(names, partial(self._give_late, order, wait), wait)
        elif isinstance(order, Restart) and order.watchers is None and self.reloading is not None:
            self.reloading.restart(partial(self._give_late, order, wait))
        else:
            self._roster.give(order, wait)
        if isinstance(order, Add):
            self._loaded.left_out.pop(fold(order.watcher.name), None)

    def _give_late(self, order: Reload | Restart, wait: Wait | None) -> None:
        """Give an order that had to wait: the daemon may be stopping by now, and a watcher gone."""
        if self.stopping:
            if wait is not None:
                wait.then(Outcome(error="arbiter is stopping"))
            return
        if order.watchers is not None:
            order = order._replace(watchers=[one for one in order.watchers if not one.is_removed])
        self._roster.give(order, wait)

    def new_watcher(self, name: str, options: Fields) -> Watcher:
        """Make a watcher with converted options, for an `Add`."""
        return Watcher(name, WATCHER_OPTIONS.complete(options))

    def processes(self, watcher: Watcher, pid: int | None) -> list[ManagedProcess]:
        """Return the processes of a watcher, or the one of that number.

        Raises:
            NoProcessError: It has none of that number.
        """
        chosen = [one for one in watcher.places.leaders() if pid in (None, one.pid)]
        if pid is not None and not chosen:
            raise exc.NoProcessError(f"process {pid} not found in {watcher.name}")
        return chosen

    def rehearse(self, order: Reload) -> list[Fields]:
        """Return what a reload would do, watcher by watcher."""
        return rehearse(self._roster, order)

    def reopen(self, watchers: list[Watcher] | None) -> None:
        """Open the log files of watchers anew; of all, and the daemon's, for None."""
        self._desks.outputs.reopen(watchers)
        if watchers is None and self._loaded.origin.reopen is not None:
            self._loaded.origin.reopen()

    def reload_configuration(self, props: Fields, answer: Answer) -> None:
        """Read the configuration again, and apply what differs."""
        if self.reloading is None:
            from cvec_circus.supervisor.reload.reloading import Reloading  # loaded after the start

            self.reloading = Reloading(self._desks, self._loaded)
        self.reloading.ask(props, answer)


def _working_dir() -> str | None:
    """Return the folder of processes that have none of their own, None if it was deleted."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None
