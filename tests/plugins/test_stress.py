"""Fifty rounds of start and stop under a flood of events, stopped from everywhere."""

from __future__ import annotations

import threading
from typing import Any

from cvec_circus import exc
from tests.plugins.case import TIMEOUT, PluginCase, Probe

ROUNDS = 50
BURST = 20
BURSTS = 100


class Stressed(Probe):
    """Calls from everywhere, raises now and then, and has a thread of its own that calls on."""

    def __init__(self, *args: Any, **config: Any) -> None:
        super().__init__(*args, **config)
        self.room = threading.Semaphore(0)
        self.calls_made = 0
        self.timer_calls = 0
        self.own_thread = threading.Thread(target=self.call_on, name="own thread")
        self.loop.periodic(self.tick, 1).start()

    def handle_init(self) -> None:
        super().handle_init()
        self.ask()
        self.own_thread.start()

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        super().handle_recv(data)
        if len(self.seqs) % BURST == 0:
            self.room.release()
        if len(self.seqs) % 97 == 0:
            self.ask()
        if len(self.seqs) % 101 == 0:
            raise ValueError("one in a hundred and one")

    def handle_stop(self) -> None:
        super().handle_stop()
        self.ask()

    def tick(self) -> None:
        self.on_plugin_thread("tick")
        self.timer_calls += 1
        self.loop.add_callback(self.on_plugin_thread, "callback")
        self.loop.run_in_thread(self.ask, then=self.answered)

    def answered(self, result: Any, error: BaseException | None) -> None:
        self.on_plugin_thread("then")
        if error is not None and not self._is_over and "closed" not in str(error):
            self.broken.append(repr(error))

    def ask(self) -> None:
        if self.call("list")["watchers"] != ["web"]:
            self.broken.append("a wrong answer")
        self.calls_made += 1

    def call_on(self) -> None:
        try:
            while True:
                self.ask()
        except exc.CallError as error:
            if "closed" not in str(error):
                self.broken.append(str(error))


class TestStress(PluginCase):
    def setUp(self) -> None:
        super().setUp()
        # As much as fits the ring: what the daemon does not hold any more is lost, and rightly so.
        self.room = threading.Semaphore(0)
        self.flooding = threading.Event()
        self.flooding.set()
        self.flooder = threading.Thread(target=self.flood, name="flooder")
        self.flooder.start()
        self.addCleanup(self.flooder.join, TIMEOUT)
        self.addCleanup(self.flooding.clear)

    def flood(self) -> None:
        while self.flooding.is_set():
            if self.room.acquire(timeout=0.05):
                self.daemon.flood(BURST)

    def assert_gapless(self, seqs: list[int], since: int) -> None:
        # Not assertEqual: to show how two lists of thousands differ takes it minutes.
        wanted = range(since + 1, since + 1 + len(seqs))
        wrong = [(seq, number) for seq, number in zip(seqs, wanted) if seq != number]
        self.assertEqual(wrong[:1], [])

    def test_rounds(self) -> None:
        events = calls = 0
        for number in range(ROUNDS):
            plugin = self.make(Stressed, since=self.daemon.seq, run=self.daemon.run)
            plugin.loop._log_error = lambda error, name: None
            self.room = plugin.room = threading.Semaphore(BURSTS)
            wanted = (1, 5, 120)[number % 3]
            if number % 2:
                plugin.on_recv = lambda data, p=plugin, n=wanted: (
                    p.stop() if len(p.seqs) == n else None
                )
            since = plugin._life.sequence.known
            thread = self.run_plugin(plugin)
            if number % 2 == 0:
                self.assertTrue(plugin.wait_for(lambda p, n=wanted: len(p.seqs) >= n))
                plugin.stop()
            thread.join(TIMEOUT)
            plugin.own_thread.join(TIMEOUT)
            self.assertFalse(thread.is_alive() or plugin.own_thread.is_alive())
            self.assertEqual(plugin.broken, [], f"round {number}")
            self.assertEqual(plugin.calls[-3:], ["handle_init", "handle_stop", "returned"])
            self.assert_gapless(plugin.seqs, since)
            if number % 2:
                self.assertEqual(len(plugin.seqs), wanted)
            events += len(plugin.seqs)
            calls += plugin.calls_made
        self.assertGreater(events, ROUNDS)
        self.assertGreater(calls, ROUNDS)
        self.assertEqual(self.errors, [])
