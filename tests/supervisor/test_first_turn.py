"""What a daemon answers to somebody who has asked before it ran."""

from __future__ import annotations

import errno
import json
import threading
import unittest
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import zmq

from cvec_circus.commands import table
from cvec_circus.config.readers.mapping import from_mappings
from cvec_circus.stream.pumps import Pumps
from cvec_circus.supervisor import supervisor
from cvec_circus.supervisor.supervisor import Supervisor
from cvec_circus.wire.cause import Cause
from tests.support.daemon import folder
from tests.support.leaks import LeakCheckedTestCase

TIMEOUT_MS = 20_000


class TestFirstTurn(LeakCheckedTestCase):
    def test_its_watchers_have_begun_to_start(self) -> None:
        reply = self.ask("status")
        self.assertIn(reply["statuses"]["a"], ("starting", "active"))

    def test_a_daemon_that_goes_on_answers_before_all_commands_are_loaded(self) -> None:
        answered, begin = threading.Event(), Supervisor._open

        class Names(tuple[str, ...]):
            """Commands without end, until the answer is there."""

            def __iter__(self) -> Iterator[str]:
                while not answered.is_set():
                    yield "ping"

        goes_on = mock.patch.object(Supervisor, "_open", lambda it, _: begin(it, is_new=False))
        with goes_on, mock.patch.object(table, "NAMES", Names(table.NAMES)):
            self.assertEqual(self.ask("ping", answered.set)["status"], "ok")

    def test_a_daemon_that_goes_on_reads_output_though_a_command_cannot_be_loaded(self) -> None:
        begin, find, reads = Supervisor._open, table.find, threading.Event()

        def refused(name: str) -> Any:
            if name == "why":
                raise MemoryError
            return find(name)

        goes_on = mock.patch.object(Supervisor, "_open", lambda it, _: begin(it, is_new=False))
        resumed = mock.patch.object(Pumps, "resume", lambda _: reads.set())
        with goes_on, resumed, mock.patch.object(table, "find", refused):
            with self.assertLogs("cvec_circus", "ERROR"):
                self.ask("ping", lambda: self.assertTrue(reads.wait(TIMEOUT_MS / 1000)))

    def test_a_start_without_files_is_made_up_for(self) -> None:
        load_all = mock.Mock(
            side_effect=[OSError(errno.EMFILE, "Too many open files")] * 2 + [None]
        )
        soon = mock.patch.object(supervisor, "RETRY_DELAY", 0.01)
        with soon, mock.patch.object(table, "load_all", load_all):
            with self.assertLogs("cvec_circus", "ERROR") as logs:
                self.assertEqual(self.ask("ping")["status"], "ok")
        [line] = [one for one in logs.output if "more times" not in one and "once more" not in one]
        self.assertIn("Supervisor._open could not continue: [Errno 24] Too many", line)

    def ask(self, command: str, then: Callable[[], object] = lambda: None) -> dict[str, Any]:
        """Ask before it runs, call `then` when the answer is there, and return it."""
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
        self.addCleanup(asker.close, 0)
        self.addCleanup(then)
        asker.connect(supervisor.control.address)
        asker.send(json.dumps({"id": "1", "command": command, "properties": {}}).encode())
        thread.start()
        self.assertTrue(asker.poll(TIMEOUT_MS))
        reply: dict[str, Any] = json.loads(asker.recv())
        then()
        supervisor.loop.post(supervisor.stop, Cause("stop"))
        thread.join(TIMEOUT_MS / 1000)
        return reply


if __name__ == "__main__":
    unittest.main()
