"""The client for programs, with the arguments that they know."""

from __future__ import annotations

from typing import Any

import zmq

from cvec_circus import exc
from cvec_circus.base.clock import SYSTEM
from cvec_circus.client import CircusClient
from tests.support.client_case import ClientCase


class TestCircusClient(ClientCase):
    def circus_client(self, **options: Any) -> CircusClient:
        client = CircusClient(endpoint=self.daemon.endpoint, **options)
        self.addCleanup(client.stop)
        return client

    def test_call_takes_a_mapping(self) -> None:
        client = self.circus_client()
        message = {"command": "list", "properties": {}}
        reply = client.call(message)
        self.assertEqual(reply["watchers"], ["web"])
        self.assertEqual(message, {"command": "list", "properties": {}})
        with self.assertRaises(TypeError):
            client.call("list")  # type: ignore[arg-type]

    def test_send_message(self) -> None:
        self.assertEqual(self.circus_client().send_message("list")["status"], "ok")
        self.circus_client().send_message("list", name="web", timeout=3)
        self.assertEqual(self.daemon.requests[-1]["properties"], {"name": "web", "timeout": 3})

    def test_several_names(self) -> None:
        client = self.circus_client()
        for names in (["web", "db*"], ("web", "db*")):
            client.send_message("stop", name=names)
            client.call({"command": "stop", "properties": {"name": names}})
            sent = [one["properties"]["name"] for one in self.daemon.requests[-2:]]
            self.assertEqual(sent, [["web", "db*"]] * 2)
        with self.assertRaisesRegex(exc.CallError, "This cannot be sent"):
            client.send_message("stop", name={"web"})

    def test_cast(self) -> None:
        client = self.circus_client()
        client.cast("incr", name="web")
        self.assertEqual(client.call({"command": "decr", "msg_type": "cast"}), {})
        client.send_message("list")
        self.assertEqual([m["command"] for m in self.daemon.requests], ["incr", "decr", "list"])
        with self.assertRaisesRegex(TypeError, "cast takes the name of a command, not dict"):
            client.cast({"command": "list"})  # type: ignore[arg-type]

    def test_the_timeout_holds_for_waiting_too(self) -> None:
        self.daemon.muted.add("stop")
        client = self.circus_client(timeout=0.05)
        begun = SYSTEM.monotonic()
        with self.assertRaises(exc.CallError) as caught:
            client.send_message("stop", waiting=True)
        self.assertEqual(str(caught.exception), "Timed out.")
        self.assertLess(SYSTEM.monotonic() - begun, 5.0)

    def test_no_timeout(self) -> None:
        self.assertEqual(self.circus_client(timeout=None).send_message("list")["status"], "ok")

    def test_the_positions_of_the_arguments(self) -> None:
        with zmq.Context() as context:
            client = CircusClient(context, self.daemon.endpoint, 2.0, None, None)
            self.assertIs(client.context, context)
            self.assertEqual(client.call({"command": "list"})["status"], "ok")
            client.stop()

    def test_stop_twice(self) -> None:
        client = self.circus_client()
        client.send_message("list")
        client.stop()
        client.stop()
        with self.assertRaises(exc.CallError):
            client.send_message("list")

    def test_shared_by_threads(self) -> None:
        client = self.circus_client()

        def talk(number: int) -> None:
            for _ in range(25):
                self.assertEqual(client.send_message("list")["watchers"], ["web"])

        self.in_threads(4, talk)
