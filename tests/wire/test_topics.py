from __future__ import annotations

import unittest

from cvec_circus.wire import topics


class TopicsTest(unittest.TestCase):
    def test_names_are_folded(self) -> None:
        self.assertEqual(topics.topic("One Shot", "spawn"), "watcher.one_shot.spawn")
        self.assertEqual(topics.fold("plugin:Flapping"), "plugin:flapping")

    def test_split_survives_every_name(self) -> None:
        for name in ("web", "a.b.c", "one shot", "plugin:x", ".", "..", "é.ü", "a.spawn"):
            topic = topics.topic(name, "reap").encode()
            self.assertEqual(topics.split(topic), ("watcher", topics.fold(name), "reap"))

    def test_split_takes_text_and_what_is_no_topic(self) -> None:
        self.assertEqual(topics.split("watcher.web.stop"), ("watcher", "web", "stop"))
        self.assertEqual(topics.split(b"sync.12.ab"), ("sync", "12.ab", ""))
        self.assertEqual(topics.split(b"\xff"), ("\ufffd", "", ""))
        self.assertEqual(topics.split(b""), ("", "", ""))
