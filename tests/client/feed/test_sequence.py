"""Putting events in order: holes, doubles, replays, another daemon."""

from __future__ import annotations

import json
import random
import unittest
from unittest import mock

from cvec_circus.client.feed import sequence
from cvec_circus.client.feed.sequence import EventSequence


def event(seq: int, run: str = "a") -> tuple[bytes, bytes]:
    return b"watcher.web.spawn", json.dumps({"seq": seq, "run": run}).encode()


class Ring:
    """The daemon's side of a replay."""

    def __init__(self, run: str = "a", first: int = 1, last: int = 0) -> None:
        self.run, self.first, self.last = run, first, last

    def since(self, since: int, limit: int = 500) -> dict:
        wanted = range(max(self.first, since + 1), self.last + 1)
        return {
            "events": [[part.decode() for part in event(seq, self.run)] for seq in wanted[:limit]],
            "more": len(wanted) > limit,
            "seq": self.last,
            "run": self.run,
        }


def taken(events: EventSequence) -> list[int]:
    """Take what is ready, as the numbers its payloads say."""
    numbers = [json.loads(event.payload)["seq"] for event in events.ready]
    events.ready.clear()
    return numbers


class TestLive(unittest.TestCase):
    def test_in_order(self) -> None:
        events = EventSequence(since=0)
        for seq in (1, 2, 3):
            events.live(*event(seq))
        self.assertEqual(taken(events), [1, 2, 3])
        self.assertFalse(events.incomplete)

    def test_the_frames_stay_as_they_are(self) -> None:
        events = EventSequence(since=0)
        events.live(b"watcher.x.spawn", b'{"run": "a",  "seq": 1}')
        self.assertEqual(events.ready[0], (1, b"watcher.x.spawn", b'{"run": "a",  "seq": 1}'))

    def test_twice_is_once(self) -> None:
        events = EventSequence(since=0)
        for seq in (1, 1, 2, 1, 2):
            events.live(*event(seq))
        self.assertEqual(taken(events), [1, 2])

    def test_what_is_not_wanted(self) -> None:
        events = EventSequence(since=5)
        for seq in (4, 5, 6):
            events.live(*event(seq))
        self.assertEqual(taken(events), [6])

    def test_behind_a_hole(self) -> None:
        events = EventSequence(since=0)
        for seq in (1, 3, 4):
            events.live(*event(seq))
        self.assertEqual(taken(events), [1])
        self.assertTrue(events.incomplete)
        events.live(*event(2))
        self.assertEqual(taken(events), [2, 3, 4])
        self.assertFalse(events.incomplete)

    def test_from_now_on(self) -> None:
        events = EventSequence()
        events.live(*event(7))
        events.live(*event(8))
        self.assertEqual(taken(events), [])
        self.assertFalse(events.incomplete)
        self.assertTrue(events.answer(Ring(last=7).since(0, 1)))
        self.assertEqual(taken(events), [8])
        self.assertEqual(events.lost, 0)

    def test_without_numbers(self) -> None:
        events = EventSequence()
        for payload in (b"{}", b"[]", b"nonsense", b'{"seq": "x"}', b'{"seq": 3}', b"\xff", b"1"):
            events.live(b"watcher.x.spawn", payload)
        self.assertEqual(len(events.ready), 7)
        self.assertIsNone(events.known)


class TestAnswers(unittest.TestCase):
    def test_all_there_is(self) -> None:
        events = EventSequence(since=0)
        self.assertTrue(events.answer(Ring(last=3).since(0)))
        self.assertEqual(taken(events), [1, 2, 3])
        self.assertFalse(events.incomplete)

    def test_pages(self) -> None:
        events, ring = EventSequence(since=0), Ring(last=7)
        asked = 0
        while asked == 0 or events.incomplete:
            asked += 1
            self.assertTrue(events.answer(ring.since(events.known or 0, limit=3)))
        self.assertEqual((taken(events), asked), ([1, 2, 3, 4, 5, 6, 7], 3))

    def test_a_hole_is_filled(self) -> None:
        events = EventSequence(since=0)
        for seq in (1, 4, 5):
            events.live(*event(seq))
        events.answer(Ring(last=5).since(1))
        self.assertEqual(taken(events), [1, 2, 3, 4, 5])
        self.assertEqual(events.lost, 0)

    def test_what_the_ring_no_longer_holds(self) -> None:
        events = EventSequence(since=2)
        events.answer(Ring(first=10, last=12).since(2))
        self.assertEqual((taken(events), events.lost), ([10, 11, 12], 7))

    def test_no_ring_at_all(self) -> None:
        events = EventSequence(since=2)
        events.live(*event(5))
        events.answer(Ring(first=100, last=5).since(2))
        self.assertEqual((taken(events), events.lost, events.incomplete), ([5], 2, False))

    def test_a_page_that_the_stream_has_overtaken(self) -> None:
        events = EventSequence(since=0)
        reply = Ring(last=6).since(0, limit=3)
        for seq in range(1, 6):
            events.live(*event(seq))
        events.answer(reply)
        self.assertEqual((taken(events), events.lost), ([1, 2, 3, 4, 5], 0))
        self.assertTrue(events.incomplete)

    def test_an_event_younger_than_the_answer(self) -> None:
        events = EventSequence(since=0)
        events.live(*event(5))
        events.answer(Ring(last=3).since(0))
        self.assertEqual((taken(events), events.lost), ([1, 2, 3], 0))
        self.assertTrue(events.incomplete)

    def test_too_many_behind_a_hole(self) -> None:
        events = EventSequence(since=0)
        with mock.patch.object(sequence, "LIVE_KEPT", 2):
            for seq in (2, 3, 4, 5):
                events.live(*event(seq))
        events.answer(Ring(last=3).since(0))
        self.assertEqual(taken(events), [1, 2, 3])
        self.assertTrue(events.incomplete)
        events.answer(Ring(last=5).since(3))
        self.assertEqual(taken(events), [4, 5])


class TestAnotherLife(unittest.TestCase):
    def test_live(self) -> None:
        events = EventSequence(since=0)
        for seq in (1, 2):
            events.live(*event(seq, "a"))
        events.live(*event(3, "b"))
        self.assertEqual(taken(events), [1, 2])
        self.assertEqual((events.known, events.lives, events.incomplete), (0, 1, True))
        events.answer(Ring("b", last=3).since(0))
        self.assertEqual(taken(events), [1, 2, 3])

    def test_answer(self) -> None:
        events = EventSequence(since=40, run="a")
        self.assertFalse(events.answer(Ring("b", last=3).since(40)))
        self.assertEqual((events.known, events.lives), (0, 1))
        self.assertTrue(events.answer(Ring("b", last=3).since(0)))
        self.assertEqual(taken(events), [1, 2, 3])

    def test_the_same_life_as_before(self) -> None:
        events = EventSequence(since=2, run="a")
        self.assertTrue(events.answer(Ring("a", last=3).since(2)))
        self.assertEqual((taken(events), events.lives), ([3], 0))

    def test_one_that_goes_on_after_a_crash(self) -> None:
        """Numbers that only the killed daemon may have given are no events that were missed."""
        for oldest, lost in ((1001, 0), (1004, 3)):
            events = EventSequence(since=0)
            events.live(*event(1, "a"))
            events.live(*event(1005, "b"))
            there = Ring("b", oldest, 1005).since(events.known)
            events.answer({**there, "lost": lost})
            wanted = [1, *range(oldest, 1006)]
            self.assertEqual((taken(events), events.lost), (wanted, lost))
            self.assertEqual((events.known, events.lives, events.incomplete), (1005, 1, False))

    def test_what_was_ready_stays_ready(self) -> None:
        events = EventSequence(since=0)
        for seq in (1, 2, 4):
            events.live(*event(seq, "a"))
        events.live(*event(1, "b"))
        self.assertEqual(taken(events), [1, 2, 4, 1])

    def test_last_words_come_in_late(self) -> None:
        events = EventSequence(since=0)
        events.live(*event(1, "a"))
        self.assertFalse(events.answer(Ring("b", last=2).since(1)))
        events.live(*event(1, "a"))
        events.live(*event(2, "a"))
        self.assertFalse(events.answer(Ring("a", last=9).since(0)))
        self.assertTrue(events.answer(Ring("b", last=2).since(0)))
        self.assertEqual(taken(events), [1, 2, 1, 2])
        self.assertEqual(events.lives, 1)


class TestHistories(unittest.TestCase):
    """Any stream with drops and doubles, asked about at any moment, comes out whole."""

    def test_histories(self) -> None:
        for seed in range(300):
            with self.subTest(seed=seed):
                self.check(random.Random(seed))

    def check(self, chance: random.Random) -> None:
        since = chance.choice([0, 0, 5])
        events, ring = EventSequence(since=since), Ring(last=since)
        out: list[int] = []
        answers: list[dict] = []
        for _ in range(chance.randrange(5, 120)):
            ring.last += 1
            if chance.random() < 0.7:
                events.live(*event(ring.last))
            if chance.random() < 0.1:
                events.live(*event(chance.randint(1, ring.last)))
            if chance.random() < 0.2:
                answers.append(ring.since(events.known or 0, chance.choice([1, 3, 50])))
            if answers and chance.random() < 0.3:
                events.answer(answers.pop(0))
            if chance.random() < 0.5:
                out += taken(events)
        events.answer(ring.since(events.known or 0, 2))
        while events.incomplete:
            events.answer(ring.since(events.known or 0, 2))
        out += taken(events)
        self.assertEqual(out, list(range(since + 1, ring.last + 1)))
        self.assertEqual(events.lost, 0)


if __name__ == "__main__":
    unittest.main()
