"""Clients: who may call when, what a time-out leaves behind, what is refused."""

from __future__ import annotations

import socket
import threading
from typing import Any
from unittest import mock

import zmq

from cvec_circus import exc
from cvec_circus.client import Client
from cvec_circus.client.connect import end_context
from cvec_circus.client.endpoints import absence
from cvec_circus.wire import messages
from tests.support.client_case import ClientCase
from tests.support.eventually import eventually


class TestCalls(ClientCase):
    def test_call(self) -> None:
        reply = self.client().call("list")
        self.assertEqual(reply["watchers"], ["web"])
        self.assertEqual(reply["status"], "ok")

    def test_properties_travel(self) -> None:
        self.client().call("list", name="wéb", nb=3)
        self.assertEqual(self.daemon.requests[0]["properties"], {"name": "wéb", "nb": 3})

    def test_a_question_that_an_upgrade_has_cut_off_is_asked_again(self) -> None:
        replies = [{"status": "error", "retry": True}, {"status": "error", "retry": True}, {}]
        self.daemon.answers["wait"] = lambda properties: replies.pop(0)
        self.assertEqual(self.client().call("wait")["status"], "ok")
        self.assertEqual(replies, [])
        accepted = {"status": "error", "retry": True, "accepted": True}
        orders = [accepted, {}]
        self.daemon.answers["stop"] = lambda properties: orders.pop(0)
        self.assertTrue(self.client().call("stop")["accepted"])
        self.assertEqual(orders, [{}])

    def test_an_error_is_a_reply(self) -> None:
        reply = self.client().call("nonsense")
        self.assertEqual((reply["status"], reply["errno"]), ("error", messages.UNKNOWN_COMMAND))

    def test_cast(self) -> None:
        client = self.client()
        client.cast("incr", name="web")
        client.call("list")
        self.assertEqual([m["command"] for m in self.daemon.requests], ["incr", "list"])
        self.assertEqual(self.daemon.requests[0]["msg_type"], "cast")

    def test_a_cast_before_the_end_arrives(self) -> None:
        with Client(self.daemon.endpoint) as client:
            client.cast("incr", name="web")
        self.assertTrue(eventually(lambda: self.daemon.commands("incr")))

    def test_eight_threads(self) -> None:
        self.daemon.answers["echo"] = lambda properties: {"said": properties["text"]}
        client = self.client()

        def talk(number: int) -> None:
            for turn in range(100):
                text = f"{number}.{turn}"
                self.assertEqual(client.call("echo", text=text)["said"], text)

        self.in_threads(8, talk)
        self.assertLessEqual(len(client._idle), 8)

    def test_a_slow_call_holds_up_nobody(self) -> None:
        self.daemon.muted.add("slow")
        client = self.client(timeout=30.0)
        slow = threading.Thread(target=self._expect_closed, args=(client, "slow"))
        slow.start()
        self.assertTrue(eventually(lambda: self.daemon.commands("slow")))
        self.assertEqual(client.call("list")["watchers"], ["web"])
        client.close()
        slow.join(10)
        self.assertFalse(slow.is_alive())
        self.assertEqual(self.closed_with, "The client is closed.")

    def _expect_closed(self, client: Client, command: str) -> None:
        self.closed_with = ""
        try:
            client.call(command)
        except exc.CallError as error:
            self.closed_with = str(error)

    def test_a_call_in_a_signal_handler_that_interrupts_a_call(self) -> None:
        client = self.client()
        with client._lock:  # where the handler may find its own thread
            self.assertEqual(client.call("list")["status"], "ok")


class TestTimeouts(ClientCase):
    def test_what_the_system_knows(self) -> None:
        look_up = socket.getaddrinfo

        def without_a_resolver(host: str, *rest: Any, **more: Any) -> Any:
            if host == "nowhere.invalid":
                raise socket.gaierror(socket.EAI_NONAME, "no such name")
            return look_up(host, *rest, **more)

        lookups = mock.patch("socket.getaddrinfo", without_a_resolver)
        with lookups, socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            for endpoint, why in (
                ("ipc:///no/such", "there is no such socket"),
                ("ipc:///dev/null/x", "Not a directory"),
                ("ipc:///etc/hosts", "nothing listens there"),
                (f"tcp://127.0.0.1:{bound.getsockname()[1]}", "nothing listens there"),
                (f"tcp://localhost:{bound.getsockname()[1]}", "nothing listens there"),
                ("tcp://nowhere.invalid:1", "nowhere.invalid: no such name"),
            ):
                self.assertEqual(absence(endpoint, 600.0), why)

    def test_a_resolver_that_takes_long_or_fails_for_now(self) -> None:
        asked, goes_on = threading.Event(), threading.Event()
        self.addCleanup(goes_on.set)

        def look_up(host: str, *rest: object, flags: int = 0, **more: object) -> object:
            if flags:
                raise socket.gaierror(socket.EAI_NONAME, "it is no number")
            asked.set()
            goes_on.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "later")

        with mock.patch("socket.getaddrinfo", look_up):
            self.assertEqual(absence("tcp://host:1", 0.05), "")
            self.assertTrue(asked.is_set())
            goes_on.set()
            self.assertEqual(absence("tcp://host:1", 600.0), "")

    def test_a_silent_daemon_is_waited_for(self) -> None:
        self.daemon.muted.add("list")
        with self.assertRaisesRegex(exc.CallError, "^Timed out.$"):
            self.client(timeout=0.3).call("list")

    def test_nobody_there(self) -> None:
        client = Client("ipc:///nonexistent/nobody", timeout=0.05)
        self.addCleanup(client.close)
        with self.assertRaises(exc.CallError) as caught:
            client.call("list")
        self.assertEqual(str(caught.exception), "Timed out.")

    def test_a_late_answer_meets_no_other_question(self) -> None:
        client = self.client(timeout=0.05)
        late = threading.Event()

        def slow(properties: dict) -> dict:
            late.wait(10)
            return {"said": "too late"}

        self.daemon.answers["slow"] = slow
        with self.assertRaises(exc.CallError):
            client.call("slow")
        self.assertEqual(client._idle, [])
        late.set()
        client.timeout = 10.0
        for _ in range(20):
            self.assertEqual(client.call("list")["watchers"], ["web"])

    def test_replies_are_matched_by_id(self) -> None:
        client = self.client()
        client.call("list")
        peers: list[bytes] = []
        send = self.daemon._send

        def twice(peer: bytes, call_id: object, reply: dict) -> None:
            peers.append(peer)
            send(peer, "another client's", {"status": "ok", "watchers": ["wrong"]})
            send(peer, None, {"status": "ok", "watchers": ["wrong"]})
            send(peer, call_id, reply)

        with mock.patch.object(self.daemon, "_send", twice):
            for _ in range(3):
                self.assertEqual(client.call("list")["watchers"], ["web"])
        self.assertEqual(len(peers), 3)

    def test_a_reply_that_is_none(self) -> None:
        client = self.client()
        with mock.patch.object(
            self.daemon,
            "_send",
            lambda peer, call_id, reply: self.daemon._router.send_multipart([peer, b"{"]),
        ):
            with self.assertRaises(exc.CallError) as caught:
                client.call("list")
        self.assertIn("cannot be read", str(caught.exception))
        self.assertEqual(client._idle, [])

    def test_waiting_lasts_longer_than_the_timeout(self) -> None:
        client = self.client(timeout=0.05)
        released = threading.Event()
        peers: list[tuple[bytes, object]] = []

        def held(properties: dict) -> None:
            released.set()

        self.daemon.answers["stop"] = held
        real = self.daemon._router.recv_multipart

        def noting(*args: Any) -> list[bytes]:
            frames = real(*args)
            message = messages.decode(frames[-1])
            if message["command"] == "stop":
                peers.append((frames[0], message["id"]))
            return frames

        replies: list[dict] = []
        with mock.patch.object(self.daemon._router, "recv_multipart", noting):
            thread = threading.Thread(
                target=lambda: replies.append(client.call("stop", waiting=True))
            )
            thread.start()
            self.assertTrue(released.wait(10))
            # Four questions whether it is alive: several times the time-out has gone by.
            self.assertTrue(eventually(lambda: len(self.daemon.commands("ping")) >= 4))
            self.daemon.do(self.daemon._send, *peers[0], {"status": "ok", "info": None})
            thread.join(10)
        self.assertEqual([reply["info"] for reply in replies], [None])

    def test_waiting_ends_when_nobody_is_alive(self) -> None:
        self.daemon.muted.update(["stop", "ping"])
        client = self.client(timeout=0.05)
        with self.assertRaises(exc.CallError) as caught:
            client.call("stop", waiting=True)
        self.assertEqual(str(caught.exception), "Timed out.")

    def test_waiting_ends_when_another_daemon_is_there(self) -> None:
        self.daemon.muted.add("stop")
        client = self.client(timeout=0.05)

        def another_life(properties: dict) -> dict:
            return {"run": f"run {len(self.daemon.commands('ping'))}"}

        self.daemon.answers["ping"] = another_life
        with self.assertRaises(exc.CallError) as caught:
            client.call("stop", waiting=True)
        self.assertIn("restarted", str(caught.exception))

    def test_waiting_ends_when_the_request_was_lost_with_its_daemon(self) -> None:
        def lose(properties: dict) -> None:
            self.daemon.run = "the next one"  # and it answers every ping from now on

        self.daemon.answers["stop"] = lose
        with self.assertRaises(exc.CallError) as caught:
            self.client(timeout=0.05).call("stop", waiting=True)
        self.assertIn("restarted", str(caught.exception))


class TestRefusals(ClientCase):
    def test_a_message_above_the_limit(self) -> None:
        client = self.client()
        with self.assertRaises(exc.CallError) as caught:
            client.call("set", options={"cmd": "x" * messages.MAX_FRAME})
        self.assertIn("1048576", str(caught.exception))
        with self.assertRaises(exc.CallError):
            client.cast("set", options={"cmd": "x" * messages.MAX_FRAME})
        self.assertEqual(self.daemon.requests, [])

    def test_what_has_no_json_form(self) -> None:
        client = self.client()
        for value in (b"bytes", float("nan"), object()):
            with self.assertRaises(exc.CallError):
                client.call("set", value=value)

    def test_what_the_daemon_cannot_read(self) -> None:
        client = self.client()
        deep: list[object] = []
        for _ in range(messages.MAX_DEPTH):
            deep = [deep]
        for value, why in ((10**30, "a number is out of range"), (deep, "nested too deep")):
            with self.assertRaises(exc.CallError) as caught:
                client.call("incr", nb=value)
            self.assertEqual(str(caught.exception), f"This cannot be sent: json invalid: {why}.")
        self.assertEqual(self.daemon.requests, [])

    def test_no_endpoint(self) -> None:
        for endpoint in ("nonsense", "tcp://", "", "gopher://x:1", "ipc://" + "x" * 200):
            with Client(endpoint) as client, self.assertRaises(exc.CallError) as caught:
                client.call("list")
            self.assertIn("cannot connect to", str(caught.exception))
            self.assertNotIn("\n", str(caught.exception))

    def test_a_queue_that_is_full(self) -> None:
        with zmq.Context() as context:
            with Client("ipc:///nonexistent/nobody", context) as client:
                dealer = context.socket(zmq.DEALER)
                dealer.sndhwm = 2
                dealer.linger = 0
                dealer.connect(client.endpoint)
                client._idle.append(dealer)
                with self.assertRaises(exc.CallError) as caught:
                    for _ in range(5):
                        client.cast("incr", name="web")
        self.assertIn("no more messages", str(caught.exception))


class TestClosing(ClientCase):
    def test_closed_is_closed(self) -> None:
        client = self.client()
        client.call("list")
        self.assertTrue(client.close())
        self.assertTrue(client.close())
        for act in (client.call, client.cast):
            with self.assertRaises(exc.CallError) as caught:
                act("list")
            self.assertEqual(str(caught.exception), "The client is closed.")
        with self.assertRaises(exc.CallError):
            _ = client.context

    def test_never_used(self) -> None:
        self.assertTrue(Client("tcp://127.0.0.1:1").close())

    def test_a_call_in_progress_does_not_outlive_the_close(self) -> None:
        """The context is not the client's: the call ends by its time-out, the socket with it."""
        self.daemon.muted.add("slow")
        context: zmq.Context = zmq.Context()
        client = Client(self.daemon.endpoint, context, timeout=0.3)
        errors: list[str] = []

        def call() -> None:
            try:
                client.call("slow")
            except exc.CallError as error:
                errors.append(str(error))

        thread = threading.Thread(target=call)
        thread.start()
        self.assertTrue(eventually(lambda: self.daemon.commands("slow")))
        client.close()
        thread.join(10)
        self.assertEqual(errors, ["Timed out."])
        self.assertTrue(end_context(context))

    def test_closed_under_eight_threads(self) -> None:
        client = self.client(timeout=10.0)
        calling = threading.Barrier(9)
        ends: list[str] = []

        def call(number: int) -> None:
            calling.wait(10)
            try:
                while True:
                    client.call("list")
            except exc.CallError as error:
                ends.append(str(error))

        threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        calling.wait(10)
        self.assertTrue(eventually(lambda: len(self.daemon.requests) > 100))
        self.assertTrue(client.close())
        for thread in threads:
            thread.join(10)
        self.assertEqual(ends, ["The client is closed."] * 8)

    def test_a_context_with_a_socket_left_open(self) -> None:
        context: zmq.Context = zmq.Context()
        socket = context.socket(zmq.DEALER)
        self.assertFalse(end_context(context, timeout=0.05))
        socket.close(0)
        self.assertTrue(eventually(lambda: context.closed))
