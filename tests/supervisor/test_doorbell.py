"""The doorbell by itself: which sockets it looks at, for whom, and for how long."""

from __future__ import annotations

import queue
import socket
from typing import Any

from cvec_circus.core.facts import Connected
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.sockets.registry import SocketRegistry
from cvec_circus.supervisor.doorbell import Doorbell
from tests.support.loops import TIMEOUT, LoopTestCase


class Program:
    """What the doorbell sees of a watcher."""

    def __init__(self, cmd: str, **options: Any) -> None:
        given = WATCHER_OPTIONS.convert({"cmd": cmd, "use_sockets": True, **options})
        self.options = WATCHER_OPTIONS.complete(given)


class DoorbellTest(LoopTestCase):
    """The case stands for the facts."""

    def setUp(self) -> None:
        super().setUp()
        self.sockets = SocketRegistry()
        self.addCleanup(self.sockets.close_all)
        for name in ("a", "b"):
            self.sockets.add(CircusSocket(name=name, host="127.0.0.1", port=0))
        self.sockets.bind_all()
        self.rung: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.doorbell: Any = Doorbell(self.loop, self.sockets, self)  # type: ignore[arg-type]
        self.run_loop()

    def append(self, fact: Connected) -> None:
        self.rung.put(fact.watcher)
        self.doorbell.ignore(fact.watcher)  # as the core does, which starts it

    def listen(self, watcher: Program) -> None:
        self.loop.ask(self.doorbell.listen, watcher)

    def connect(self, name: str) -> None:
        (port,) = (row["port"] for row in self.sockets.describe() if row["name"] == name)
        client = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self.addCleanup(client.close)

    def nothing_more(self) -> None:
        for _ in range(3):
            self.loop.ask(bool)
        self.assertTrue(self.rung.empty())

    def test_each_watcher_of_a_socket_hears_of_it_once(self) -> None:
        first, second = Program("x $(circus.sockets.a)"), Program("y $(circus.sockets.A)")
        other = Program("z $(circus.sockets.b)")
        for watcher in (first, second, other):
            self.listen(watcher)
        self.connect("a")
        heard = {self.rung.get(timeout=TIMEOUT) for _ in range(2)}
        self.assertEqual(heard, {first, second})
        self.nothing_more()
        self.connect("b")
        self.assertIs(self.rung.get(timeout=TIMEOUT), other)

    def test_one_that_is_ignored_hears_nothing(self) -> None:
        watcher = Program("x $(circus.sockets.a) $(circus.sockets.b)")
        self.listen(watcher)
        self.listen(watcher)  # again: as if once
        for _ in range(2):
            self.loop.ask(self.doorbell.ignore, watcher)
        self.connect("a")
        self.nothing_more()
        self.listen(watcher)  # the connection is still there
        self.assertIs(self.rung.get(timeout=TIMEOUT), watcher)

    def test_one_without_a_socket_is_refused(self) -> None:
        for watcher, reason in (
            (Program("x"), "on_demand: the command refers to no socket"),
            (Program("x $(circus.sockets.c)"), "use_sockets: there is no socket c"),
            (Program("x", stdin_socket="c"), "stdin_socket: there is no socket c"),
        ):
            with self.assertRaisesRegex(ValueError, reason):
                self.listen(watcher)
        self.connect("a")
        self.nothing_more()
