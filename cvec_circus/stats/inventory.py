"""The existing processes and sockets: from the daemon's answers, and its events in between."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.client.feed.questions import Questions
from cvec_circus.stats.payloads import OURSELVES, Socket, sockets_of
from cvec_circus.wire import topics

Reply = dict[str, Any]
Question = tuple[str, dict[str, Any], Callable[[Reply], None]]

RENEWED = 60.0
"""Seconds after which everything is asked again: changes without an event show within a minute."""

SOCKETS_RENEWED = 10.0
"""Seconds after which the sockets are asked for again: no event reports which are closed."""


class Inventory:
    """The processes of every watcher. Owned by the main thread of the statistics process.

    Attributes:
        sockets: The listening sockets of the daemon.
        daemon: The processes of the daemon itself: names by pid.
    """

    def __init__(self, daemon: Mapping[int, str]) -> None:
        self.sockets: list[Socket] = []
        self.daemon = dict(daemon)
        self._pids: dict[str, dict[int, None]] = {}
        self._changes: list[tuple[str, int | None, bool]] | None = None

    def pids(self) -> dict[str, list[int]]:
        """Return the processes of every watcher that has any, by its name as topics have it."""
        return {name: list(pids) for name, pids in self._pids.items() if pids}

    def begin(self) -> None:
        """Keep the events from now on: the answer to the question being sent may lack them."""
        self._changes = []

    def replace(self, pids: Mapping[str, Iterable[int]]) -> None:
        """Take the daemon's answer: the processes of all watchers, by the watchers' names."""
        self._pids.clear()
        for name, numbers in pids.items():
            if name not in OURSELVES:
                self._pids[topics.fold(name)] = dict.fromkeys(numbers)
        changes, self._changes = self._changes, None
        for name, pid, there in changes or ():
            self._change(name, pid, there)

    def event(self, topic: bytes, payload: bytes) -> None:
        """Take an event of the daemon."""
        _, name, action = topics.split(topic)
        if name in OURSELVES or action not in ("spawn", "reap", "stop", "remove"):
            return
        pid = None
        if action in ("spawn", "reap"):
            try:
                pid = int(json.loads(payload)["process_pid"])
            except (ValueError, KeyError, TypeError, RecursionError):
                return  # not published by a daemon
        if self._changes is not None:
            self._changes.append((name, pid, action == "spawn"))
        self._change(name, pid, action == "spawn")

    def _change(self, name: str, pid: int | None, there: bool) -> None:
        if pid is None:
            self._pids.pop(name, None)
        elif there:
            self._pids.setdefault(name, {})[pid] = None
        else:
            self._pids.get(name, {}).pop(pid, None)


class Census:
    """Keeps an inventory up to date. Owned by the main thread of the statistics process.

    Our daemon lists the processes of all watchers in one answer. Circus' daemon is asked once per
    watcher.
    """

    def __init__(
        self,
        loop: Loop,
        questions: Questions,
        inventory: Inventory,
        on_processes: Callable[[], object],
        on_sockets: Callable[[], object],
        asks_who: bool,
    ) -> None:
        """Prepare; `begin` asks.

        Args:
            on_processes: Called when the processes have been renewed.
            on_sockets: Called when the sockets have been renewed.
            asks_who: Whether to ask the daemon for its pid.
        """
        self._loop = loop
        self._questions = questions
        self._inventory = inventory
        self._on_processes = on_processes
        self._on_sockets = on_sockets
        self._asks_who = asks_who
        self._waiting: deque[Question] = deque()
        self._found: dict[str, list[int]] = {}
        self._round = 0

    def begin(self) -> None:
        """Ask now, and again from time to time."""
        self._renew_all()
        self._loop.call_later(SOCKETS_RENEWED, self._renew_sockets)

    def renew(self) -> None:
        """Ask for everything: the daemon may be another one, or events may be missing."""
        self._round += 1
        self._waiting.clear()
        self._waiting.append(("list", {"pids": True}, self._on_list))
        if self._asks_who:
            self._waiting.append(("ping", {}, self._on_ping))
        self._waiting.append(("listsockets", {}, self._on_listsockets))
        self._go_on()

    def _renew_all(self) -> None:
        self.renew()
        self._loop.call_later(RENEWED, self._renew_all)

    def _renew_sockets(self) -> None:
        if self._inventory.sockets and not self._waiting:
            self._waiting.append(("listsockets", {}, self._on_listsockets))
            self._go_on()
        self._loop.call_later(SOCKETS_RENEWED, self._renew_sockets)

    def _go_on(self) -> None:
        if self._questions.busy or not self._waiting:
            return
        command, properties, then = self._waiting[0]
        asked_in = self._round
        if command == "list" and "name" not in properties:
            self._inventory.begin()

        def answered(reply: Reply | None) -> None:
            if asked_in == self._round and reply is not None:
                self._waiting.popleft()
                try:
                    then(reply)
                except (KeyError, TypeError, ValueError, AttributeError) as error:
                    logger.warning("the daemon's answer to %s is unusable: %r", command, error)
            self._go_on()  # which asks a lost question again

        self._questions.ask(command, properties, answered)

    def _on_list(self, reply: Reply) -> None:
        if reply.get("status") != "ok":
            logger.warning("the daemon does not list its processes: %s", reply.get("reason"))
        elif "pids" in reply:
            self._replace(reply["pids"])
        else:
            self._found = {}
            rest = [("list", {"name": name}, self._on_pids(name)) for name in reply["watchers"]]
            self._waiting.extendleft(reversed(rest))
            if not rest:
                self._replace({})

    def _on_pids(self, name: str) -> Callable[[Reply], None]:
        def then(reply: Reply) -> None:
            self._found[name] = list(reply.get("pids", ()))
            if not any("name" in properties for _, properties, _ in self._waiting):
                self._replace(self._found)

        return then

    def _replace(self, pids: dict[str, list[int]]) -> None:
        self._inventory.replace(pids)
        self._on_processes()

    def _on_ping(self, reply: Reply) -> None:
        if "pid" in reply:
            self._set_daemon(int(reply["pid"]))
        else:  # a daemon of Circus
            self._waiting.appendleft(
                ("dstats", {}, lambda reply: self._set_daemon(int(reply["info"]["pid"])))
            )

    def _set_daemon(self, pid: int) -> None:
        daemon = self._inventory.daemon
        ours = {number: name for number, name in daemon.items() if name != "circusd"}
        self._inventory.daemon = {**ours, pid: "circusd"}

    def _on_listsockets(self, reply: Reply) -> None:
        self._inventory.sockets = sockets_of(reply)
        self._on_sockets()
