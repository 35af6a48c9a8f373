"""Asking the daemon which processes and sockets there are, a question a second at most."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.client.feed.questions import Questions
from cvec_circus.stats.inventory import Inventory, sockets_of

Reply = dict[str, Any]
Question = tuple[str, dict[str, Any], Callable[[Reply], None]]

RENEWED = 60.0
"""Seconds after which everything is asked anew: what no event has told shows after a minute."""

SOCKETS_RENEWED = 10.0
"""Seconds after which the sockets are asked for anew. No event tells of those that are closed."""


class Census:
    """Brings an inventory up to date. Owned by the main thread of the statistics process.

    Our daemon tells the processes of all watchers in one answer. One of Circus is asked for each
    watcher.

    Attributes:
        asks_who: Whether the daemon is asked which process it is.
    """

    def __init__(
        self,
        loop: Loop,
        questions: Questions,
        inventory: Inventory,
        on_processes: Callable[[], object],
        on_sockets: Callable[[], object],
    ) -> None:
        """Prepare; `renew` begins.

        Args:
            loop: The loop of the thread.
            questions: Asks the daemon, at a pace.
            inventory: What is to be brought up to date.
            on_processes: Called when the processes are known anew.
            on_sockets: Called when the sockets are known anew.
        """
        self._loop = loop
        self._questions = questions
        self._inventory = inventory
        self._on_processes = on_processes
        self._on_sockets = on_sockets
        self.asks_who = True
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
        if self.asks_who:
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
                    logger.warning("the answer to %s cannot be used: %r", command, error)
            self._go_on()  # a question that was lost is asked again

        self._questions.ask(command, properties, answered)

    def _on_list(self, reply: Reply) -> None:
        if reply.get("status") != "ok":
            logger.warning("the daemon does not tell its processes: %s", reply.get("reason"))
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
                ("dstats", {}, lambda told: self._set_daemon(int(told["info"]["pid"])))
            )

    def _set_daemon(self, pid: int) -> None:
        daemon = self._inventory.daemon
        ours = {number: name for number, name in daemon.items() if name != "circusd"}
        self._inventory.daemon = {**ours, pid: "circusd"}

    def _on_listsockets(self, reply: Reply) -> None:
        self._inventory.sockets = sockets_of(reply)
        self._on_sockets()
