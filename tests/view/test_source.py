"""Where the facts come from: what is asked, how often, and what is published instead."""

from __future__ import annotations

import json
import threading
import unittest
from typing import Any
from unittest import mock

import zmq

from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.view import source
from cvec_circus.view.facts import Facts
from tests.support.daemon import folder
from tests.support.eventually import eventually
from tests.support.fake_daemon import FakeDaemon
from tests.support.hurry import hurry
from tests.support.leaks import LeakCheckedTestCase

ROW = {"pid": 3, "cpu": 1.0, "mem": 0.5, "age": 4.0}


class SourceCase(LeakCheckedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = folder(self)
        self.daemon = FakeDaemon(str(self.folder))
        self.addCleanup(lambda: self.daemon.stop())
        self.stats_endpoint = f"ipc://{self.folder}/stats"
        self.statuses = {"web": "active"}
        self.daemon.answers.update(
            {
                "globaloptions": lambda properties: {
                    "options": {"stats_endpoint": self.stats_endpoint}
                },
                "status": lambda properties: {"statuses": self.statuses},
                "stats": lambda properties: {"infos": {"web": {"3": ROW}}},
            }
        )
        hurry(
            self,
            {
                "view.source.SHORTEST": 0.02,
                "view.source.REST": 0.0,
                "view.source.SILENCE": 0.3,
                "client.feed.questions.FIRST_PATIENCE": 0.3,
            },
        )

    def open(self, endpoint: str | None = None, conceals: bool = False) -> source.Source:
        context: zmq.Context[Any] = zmq.Context()
        loop = ZmqLoop(name="top")
        self.facts = Facts(3.0)
        self.news = 0

        def on_news() -> None:
            self.news += 1

        given = context, endpoint or self.daemon.endpoint, self.facts, 0.02, str, on_news
        opened = source.Source(loop, *given, conceals)

        def live() -> None:
            opened.open()
            loop.run()
            opened.close()
            loop.close()
            context.term()

        thread = threading.Thread(target=live)
        thread.start()

        def end() -> None:
            loop.stop()
            thread.join()

        self.addCleanup(end)
        return opened

    def publisher(self) -> Any:
        context: zmq.Context[Any] = zmq.Context()
        publisher = context.socket(zmq.XPUB)
        publisher.bind(self.stats_endpoint)
        self.addCleanup(context.term)
        self.addCleanup(publisher.close, 0)
        return publisher

    def publish(self, publisher: Any) -> None:
        for topic, stat in (
            ("stat.web.3", {**ROW, "subtopic": 3}),
            ("stat.web", {"pid": [3]}),
            ("stat.circus", {"pid": []}),
        ):
            publisher.send_multipart([topic.encode(), json.dumps(stat).encode()])


class TestAsking(SourceCase):
    def test_secrets_stay_in_the_daemon(self) -> None:
        asked: list[dict[str, Any]] = []

        def status(properties: dict[str, Any]) -> dict[str, Any]:
            asked.append(properties)
            return {"statuses": self.statuses}

        self.daemon.answers["status"] = status
        self.open(conceals=True)
        eventually(lambda: bool(asked))
        self.assertEqual(asked[0], {"details": True, "conceal": True})

    def test_a_daemon_that_publishes_nothing(self) -> None:
        opened = self.open()
        self.assertTrue(eventually(lambda: self.facts.passes > 2 and self.news > 2))
        self.assertEqual(self.facts.watchers["web"].rows, {"3": ROW})
        self.assertFalse(opened.published)
        self.assertEqual(self.daemon.commands("status")[0]["properties"], {"details": True})

    def test_one_question_at_a_time_and_a_rest(self) -> None:
        with mock.patch.object(source, "SHORTEST", 0.2):
            self.open()
            self.assertTrue(eventually(lambda: self.facts.passes >= 2))
        self.assertLessEqual(len(self.daemon.commands("stats")), 3)

    def test_nobody_is_there_yet(self) -> None:
        self.daemon.muted.add("globaloptions")
        self.open()
        self.assertTrue(eventually(lambda: "still trying" in self.facts.trouble))
        self.daemon.muted.clear()
        self.assertTrue(eventually(lambda: self.facts.passes and not self.facts.trouble))

    def test_a_daemon_that_goes_and_comes(self) -> None:
        self.open()
        self.assertTrue(eventually(lambda: self.facts.passes))
        self.daemon.muted.add("status")
        self.assertTrue(eventually(lambda: "still trying" in self.facts.trouble))
        self.daemon.muted.clear()
        self.assertTrue(eventually(lambda: not self.facts.trouble))

    def test_answers_that_make_no_sense(self) -> None:
        self.daemon.answers["status"] = lambda properties: {"reason": "no"}
        self.daemon.answers["stats"] = lambda properties: {"reason": "no"}
        self.open()
        self.assertTrue(eventually(lambda: "gives no statistics" in self.facts.trouble))


class TestPublished(SourceCase):
    def test_no_stats_are_asked_for(self) -> None:
        publisher = self.publisher()
        self.statuses["circusd-stats"] = "active"
        with mock.patch.object(source, "SILENCE", 30.0):
            opened = self.open()
            self.assertEqual(publisher.recv(), b"\1stat.")
            self.publish(publisher)
            self.assertTrue(eventually(lambda: self.facts.passes == 1))
            self.assertTrue(eventually(lambda: len(self.daemon.commands("status")) > 3))
        self.assertTrue(opened.published)
        self.assertEqual(self.daemon.commands("stats"), [])
        self.assertEqual(list(self.facts.watchers["web"].rows), ["3"])

    def test_silence_has_the_daemon_asked(self) -> None:
        self.publisher()
        self.statuses["circusd-stats"] = "active"
        opened = self.open()
        self.assertTrue(eventually(lambda: self.facts.passes))
        self.assertTrue(self.daemon.commands("stats"))
        self.assertFalse(opened.published)

    def test_a_daemon_that_comes_late_is_heard(self) -> None:
        """What answers nobody may be where statistics are published, and turn out to be none."""
        publisher = self.publisher()
        self.statuses["circusd-stats"] = "active"
        self.daemon.muted.add("globaloptions")
        self.open()
        self.assertTrue(eventually(lambda: "still trying" in self.facts.trouble))
        self.daemon.muted.clear()
        self.assertTrue(publisher.poll(20_000))
        self.assertEqual(publisher.recv(), b"\1stat.")

    def test_another_daemon_that_publishes_elsewhere(self) -> None:
        publisher = self.publisher()
        self.statuses["circusd-stats"] = "active"
        opened = self.open()
        self.assertEqual(publisher.recv(), b"\1stat.")
        self.publish(publisher)
        self.assertTrue(eventually(lambda: opened.published))
        self.stats_endpoint = f"ipc://{self.folder}/elsewhere"
        elsewhere = self.publisher()
        self.assertTrue(elsewhere.poll(20_000))
        self.assertEqual(elsewhere.recv(), b"\1stat.")
        self.publish(elsewhere)
        self.assertTrue(eventually(lambda: opened.published))

    def test_a_daemon_is_asked_where_it_publishes_only_when_that_may_have_changed(self) -> None:
        self.open()
        self.assertTrue(eventually(lambda: len(self.daemon.commands("status")) > 5))
        self.assertEqual(len(self.daemon.commands("globaloptions")), 1)

    def test_the_endpoint_of_statistics_alone(self) -> None:
        publisher = self.publisher()
        self.open(self.stats_endpoint)
        self.assertTrue(publisher.poll(20_000))
        self.assertEqual(publisher.recv(), b"\1stat.")
        publisher.send_multipart([b"stat.x", b"no json"])
        self.publish(publisher)
        self.assertTrue(eventually(lambda: self.facts.passes == 1))
        self.assertEqual(self.facts.watchers["web"].state, "")


if __name__ == "__main__":
    unittest.main()
