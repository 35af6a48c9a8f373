"""A control socket on a loop of its own, with nothing behind it but a fake."""

from __future__ import annotations

import json
import tempfile
import threading
from typing import Any

import zmq

from cvec_circus.base.loop import Loop
from cvec_circus.control.dispatch import Dispatcher
from cvec_circus.control.server import ControlServer, Request
from tests.control.fake_target import FakeTarget
from tests.support.eventually import eventually
from tests.support.leaks import LeakCheckedTestCase
from tests.support.logs import silent

#: Milliseconds after which a test gives up on an answer.
PATIENCE = 20_000


class ControlCase(LeakCheckedTestCase):
    """Runs a ControlServer on a thread; `ask` is a client of it.

    Attributes:
        target: What the requests reach; to be looked at through `loop.ask`.
        frames: The first frame of every request, in order; the same holds for it.
    """

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.context = zmq.Context()
        self.addCleanup(self.context.term)
        self.target = FakeTarget()
        self.loop = Loop(name="control")
        self.frames: list[bytes] = []
        self.dispatch = Dispatcher(self.target)
        endpoint = f"ipc://{folder.name}/control"
        self.server = ControlServer(self.loop, endpoint, self.record)
        self.server.open()
        self.address = self.server.address
        thread = threading.Thread(target=self.loop.run, name="control")
        thread.start()
        self.addCleanup(self.loop.close)
        self.addCleanup(thread.join)
        self.addCleanup(self.loop.stop)
        self.addCleanup(lambda: self.loop.ask(self.server.close))
        self.client = self.connect(zmq.DEALER)

    def record(self, request: Request) -> None:
        """Remember a request and dispatch it; on the loop."""
        self.frames.append(request.frames[0])
        self.dispatch(request)

    def connect(self, kind: int) -> zmq.Socket[bytes]:
        """Make a client's socket."""
        client = self.context.socket(kind)
        client.linger = 0
        client.connect(self.address)
        self.addCleanup(client.close)
        return client

    def receive(self, client: zmq.Socket[bytes] | None = None) -> dict[str, Any]:
        """Wait for an answer."""
        client = client or self.client
        self.assertTrue(client.poll(PATIENCE), "no answer came")
        return json.loads(client.recv_multipart()[-1])

    def send(self, *frames: bytes) -> None:
        self.client.send_multipart(list(frames))

    def ask(self, command: str, **properties: Any) -> dict[str, Any]:
        """Send a well-formed request and return its answer."""
        return self.ask_message({"id": "x", "command": command, "properties": properties})

    def ask_message(self, message: Any) -> dict[str, Any]:
        """Send a message as it is and return its answer."""
        self.send(json.dumps(message).encode())
        return self.receive()

    def wait_for_order(self) -> None:
        """Wait until an order has reached the target."""
        self.assertTrue(eventually(lambda: self.loop.ask(lambda: self.target.orders)))

    def assert_silent(self, client: zmq.Socket[bytes] | None = None) -> None:
        """Show that nothing more is on its way: a later request is answered first."""
        client = client or self.client
        client.send(b'{"id": "last", "command": "ping"}')
        self.assertEqual(self.receive(client)["id"], "last")

    def assert_refused(self, reply: dict[str, Any], errno: int, reason: str) -> None:
        """Check the form of an error reply."""
        self.assertEqual(list(reply), ["status", "reason", "tb", "time", "errno", "id"])
        self.assertEqual((reply["status"], reply["errno"], reply["tb"]), ("error", errno, None))
        self.assertIn(reason, reply["reason"])
        self.assertNotIn("Traceback", reply["reason"])


class AnsweringCase(ControlCase):
    """Compares replies, and what has reached the target."""

    def answers(self, expected: dict[str, Any], command: str, **properties: Any) -> dict[str, Any]:
        """Check a reply: `time` after the status, `id` at the end, `expected` between."""
        reply = self.ask(command, **properties)
        self.assertIsInstance(reply.pop("time"), float)
        self.assertEqual(reply.pop("id"), "x")
        self.assertEqual(reply, {"status": "ok", **expected})
        return reply

    def orders(self, *expected: tuple[Any, ...]) -> None:
        """Check what has reached the target since the last time."""
        orders = self.loop.ask(lambda: self.target.orders)
        self.assertEqual(orders, list(expected))
        self.loop.ask(orders.clear)

    def refuses(self, errno: int, reason: str, command: str, **properties: Any) -> None:
        with self.subTest(command=command, properties=str(properties)[:80]), silent(self):
            self.assert_refused(self.ask(command, **properties), errno, reason)
            self.assertEqual(self.loop.ask(lambda: self.target.orders), [])
