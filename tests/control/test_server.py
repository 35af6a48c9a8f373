"""Whatever comes in is answered exactly once, and the daemon lives on."""

from __future__ import annotations

import json

import zmq

from cvec_circus.wire import messages
from cvec_circus.wire.outcome import Outcome
from tests.control.control_case import ControlCase
from tests.support.logs import silent

LIST = b'{"id": "x", "command": "list"}'


class TestBadMessages(ControlCase):
    def refuses(self, errno: int, reason: str, *frames: bytes) -> None:
        with self.subTest(frames=[frame[:60] for frame in frames]), silent(self):
            self.send(*frames)
            self.assert_refused(self.receive(), errno, reason)
            self.assert_silent()

    def test_what_is_no_json(self) -> None:
        for frame in (b"", b"{bad json", b"\xff\xfe\x00", b'{"a": NaN}', b'{"a": 1e999}', b"\x00"):
            self.refuses(messages.INVALID_JSON, "json invalid", frame)
        self.refuses(messages.INVALID_JSON, "json invalid", b"[" * 10_000)
        self.refuses(
            messages.INVALID_JSON, "json invalid", b'{"id":' * 10_000 + b"1" + b"}" * 10_000
        )
        self.refuses(messages.INVALID_JSON, "json invalid", b'{"command": %s}' % (b"9" * 5000))
        twice = b'{"command": "list", "command": "quit"}'
        self.refuses(messages.INVALID_JSON, "'command' occurs twice", twice)

    def test_what_is_no_message(self) -> None:
        for frame in (b"[]", b"null", b'"list"', b"1", b"1.5", b"true", b'["list"]'):
            self.refuses(messages.BAD_MESSAGE, "not an object", frame)
        for frame in (b"{}", b'{"command": null}', b'{"properties": {}}'):
            self.refuses(messages.BAD_MESSAGE, "'command' is missing", frame)
        for value in (b"5", b"[]", b"{}", b"true", b"1.5"):
            self.refuses(messages.BAD_MESSAGE, "command", b'{"command": %s}' % value)
        for value in (b"5", b"[]", b"null", b'"x"', b"true"):
            frame = b'{"command": "list", "properties": %s}' % value
            self.refuses(messages.BAD_MESSAGE, "properties", frame)

    def test_unknown_commands(self) -> None:
        for name in ("bogus", "", "__class__", "list ", "../list", "\u0000", "é", "x" * 10_000):
            frame = json.dumps({"command": name}).encode()
            self.refuses(messages.UNKNOWN_COMMAND, "unknown command: ", frame)
        self.refuses(messages.UNKNOWN_COMMAND, "did you mean status?", b'{"command": "statsu"}')

    def test_numbers_of_frames(self) -> None:
        for count in (2, 3, 100):
            self.refuses(messages.BAD_MESSAGE, f"{count} frames, expected one", *[LIST] * count)
        self.refuses(messages.BAD_MESSAGE, "2 frames, expected one", LIST, b"")

    def test_a_frame_above_a_mebibyte(self) -> None:
        padding = b" " * messages.MAX_FRAME
        self.refuses(messages.BAD_MESSAGE, "more than 1 MiB", LIST + padding)
        self.send(LIST + padding[len(LIST) :])
        self.assertEqual(self.receive()["status"], "ok")

    def test_a_frame_above_16_mebibytes_ends_the_connection(self) -> None:
        other = self.connect(zmq.DEALER)
        monitor = other.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        try:
            other.send(b" " * (messages.DROP_FRAME + 1))
            self.assertTrue(monitor.poll(20_000), "the connection was not ended")
        finally:
            other.disable_monitor()
            monitor.close()
        self.assert_silent()


class TestClients(ControlCase):
    def test_a_req_socket(self) -> None:
        req = self.connect(zmq.REQ)
        for frames in ([LIST], [b""], [b"", b""], [LIST, LIST]):
            req.send_multipart(frames)
            self.assertIn(self.receive(req)["status"], ("ok", "error"))

    def test_a_dealer_that_speaks_like_req(self) -> None:
        self.send(b"", LIST)
        self.assertTrue(self.client.poll(20_000))
        empty, reply = self.client.recv_multipart()
        self.assertEqual((empty, json.loads(reply)["status"]), (b"", "ok"))

    def test_a_dealer_with_nothing_but_empty_frames(self) -> None:
        for count in range(1, 6):
            self.send(*[b""] * count)
            self.assertEqual(self.receive()["status"], "error")
        self.assert_silent()

    def test_casts_are_never_answered(self) -> None:
        for command in ("list", "bogus", "incr", "stop", ""):
            message = {"id": "c", "command": command, "msg_type": "cast", "properties": {}}
            self.send(json.dumps(message).encode())
        self.assert_silent()
        self.assertEqual(self.loop.ask(lambda: self.target.orders), [("stop", None, False)])

    def test_another_msg_type_is_answered(self) -> None:
        for kind in ("call", None, 5, [], {}):
            message = {"id": "c", "command": "list", "msg_type": kind}
            self.assertEqual(self.ask_message(message)["status"], "ok")

    def test_ids_come_back_as_they_are(self) -> None:
        for given in ("x", 1, None, 1.5, [1, {"a": "é"}], {"b": None}, "\ud800"):
            self.assertEqual(self.ask_message({"id": given, "command": "ping"})["id"], given)
        self.send(b'{"command": "list"}')
        self.assertIsNone(self.receive()["id"])

    def test_a_client_that_goes_away_before_its_answer(self) -> None:
        self.loop.ask(setattr, self.target, "outcome", None)
        other = self.connect(zmq.DEALER)
        other.send(b'{"command": "stop", "properties": {"waiting": true}}')
        self.wait_for_order()
        other.close()
        self.loop.ask(self.target.settle, Outcome())
        self.assert_silent()

    def test_a_storm_is_answered_in_order(self) -> None:
        for number in range(500):
            self.send(json.dumps({"id": number, "command": "numwatchers"}).encode())
        self.assertEqual([self.receive()["id"] for _ in range(500)], list(range(500)))
