"""When subscribers hear of what happens within a turn."""

from __future__ import annotations

import threading
import unittest

import zmq

from cvec_circus.config.readers.mapping import from_mappings
from cvec_circus.supervisor.supervisor import Supervisor
from cvec_circus.wire.cause import Cause
from tests.support.daemon import folder
from tests.support.leaks import LeakCheckedTestCase

TIMEOUT_MS = 20_000


class TestDeaths(LeakCheckedTestCase):
    def test_a_death_is_told_before_its_successor_is_spawned(self) -> None:
        where = folder(self)
        circus = {"endpoint": f"ipc://{where}/control", "pubsub_endpoint": f"ipc://{where}/events"}
        watcher = {"name": "a", "cmd": "sleep 0.2", "backoff": False}
        context = zmq.Context()
        self.addCleanup(context.destroy)
        supervisor = Supervisor(from_mappings([watcher], circus=circus))
        subscriber = context.socket(zmq.SUB)
        subscriber.subscribe(b"")
        subscriber.connect(supervisor.events.address)
        # The owner looks, once, between what has died and what is spawned in the same turn.
        seen: list[bytes] = []
        has_looked = threading.Event()
        turn = supervisor.roster.turn

        def look_and_turn() -> bool:
            events = supervisor.events.since(0, 500)["events"]
            if not has_looked.is_set() and events and events[-1][0] == "watcher.a.reap":
                has_looked.set()
                while b"watcher.a.reap" not in seen and subscriber.poll(TIMEOUT_MS):
                    seen.append(subscriber.recv_multipart()[0])
                supervisor.stop(Cause("test"))
            return turn()

        supervisor.roster.turn = look_and_turn  # type: ignore[method-assign]

        def live() -> None:
            supervisor.run()
            supervisor.close()

        thread = threading.Thread(target=live)
        thread.start()
        thread.join()
        subscriber.close(0)
        self.assertIn(b"watcher.a.reap", seen)


if __name__ == "__main__":
    unittest.main()
