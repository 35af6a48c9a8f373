"""What commands ask for: names become watchers, requests become orders to the roster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Optional

from cvec_circus import exc
from cvec_circus.config.configuration import LeftOut
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.arbiter import check_size
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.options.watcher import WATCHER_OPTIONS, public
from cvec_circus.supervisor.compose import Desks
from cvec_circus.supervisor.names import compile_pattern
from cvec_circus.supervisor.reason import why
from cvec_circus.supervisor.shutdown import Shutdown
from cvec_circus.wire.messages import COMMAND_FAILED
from cvec_circus.wire.orders import Add, Order, Quit, Reload, Resize, Restart, SetOptions
from cvec_circus.wire.outcome import Death, Outcome, Wait
from cvec_circus.wire.topics import fold

if TYPE_CHECKING:
    from cvec_circus.commands.base import Answer
    from cvec_circus.supervisor.reloading import Reloading

Fields = dict[str, Any]
BeforeReload = Callable[[Optional[list[str]], Callable[[], None], Optional[Wait]], None]


class Target:
    """The commands' view of the supervisor. Owned by the supervisor thread.

    Args:
        desks: Where the answers are.
        shutdown: The end of it all.
        global_options: Returns what `globaloptions` answers.
        description: Returns what `ping` answers.
        left_out: What the configuration has and cannot be run.
        make_reloading: Makes `reloading` when it is first needed.
        max_processes: How many processes a watcher may have.

    Attributes:
        before_reload: Called with the names of watchers that are to be reloaded, None for all, with
            what then reloads them, and with who waits for it; None does so at once.
        reloading: The line of the orders that change everything.
        left_out: A stand-in by name for each watcher that the configuration has and that cannot be
            run.
    """

    def __init__(
        self,
        desks: Desks,
        shutdown: Shutdown,
        global_options: Callable[[], Fields],
        description: Callable[[], Fields],
        left_out: Iterable[LeftOut],
        make_reloading: Callable[[], Reloading],
        max_processes: int,
    ) -> None:
        self._roster = desks.roster
        self._outputs = desks.outputs
        self._hooks = desks.hooks
        self._events = desks.events
        self._sockets = desks.sockets
        self._sampler = desks.sampler
        self._shutdown = shutdown
        self._make_reloading = make_reloading
        self._max_processes = max_processes
        self.before_reload: BeforeReload | None = None
        self.reloading: Reloading | None = None
        self.global_options = global_options
        self.description = description
        self.left_out = {fold(one.name): _stand_in(one) for one in left_out}

    # -- questions

    @property
    def stopping(self) -> bool:
        """Whether the daemon is on its way out."""
        return self._shutdown.begun

    def watchers(self) -> list[Watcher]:
        """All watchers, by name."""
        return self._roster.watchers()

    def find(self, name: str) -> Watcher:
        """The watcher of that name, in any case."""
        watcher = self._roster.get(name)
        if watcher is None:
            self._refuse_left_out(name)
            raise exc.MessageError(f"program {name} not found")
        return watcher

    def known(self, name: str | None = None) -> list[Watcher]:
        """The watcher of that name, or all by name: those left out of the configuration too."""
        if name is None:
            absent = [w for w in self.left_out.values() if self._roster.get(w.name) is None]
            if not absent:
                return self.watchers()
            return sorted([*self.watchers(), *absent], key=lambda watcher: watcher.name)
        if self._roster.get(name) is None and fold(name) in self.left_out:
            return [self.left_out[fold(name)]]
        return [self.find(name)]

    def _refuse_left_out(self, name: str) -> None:
        watcher = self.left_out.get(fold(name))
        if watcher is not None:
            raise exc.MessageError(f"{watcher.name} was {watcher.reason}", COMMAND_FAILED)

    def matching(self, pattern: str, match: str) -> list[Watcher]:
        """The watchers whose names match; one that bears the very name stands for itself."""
        exact = self._roster.get(pattern)
        if exact is not None or match == "simple":
            return [self.find(pattern)]
        expression = compile_pattern(pattern, match)
        found = [watcher for watcher in self.watchers() if expression.match(watcher.name)]
        if not found:
            for watcher in self.left_out.values():
                if expression.match(watcher.name):
                    self._refuse_left_out(watcher.name)
            raise exc.MessageError(f"program {pattern} not found")
        return found

    def reason(self, watcher: Watcher) -> str:
        """Why it is in its state, in a sentence; "" when there is nothing to explain."""
        return why(watcher, self._roster.now())

    def detail(self, watcher: Watcher) -> Fields:
        """What `status` tells of it with `details`."""
        now, places = self._roster.now(), watcher.places
        return {
            "state": watcher.status,
            "processes": len(places.pids()),
            "numprocesses": watcher.goal.numprocesses,
            "restarts": places.restarts,
            "last_death": places.last_death and _told(places.last_death, now),
            "uptime": round(now - watcher.filled_at, 3) if watcher.is_up else None,
            "reason": why(watcher, now),
            "strays": [{"pid": one.pid, "command": one.command} for one in watcher.strays],
        }

    def pids(self, watcher: Watcher) -> list[int]:
        """The pids of its processes, in order of wid."""
        return watcher.places.pids()

    def options(self, watcher: Watcher) -> Fields:
        """Its options as the wire shows them."""
        return public(watcher.options, _working_dir())

    def sockets(self) -> list[Fields]:
        """The managed sockets."""
        return self._sockets.describe()

    def events(self, since: int, limit: int, marker: str | None) -> Fields:
        """Events out of the history; then the marker is published, so that whoever asked knows
        where in his stream the answer ends."""
        found = self._events.since(since, limit)
        if marker is not None:
            self._events.sync(marker)
        return found

    def last_lines(self, watcher: Watcher, channel: str, count: int) -> Fields:
        """The last lines that its processes have written."""
        return self._outputs.histories.last(watcher, channel, count)

    def next_lines(
        self,
        watcher: Watcher,
        channel: str,
        since: int,
        timeout: float,
        then: Callable[[Fields], None],
    ) -> None:
        """The lines after a place, now or when there are some."""
        self._outputs.histories.after(watcher, channel, since, timeout, then)

    def sample(
        self,
        watchers: list[Watcher],
        pid: int | None,
        then: Callable[[Fields], None],
        refuse: Callable[[str], None],
        extended: bool = False,
    ) -> None:
        """Measures processes; `then` gets ``{name: {pid: process info}}``, or `refuse` the reason
        why there is none. `extended`: after the hooks of that name have added to it."""
        chosen = {
            watcher.name: [
                process for process in watcher.places.leaders() if pid in (None, process.pid)
            ]
            for watcher in watchers
        }

        def answer(rows: dict[int, Fields]) -> None:
            found = {name: _rows(processes, rows) for name, processes in chosen.items()}
            hooked = [w for w in watchers if "extended_stats" in w.options.hooks]
            if extended and hooked:
                self._extend(hooked, found, then)
            else:
                then(found)

        pids = [process.pid for processes in chosen.values() for process in processes]
        self._sampler.sample(pids, answer, refuse)

    def _extend(
        self, watchers: list[Watcher], found: Fields, then: Callable[[Fields], None]
    ) -> None:
        """Has the figures of these watchers extended, all at the same time."""
        missing = {watcher.name for watcher in watchers}

        def take(name: str, rows: dict[int, Fields]) -> None:
            found[name] = {str(pid): row for pid, row in rows.items()}
            missing.discard(name)
            if not missing:
                then(found)

        for watcher in watchers:
            rows = {int(pid): row for pid, row in found[watcher.name].items()}
            self._hooks.extend(watcher, rows, partial(take, watcher.name))

    def sample_daemon(self, then: Callable[[Fields], None], refuse: Callable[[str], None]) -> None:
        """Measures the daemon itself."""
        self._sampler.sample_daemon(then, refuse)

    # -- orders

    def give(self, order: Order, wait: Wait | None = None) -> None:
        """Give an order to the roster, when it is that order's turn.

        Raises:
            OptionError: It wants more processes than a watcher may have.
        """
        self._check_size(order)
        if isinstance(order, Quit):
            self._shutdown.begin(order.cause, wait)
        elif isinstance(order, Reload) and self.before_reload is not None:
            names = None if order.watchers is None else [one.name for one in order.watchers]
            self.before_reload(names, partial(self._give_late, order, wait), wait)
        elif isinstance(order, Restart) and order.watchers is None and self.reloading is not None:
            self.reloading.restart(partial(self._give_late, order, wait))
        else:
            self._roster.give(order, wait)

    def _check_size(self, order: Order) -> None:
        if isinstance(order, Resize):
            check_size(order.numprocesses, self._max_processes)
        elif isinstance(order, SetOptions):
            check_size(order.options.get("numprocesses", 0), self._max_processes)
        elif isinstance(order, Add):
            check_size(order.watcher.goal.numprocesses, self._max_processes)

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
        self.left_out.pop(fold(name), None)
        return Watcher(name, WATCHER_OPTIONS.complete(options))

    def processes(self, watcher: Watcher, pid: int | None) -> list[ManagedProcess]:
        """Return the processes of a watcher, or the one of that number.

        Raises:
            MessageError: It has none of that number.
        """
        chosen = [one for one in watcher.places.leaders() if pid in (None, one.pid)]
        if pid is not None and not chosen:
            raise exc.MessageError(f"process {pid} not found in {watcher.name}")
        return chosen

    def reload_configuration(self, props: Fields, answer: Answer) -> None:
        """Read the configuration again, and make what differs so."""
        if self.reloading is None:
            self.reloading = self._make_reloading()
        self.reloading.ask(props, answer)


def _stand_in(left_out: LeftOut) -> Watcher:
    """A watcher for `status` to show, which is on no roster: nothing ever starts it."""
    options = WatcherOptions({**WATCHER_OPTIONS.defaults(), "numprocesses": 0})
    watcher = Watcher(left_out.name, options)
    watcher.reason = f"left out: {left_out.problems[0]}"
    return watcher


def _working_dir() -> str | None:
    """The folder of processes that have none of their own, None if somebody has deleted it."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None


def _told(death: Death, now: float) -> Fields:
    *known, at = death
    return {**dict(zip(Death._fields, known)), "age": round(now - at, 3)}


def _rows(processes: list[ManagedProcess], rows: dict[int, Fields]) -> Fields:
    """The measurements of one watcher's processes, with what only we know of them."""
    return {
        str(process.pid): {**rows[process.pid], "started": process.started, "wid": process.wid}
        for process in processes
        if process.pid in rows
    }
