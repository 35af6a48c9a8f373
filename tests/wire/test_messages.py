from __future__ import annotations

import json
import unittest

from cvec_circus.exc import MessageError
from cvec_circus.wire import messages


class DecodeTest(unittest.TestCase):
    def refused(self, frame: bytes, errno: int, reason: str = "json invalid") -> None:
        with self.assertRaises(MessageError) as caught:
            messages.decode(frame)
        self.assertEqual(caught.exception.errno, errno, frame[:60])
        self.assertIn(reason, str(caught.exception))

    def test_what_is_no_json_is_errno_1(self) -> None:
        for frame in (b"", b"{bad json", b"\xff\xfe{}", b'{"a": 1', b'{"a"}', b"\x00", b"{} {}"):
            self.refused(frame, messages.INVALID_JSON)

    def test_what_is_no_object_is_errno_3(self) -> None:
        for frame in (b"[]", b"null", b'"list"', b"12", b"true"):
            self.refused(frame, messages.BAD_MESSAGE, "not an object")

    def test_numbers_are_bounded(self) -> None:
        for number in ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 21, "9" * 500_000):
            self.refused(b'{"a": %s}' % number.encode(), messages.INVALID_JSON)
        self.assertEqual(messages.decode(b'{"a": -9223372036854775808}')["a"], -(2**63))
        self.assertEqual(messages.decode(b'{"a": 1.5e3}')["a"], 1500.0)

    def test_depth_is_bounded(self) -> None:
        for depth in (10_000, 500_000, 200):
            self.refused(b'{"a":' + b"[" * depth + b"]" * depth + b"}", messages.INVALID_JSON)
            self.refused(b'{"a":' * depth + b"1" + b"}" * depth, messages.INVALID_JSON)
        wide = json.dumps({"a": [[]] * 1000}).encode()
        self.assertEqual(len(messages.decode(wide)["a"]), 1000)
        fits = b'{"a":' * messages.MAX_DEPTH + b"1" + b"}" * messages.MAX_DEPTH
        self.assertIn("a", messages.decode(fits))

    def test_values_are_bounded_where_that_is_asked_for(self) -> None:
        for many in (b'{"a":[' + b",".join([b"{}"] * 100) + b"]}", b'{"a":[' + b"0," * 99 + b"0]}"):
            self.assertEqual(len(messages.decode(many)["a"]), 100)
            self.assertEqual(len(messages.decode(many, 300)["a"]), 100)
            with self.assertRaises(MessageError) as caught:
                messages.decode(many, 99)
            self.assertEqual(caught.exception.errno, messages.INVALID_JSON)
            self.assertIn("more than 99 values", str(caught.exception))
        text = json.dumps({"a": '[{,"\\' * 100, "b": ",,,\\"}).encode()
        self.assertEqual(messages.decode(text, 4), messages.decode(text))

    def test_no_text_is_searched_twice(self) -> None:
        for text in (b'"', b'"\\"', b"\\", b'"\\\n'):
            with self.assertRaises(MessageError):
                messages.decode(b"," * 30 + text * (500_000 // len(text)), 20)

    def test_a_key_may_stand_once(self) -> None:
        self.refused(b'{"command": "list", "command": "quit"}', messages.INVALID_JSON, "'command'")

    def test_round_trip(self) -> None:
        message = {"id": "x", "command": "add", "properties": {"cmd": "é\ud800\n", "n": 0.1}}
        self.assertEqual(messages.decode(messages.encode(message)), message)

    def test_encode_refuses_what_decode_would(self) -> None:
        with self.assertRaises(ValueError):
            messages.encode({"a": float("nan")})


class MakeTest(unittest.TestCase):
    def test_requests(self) -> None:
        one, two = messages.call("list", {"name": "web"}), messages.call("list")
        self.assertEqual((one["command"], one["properties"]), ("list", {"name": "web"}))
        self.assertEqual(two["properties"], {})
        self.assertNotEqual(one["id"], two["id"])
        self.assertNotIn("msg_type", one)
        self.assertEqual(messages.cast("quit")["msg_type"], "cast")

    def test_replies(self) -> None:
        self.assertEqual(messages.ok({"status": "active"}, 3.5), {"status": "active", "time": 3.5})
        self.assertEqual(
            messages.error("no", messages.OS_ERROR, 1.0),
            {"status": "error", "reason": "no", "tb": None, "time": 1.0, "errno": 4},
        )
