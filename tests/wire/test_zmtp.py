"""ZMTP is taken apart within its limits, however the bytes come."""

from __future__ import annotations

import json
import random
import unittest

from cvec_circus.wire import zmtp
from cvec_circus.wire.messages import MAX_FRAME

DEALERS = frozenset({b"DEALER"})
OPENING = zmtp.opening(b"DEALER")


def take(decoder: zmtp.Decoder, data: bytes, size: int = 1 << 16) -> list[object]:
    """Feed bytes in pieces of a size; return all that comes out."""
    found: list[object] = []
    for start in range(0, len(data), size):
        decoder.feed(data[start : start + size])
        while (one := decoder.decode()) is not None:
            if one is not zmtp.PART:
                found.append(one)
    return found


def greeted() -> zmtp.Decoder:
    """Make a decoder of a peer that has greeted."""
    decoder = zmtp.Decoder(DEALERS)
    take(decoder, OPENING)
    return decoder


class TestMessages(unittest.TestCase):
    def test_in_pieces_of_every_size(self) -> None:
        sent = [(b"",), (b"", b"body"), (b"x" * 255,), (b"x" * 256,), (b"y" * 70_000,)]
        data = OPENING + b"".join(zmtp.message(*frames) for frames in sent)
        for size in (1, 2, 9, 63, 64, 65, 4096, len(data)):
            with self.subTest(size):
                decoder = zmtp.Decoder(DEALERS)
                ready, *found = take(decoder, data, size)
                self.assertEqual(ready[0], zmtp.READY)  # type: ignore[index]
                self.assertEqual([message.frames for message in found], sent)  # type: ignore
                self.assertEqual(decoder.held, 0)

    def test_another_decoder_goes_on_anywhere(self) -> None:
        sent = [(b"", b"body"), (b"x" * 300,), (b"\xff\0" * 20, b"b", b"c")]
        large = zmtp.message(b"x" * (MAX_FRAME + 1))
        data = OPENING + b"".join(zmtp.message(*frames) for frames in sent)
        for whole in (data, OPENING + large[:500] + large[-500:]):
            for at in range(0, len(whole), 7):
                one, other = zmtp.Decoder(DEALERS), zmtp.Decoder(DEALERS)
                first = take(one, whole[:at])
                other.restore(json.loads(json.dumps(one.to_state())))
                self.assertEqual(other.held, one.held)
                rest = take(other, whole[at:])
                self.assertEqual([*first, *rest], take(zmtp.Decoder(DEALERS), whole))

    def test_what_is_too_large_is_counted_and_not_kept(self) -> None:
        decoder = greeted()
        large = zmtp.message(b"x" * (MAX_FRAME + 1))
        for start in range(0, len(large) - 1, 4096):
            self.assertEqual(take(decoder, large[start : min(start + 4096, len(large) - 1)]), [])
            self.assertLess(decoder.held, 8192)
        (message,) = take(decoder, large[-1:])
        self.assertEqual(message, zmtp.Message((b"\0",), 1, MAX_FRAME + 1))
        (message,) = take(decoder, zmtp.message(b"", b"a", *[b"z" * 1000] * 98))
        self.assertEqual(message, zmtp.Message((b"", b"a"), 100, 1000))
        (message,) = take(decoder, zmtp.message(b"whole"))
        self.assertEqual(message, zmtp.Message((b"whole",), 1, 5))

    def test_many_frames_are_dropped_in_parts(self) -> None:
        decoder = greeted()
        decoder.feed(zmtp.message(*[b""] * 1000))
        parts = 0
        while decoder.decode() is zmtp.PART:
            parts += 1
        self.assertGreaterEqual(parts, 1000 // zmtp.DROPPED_AT_ONCE - 1)

    def test_a_command_without_a_name_is_no_part(self) -> None:
        decoder = greeted()
        decoder.feed(zmtp.control(b""))
        found = decoder.decode()
        self.assertEqual(found, zmtp.PART)
        self.assertIsNot(found, zmtp.PART)

    def test_an_endless_message_is_a_violation(self) -> None:
        for frame, count in ((b"x" * 1024, 20_000), (b"", 20_000), (b"x" * MAX_FRAME, 20)):
            decoder = greeted()
            more = bytearray(zmtp.message(frame))
            more[0] |= 1
            with self.assertRaisesRegex(zmtp.Violation, "more than"):
                for _ in range(count):
                    take(decoder, bytes(more))
                    self.assertLess(decoder.held, 2 * MAX_FRAME)
        with self.assertRaises(zmtp.Violation):
            take(greeted(), b"\2" + (1 << 60).to_bytes(8, "big"))


class TestPeers(unittest.TestCase):
    def refuses(self, data: bytes) -> None:
        with self.subTest(data[:20]), self.assertRaises(zmtp.Violation):
            take(zmtp.Decoder(DEALERS), data)

    def test_what_is_no_peer(self) -> None:
        self.refuses(b"GET / HTTP/1.1\r\n")
        self.refuses(b"\xff" + b"\0" * 9)
        self.refuses(OPENING[:10] + b"\x01")
        self.refuses(OPENING[:12] + b"CURVE".ljust(20, b"\0") + OPENING[32:])
        self.refuses(zmtp.opening(b"SUB"))
        self.refuses(OPENING[:64] + zmtp.message(b"{}"))
        self.refuses(OPENING + zmtp.control(zmtp.READY))
        self.refuses(OPENING + b"\x06" + (1 << 20).to_bytes(8, "big"))

    def test_anything_at_all(self) -> None:
        chance = random.Random(3)
        for _ in range(2000):
            data = bytearray(OPENING + zmtp.message(b"a", b"b") + zmtp.control(zmtp.PING, b"\0\0x"))
            for _ in range(chance.randrange(4)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            try:
                take(zmtp.Decoder(DEALERS), bytes(data), chance.randrange(1, 99))
            except zmtp.Violation:
                pass


if __name__ == "__main__":
    unittest.main()
