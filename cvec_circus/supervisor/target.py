"""What commands ask for: names become watchers, requests become orders to the roster."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Optional

from cvec_circus import exc
from cvec_circus.config.configuration import LeftOut
from cvec_circus.control.events import EventStream
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.roster import Roster
from cvec_circus.core.slots import Death
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.watcher import WATCHER_OPTIONS, public
from cvec_circus.sockets.registry import SocketRegistry
from cvec_circus.supervisor.ports import WorldPorts
from cvec_circus.supervisor.sampler import SampleDesk
from cvec_circus.supervisor.shutdown import Shutdown
from cvec_circus.wire.messages import COMMAND_FAILED
from cvec_circus.wire.outcome import Outcome, Wait
from cvec_circus.wire.topics import fold

if TYPE_CHECKING:
    from cvec_circus.commands.base import Answer
    from cvec_circus.supervisor.reloading import Reloading

Fields = dict[str, Any]
BeforeReload = Callable[[Optional[list[str]], Callable[[], None], Optional[Wait]], None]


class Target:
    """The commands' view of the supervisor: see `commands.target.CommandTarget` for each method.

    Owned by the supervisor thread.

    Args:
        roster: The watchers.
        ports: For signals that are no orders.
        events: The history of what was published.
        sockets: The listening sockets.
        sampler: Measures processes.
        shutdown: The end of it all.
        global_options: Returns what `globaloptions` answers.
        description: Returns what `ping` answers.
        left_out: What the configuration has and cannot be run.

    Attributes:
        before_reload: Called with the names of watchers that are to be reloaded, None for all, with
            what then reloads them, and with who waits for it; None does so at once.
        make_reloading: Makes `reloading` when it is first needed.
        reloading: The line of those who change everything.
        left_out: A stand-in by name for each watcher that the configuration has and that cannot be
            run.
    """

    def __init__(
        self,
        roster: Roster,
        ports: WorldPorts,
        events: EventStream,
        sockets: SocketRegistry,
        sampler: SampleDesk,
        shutdown: Shutdown,
        global_options: Callable[[], Fields],
        description: Callable[[], Fields],
        left_out: Iterable[LeftOut] = (),
    ) -> None:
        self._roster = roster
        self._ports = ports
        self._events = events
        self._sockets = sockets
        self._sampler = sampler
        self._shutdown = shutdown
        self.before_reload: BeforeReload | None = None
        self.make_reloading: Callable[[], Reloading]
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
        source = fnmatch.translate(pattern) if match == "glob" else pattern
        try:
            expression = re.compile(source, re.IGNORECASE)
        except re.error as error:
            raise exc.MessageError(f"{pattern!r} is no regular expression: {error}") from error
        found = [watcher for watcher in self.watchers() if expression.match(watcher.name)]
        if not found:
            for watcher in self.left_out.values():
                if expression.match(watcher.name):
                    self._refuse_left_out(watcher.name)
            raise exc.MessageError(f"program {pattern} not found")
        return found

    def reason(self, watcher: Watcher) -> str:
        """Why it is in its state, in a sentence; "" when there is nothing to explain."""
        return watcher.why(self._ports.now())

    def detail(self, watcher: Watcher) -> Fields:
        """What `status` tells of it with `details`."""
        now, death = self._ports.now(), watcher.last_death
        return {
            "state": watcher.state.value,
            "processes": len(watcher.pids()),
            "numprocesses": watcher.numprocesses,
            "restarts": watcher.restarts,
            "last_death": death and _told(death, now),
            "uptime": round(now - watcher.active_at, 3) if watcher.is_active else None,
            "reason": watcher.why(now),
        }

    def pids(self, watcher: Watcher) -> list[int]:
        """The pids of its processes, in order of wid."""
        return watcher.pids()

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
        return self._ports.histories.last(watcher, channel, count)

    def next_lines(
        self,
        watcher: Watcher,
        channel: str,
        since: int,
        timeout: float,
        then: Callable[[Fields], None],
    ) -> None:
        """The lines after a place, now or when there are some."""
        self._ports.histories.after(watcher, channel, since, timeout, then)

    def sample(
        self,
        watchers: list[Watcher],
        pid: int | None,
        then: Callable[[Fields], None],
        extended: bool = False,
    ) -> None:
        """Measures processes; `then` gets ``{name: {pid: process info}}``. `extended`: after the
        hooks of that name have added to it."""
        chosen = {
            watcher.name: [process for process in watcher.leaders() if pid in (None, process.pid)]
            for watcher in watchers
        }

        def answer(rows: dict[int, Fields]) -> None:
            found = {name: _rows(processes, rows) for name, processes in chosen.items()}
            hooked = [w for w in watchers if "extended_stats" in w.options["hooks"]]
            if extended and hooked:
                self._extend(hooked, found, then)
            else:
                then(found)

        pids = [process.pid for processes in chosen.values() for process in processes]
        self._sampler.sample(pids, answer)

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
            self._ports.extend_stats(watcher, rows, partial(take, watcher.name))

    def sample_daemon(self, then: Callable[[Fields], None]) -> None:
        """Measures the daemon itself."""
        self._sampler.sample_daemon(then)

    # -- orders

    def start(self, watchers: list[Watcher] | None, wait: Wait | None) -> None:
        """Wants them up."""
        self._roster.start(watchers, "command:start", wait)

    def stop(self, watchers: list[Watcher] | None, wait: Wait | None) -> None:
        """Wants them down."""
        self._roster.stop(watchers, "command:stop", wait)

    def restart(self, watchers: list[Watcher] | None, wait: Wait | None) -> None:
        """Wants them down, then up; all of them when it is that order's turn."""
        go = partial(self._restart, watchers, wait)
        if watchers is None and self.reloading is not None:
            self.reloading.restart(go)
        else:
            go()

    def _restart(self, watchers: list[Watcher] | None, wait: Wait | None) -> None:
        if not self.stopping:
            self._roster.restart(watchers, "command:restart", wait)
        elif wait is not None:
            wait.then(Outcome(error="arbiter is stopping"))

    def reload_configuration(self, props: Fields, answer: Answer) -> None:
        """Reads the configuration again, and has what differs become so."""
        if self.reloading is None:
            self.reloading = self.make_reloading()
        self.reloading.ask(props, answer)

    def reload(
        self, watchers: list[Watcher] | None, graceful: bool, sequential: bool, wait: Wait | None
    ) -> None:
        """Wants fresh processes in place of those that run."""
        go = partial(self._reload, watchers, graceful, sequential, wait)
        if self.before_reload is None:
            go()
        else:
            names = None if watchers is None else [watcher.name for watcher in watchers]
            self.before_reload(names, go, wait)

    def _reload(
        self, watchers: list[Watcher] | None, graceful: bool, sequential: bool, wait: Wait | None
    ) -> None:
        if self.stopping:
            if wait is not None:
                wait.then(Outcome(error="arbiter is stopping"))
            return
        if watchers is not None:  # one may have been removed meanwhile
            watchers = [watcher for watcher in watchers if not watcher.removed]
        self._ports.reopen_streams(watchers)
        if graceful or sequential:
            self._roster.reload(watchers, "command:reload", sequential, wait)
        else:
            self._roster.restart(watchers, "command:reload", wait)

    def add(self, name: str, options: Fields, start: bool, wait: Wait | None) -> None:
        """Adds a watcher with converted options."""
        watcher = Watcher(name, WATCHER_OPTIONS.complete(options))
        self._roster.add(watcher, "command:add")
        self.left_out.pop(fold(name), None)
        if start:
            self._roster.start([watcher], "command:add", wait)
        elif wait is not None:
            wait.then(Outcome())

    def remove(self, watcher: Watcher, nostop: bool, wait: Wait | None) -> None:
        """Removes a watcher, and stops it unless `nostop`."""
        self._roster.remove(watcher, "command:rm", nostop, wait)

    def set_options(
        self, watcher: Watcher, options: Fields, wait: Wait | None, reason: str = ""
    ) -> None:
        """Changes converted options."""
        full = WATCHER_OPTIONS.complete(options, watcher.options)
        self._roster.set_options(watcher, full, "command:set", wait, reason)

    def change_numprocesses(
        self, watcher: Watcher, delta: int, wait: Wait | None, reason: str = ""
    ) -> int:
        """Wants so many processes more or fewer; never fewer than none."""
        size = max(0, watcher.numprocesses + delta)
        cause = "command:incr" if delta > 0 else "command:decr"
        self._roster.resize(watcher, size, cause, wait, reason)
        return size

    def kill(
        self,
        watcher: Watcher,
        pid: int | None,
        signum: int | None,
        graceful_timeout: float | None,
        wait: Wait | None,
    ) -> None:
        """Ends processes; their places are filled again."""
        self._roster.kill(watcher, _chosen(watcher, pid), signum, graceful_timeout, wait)

    def signal(
        self,
        watcher: Watcher,
        signum: int,
        pid: int | None,
        childpid: int | None,
        children: bool,
        recursive: bool,
    ) -> None:
        """Sends a signal to processes, to their children, or to both."""
        for process in _chosen(watcher, pid):
            if childpid is not None:
                self._ports.signal_child(process, childpid, signum)
                continue
            if children or recursive:
                self._ports.signal_children(process, signum, recursive)
            if not children:
                self._roster.signal(watcher, process, signum)

    def quit(self, wait: Wait | None) -> None:
        """Stops everything and ends the daemon."""
        self._shutdown.begin("command:quit", wait)


def _stand_in(left_out: LeftOut) -> Watcher:
    """A watcher for `status` to show, which is on no roster: nothing ever starts it."""
    watcher = Watcher(left_out.name, {**WATCHER_OPTIONS.defaults(), "numprocesses": 0})
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


def _chosen(watcher: Watcher, pid: int | None) -> list[ManagedProcess]:
    processes = [process for process in watcher.leaders() if pid in (None, process.pid)]
    if pid is not None and not processes:
        raise exc.MessageError(f"process {pid} not found in {watcher.name}")
    return processes


def _rows(processes: list[ManagedProcess], rows: dict[int, Fields]) -> Fields:
    """The measurements of one watcher's processes, with what only we know of them."""
    return {
        str(process.pid): {**rows[process.pid], "started": process.started, "wid": process.wid}
        for process in processes
        if process.pid in rows
    }
