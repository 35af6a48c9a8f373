"""Orders from many clients at once, questions, and what is told of it all."""

from __future__ import annotations

import json
import os
import threading
import unittest
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from cvec_circus.base.clock import SYSTEM
from tests.support.daemon import alive
from tests.support.embedded import EmbeddedCase
from tests.support.wire import TIMEOUT

SLEEP = {"name": "a", "cmd": "sleep 1000"}


def replies(given: Iterable[Future[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Wait for the reply to each order that was given; that there is none is raised."""
    return [order.result(2 * TIMEOUT) for order in given]


class TestTogether(EmbeddedCase):
    """Nobody waits for anybody else's watcher."""

    def give(self, *orders: tuple[str, dict[str, Any]]) -> list[Future[dict[str, Any]]]:
        """Give the orders from a client each, all at the same time."""
        pool = ThreadPoolExecutor(len(orders))
        self.addCleanup(pool.shutdown)
        barrier = threading.Barrier(len(orders))

        def give(command: str, properties: dict[str, Any]) -> dict[str, Any]:
            barrier.wait(TIMEOUT)
            return self.wire.client.call(command, waiting=True, **properties)

        return [pool.submit(give, *order) for order in orders]

    def at_once(self, *orders: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """Give the orders at the same time; each of them has to be answered."""
        return replies(self.give(*orders))

    def test_seven_clients_and_one_that_takes_its_time(self) -> None:
        stubborn = self.program("wait", "ignore", "TERM")
        self.arbit(
            {"name": "slow", **stubborn, "graceful_timeout": 60},
            *({**SLEEP, "name": f"w{number}", "numprocesses": 2} for number in range(7)),
        )
        slow = int(self.lines.until("ready"))
        self.events.wait("start", 8)
        (end,) = self.give(("stop", {"name": "slow"}))
        self.lines.until("signal")
        began = SYSTEM.monotonic()
        for command in ("stop", "start", "restart", "reload", "stop"):
            orders = [(command, {"name": f"w{number}"}) for number in range(7)]
            for reply in self.at_once(*orders):
                self.assertEqual(reply["status"], "ok", reply)
        self.assertLess(SYSTEM.monotonic() - began, TIMEOUT)
        statuses = self.wire.call("status")["statuses"]
        self.assertEqual(statuses.pop("slow"), "stopping")
        self.assertEqual(set(statuses.values()), {"stopped"})
        self.assertTrue(alive(slow))
        os.kill(slow, 9)
        self.assertEqual(replies([end])[0]["status"], "ok")

    def test_the_last_wish_wins(self) -> None:
        self.arbit({**SLEEP, "numprocesses": 3})
        self.events.next("start")
        words = ("stop", "start", "restart", "reload", "incr", "decr")
        for last in ("stop", "start"):
            for reply in self.at_once(*((word, {"name": "a"}) for word in words * 3)):
                overtaken = " abandoned: " in reply.get("reason", "")
                self.assertTrue(reply["status"] == "ok" or overtaken, reply)
            self.wire.order(last, name="a")
            self.assertEqual(self.wire.status("a")[0], {"stop": "stopped", "start": "active"}[last])
        numprocesses = self.wire.call("numprocesses", name="a")["numprocesses"]
        self.assertEqual(len(self.wire.pids("a")), numprocesses)

    def test_stop_restart_and_quit_together(self) -> None:
        # As long as this one lives, so does the daemon: it is there for the last order as well.
        stubborn = self.program("wait", "ignore", "TERM")
        self.arbit(
            {"name": "slow", **stubborn, "graceful_timeout": 60},
            *({**SLEEP, "name": f"w{number}"} for number in range(7)),
        )
        slow = int(self.lines.until("ready"))
        self.events.wait("start", 8)
        orders = [
            (("stop", "restart", "reload")[number % 3], {"name": f"w{number}"})
            for number in range(7)
        ]
        *others, end = self.give(*orders, ("quit", {}))
        for reply in replies(others):
            said = reply.get("reason", "")
            self.assertTrue(
                reply["status"] == "ok" or "is stopping" in said,
                reply,
            )
        self.lines.until("signal")
        self.assertFalse(end.done())
        os.kill(slow, 9)
        self.assertEqual(replies([end])[0]["status"], "ok")

    def test_a_wait_that_takes_too_long_says_what_is_missing(self) -> None:
        self.arbit({"name": "a", **self.program("wait", "ignore", "TERM"), "graceful_timeout": 60})
        pid = int(self.lines.until("ready"))
        refused = self.wire.refused("stop", name="a", waiting=True, timeout=0.1)
        self.assertRegex(refused, rf"stop timed out after 0.1 s: a is stopping .*{pid}")
        self.wire.call("kill", name="a", signum="KILL")
        self.events.next("stop")

    def test_kill_answers_when_they_are_gone(self) -> None:
        self.arbit({**SLEEP, "numprocesses": 3})
        self.events.next("start")
        first, *others = self.wire.pids("a")
        self.wire.order("kill", name="a", pid=first)
        self.assertFalse(alive(first))
        self.assertTrue(all(map(alive, others)))
        self.wire.order("kill", name="a")
        self.assertFalse(any(map(alive, others)))


class TestTelling(EmbeddedCase):
    """stats, dstats, events."""

    def test_stats(self) -> None:
        self.arbit({"name": "Tree", **self.program("levels", "exit", "exit", "exit")}, SLEEP)
        leader = int(self.lines.until("level"))
        self.lines.until("ready")
        infos = self.wire.call("stats")["infos"]
        self.assertEqual(set(infos), {"Tree", "a"})
        info = infos["Tree"][str(leader)]
        (child,) = info["children"]
        (grandchild,) = child["children"]
        self.assertEqual(grandchild["children"], [])
        self.assertEqual((info["wid"], info["pid"]), (1, leader))
        self.assertGreater(info["started"], 0)
        self.assertNotIn("wid", child)
        for key in ("cmdline", "cpu", "mem", "mem_info1", "mem_info2", "ctime", "nice", "age"):
            self.assertIn(key, grandchild)
        reply = self.wire.call("stats", name="tree", process=leader)
        self.assertEqual((reply["process"], reply["info"]["pid"]), (leader, leader))
        self.assertIn("not found", self.wire.refused("stats", name="tree", process=1))
        self.wire.order("stop", name="a")
        self.assertEqual(self.wire.call("stats", name="a")["info"], {})

    def test_dstats(self) -> None:
        self.arbit()
        info = self.wire.call("dstats")["info"]
        self.assertEqual(info["pid"], os.getpid())
        self.assertIn("children", info)

    def test_events_are_replayed_behind_a_marker(self) -> None:
        self.arbit({**SLEEP, "numprocesses": 2})
        self.events.next("start")
        reply = self.wire.call("events", since=0, limit=2)
        self.assertTrue(reply["more"])
        self.assertEqual(reply["lost"], 0)
        texts = [tuple(entry) for entry in reply["events"]]
        while reply["more"]:
            seq = json.loads(texts[-1][1])["seq"]
            reply = self.wire.call("events", since=seq, limit=2)
            texts += [tuple(entry) for entry in reply["events"]]
        self.assertEqual([json.loads(text)["seq"] for _, text in texts], [1, 2, 3, 4])
        topics = [topic for topic, _ in texts]
        self.assertEqual(topics, [f"watcher.a.{a}" for a in ("add", "spawn", "spawn", "start")])
        self.wire.order("stop", name="a")
        seen = self.events.sync()
        self.assertEqual([event["seq"] for event in seen], list(range(1, len(seen) + 1)))
        self.assertEqual({event["run"] for event in seen}, {self.run_id})
        self.assertEqual({event["watcher"] for event in seen}, {"a"})
        self.assertTrue(all(event["cause"] for event in seen))

    def test_old_events_are_lost_and_that_is_said(self) -> None:
        self.arbit({**SLEEP, "numprocesses": 8, "autostart": False}, event_history=5)
        self.wire.order("start", name="a")
        reply = self.wire.call("events")
        self.assertEqual((reply["lost"], len(reply["events"]), reply["seq"]), (5, 5, 10))


if __name__ == "__main__":
    unittest.main()
