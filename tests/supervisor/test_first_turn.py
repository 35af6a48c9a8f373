"""What a daemon answers to somebody who has asked before it ran."""

from __future__ import annotations

import json
import threading
import unittest

import zmq

from cvec_circus.config.readers.mapping import from_mappings
from cvec_circus.supervisor.supervisor import Supervisor
from cvec_circus.wire.cause import Cause
from tests.support.daemon import folder
from tests.support.leaks import LeakCheckedTestCase

TIMEOUT_MS = 20_000


class TestFirstTurn(LeakCheckedTestCase):
    def test_its_watchers_have_begun_to_start(self) -> None:
        where = folder(self)
        circus = {"endpoint": f"ipc://{where}/control", "pubsub_endpoint": f"ipc://{where}/events"}
        configuration = from_mappings([{"name": "a", "cmd": "sleep 1000"}], circus=circus)
        context = zmq.Context()
        self.addCleanup(context.destroy)
        supervisor = Supervisor(configuration)

        def live() -> None:
            supervisor.run()
            supervisor.close()

        thread = threading.Thread(target=live)
        self.addCleanup(thread.join)
        self.addCleanup(supervisor.loop.post, supervisor.stop, Cause("stop"))
        asker = context.socket(zmq.DEALER)
        asker.connect(supervisor.control.address)
        asker.send(json.dumps({"id": "1", "command": "status", "properties": {}}).encode())
        thread.start()
        self.assertTrue(asker.poll(TIMEOUT_MS))
        reply = json.loads(asker.recv())
        asker.close(0)
        self.assertIn(reply["statuses"]["a"], ("starting", "active"))


if __name__ == "__main__":
    unittest.main()
