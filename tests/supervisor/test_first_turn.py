"""What a daemon answers to somebody who has asked before it ran."""

from __future__ import annotations

import json
import threading
import unittest
from typing import Any
from unittest import mock

import zmq

from cvec_circus.commands import table
from cvec_circus.config.readers.mapping import from_mappings
from cvec_circus.supervisor.supervisor import Supervisor
from cvec_circus.wire.cause import Cause
from tests.support.daemon import folder
from tests.support.leaks import LeakCheckedTestCase

TIMEOUT_MS = 20_000


class TestFirstTurn(LeakCheckedTestCase):
    def test_its_watchers_have_begun_to_start(self) -> None:
        reply = self.ask("status")
        self.assertIn(reply["statuses"]["a"], ("starting", "active"))

    def test_an_answer_waits_for_no_command_to_be_loaded_but_its_own(self) -> None:
        answered, find = threading.Event(), table.find
        in_time: list[bool] = []

        def loaded(name: str) -> Any:
            if name == table.NAMES[-1]:
                in_time.append(answered.wait(TIMEOUT_MS / 1000))
            return find(name)

        with mock.patch.object(table, "find", loaded):
            self.assertEqual(self.ask("ping", answered)["status"], "ok")
        self.assertEqual(in_time, [True])

    def ask(self, command: str, answered: threading.Event | None = None) -> dict[str, Any]:
        """Ask before it runs, and return the answer."""
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
        asker.send(json.dumps({"id": "1", "command": command, "properties": {}}).encode())
        thread.start()
        self.assertTrue(asker.poll(TIMEOUT_MS))
        reply: dict[str, Any] = json.loads(asker.recv())
        if answered is not None:
            answered.set()
        asker.close(0)
        supervisor.loop.post(supervisor.stop, Cause("stop"))
        thread.join(TIMEOUT_MS / 1000)
        return reply


if __name__ == "__main__":
    unittest.main()
