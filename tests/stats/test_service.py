"""The statistics process by itself: whom it asks, how often, and what it lives through."""

from __future__ import annotations

import os
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from cvec_circus.base.clock import SYSTEM
from cvec_circus.stats import inventory, service
from cvec_circus.system import proctable
from cvec_circus.wire import messages
from tests.stats.case import Listener, StatsCase
from tests.support.children import Child
from tests.support.eventually import eventually
from tests.support.fake_daemon import FakeDaemon

OFTEN = service.PACE


def whole(pids: dict[str, list[int]]) -> Any:
    """Answers `list` as our daemon does."""
    return lambda properties: {"watchers": sorted(pids), "pids": pids}


class TestService(StatsCase):
    def test_what_there_is_at_the_beginning(self) -> None:
        child = Child(self, "wait")
        self.daemon.answers["list"] = whole({"One Two": [child.pid], "off": []})
        self.daemon.answers["ping"] = lambda properties: {"pid": os.getppid()}
        self.serve()
        topic = f"stat.one_two.{child.pid}"
        self.assertTrue(self.listener.until(lambda: topic in self.listener.last))
        self.assertEqual(self.listener.last[topic]["pid"], child.pid)
        self.assertTrue(
            self.listener.until(lambda: f"stat.circus.{os.getppid()}" in self.listener.last)
        )
        self.assertTrue(self.listener.until(lambda: "stat.circus" in self.listener.last))
        self.assertIn(f"stat.circus.{os.getpid()}", self.listener.last)
        self.assertNotIn("stat.off", self.listener.last)

    def test_a_file_that_was_deleted_is_made_again(self) -> None:
        with mock.patch.object(service, "LOOK_PERIOD", 0.05), self.assertLogs("cvec_circus") as log:
            self.serve()
            self.assertTrue(self.listener.until(lambda: "stat.circus" in self.listener.last))
            path = Path(self.daemon.directory, "stats")
            for also in ([], [path.parent / ".stats.spare"]):
                for one in (path, *also):
                    one.unlink()
                self.assertTrue(eventually(path.exists))
                other = Listener(self, f"ipc://{path}")
                self.assertTrue(other.until(lambda: "stat.circus" in other.last))  # noqa: B023
            self.listener.forget()  # who was connected before still is
            self.assertTrue(self.listener.until(lambda: "stat.circus" in self.listener.last))
        made = [line for line in log.output if f"{path} was deleted, and was made again" in line]
        self.assertEqual(len(made), 2)

    def test_children(self) -> None:
        child = Child(self, "tree", 1)
        self.daemon.answers["list"] = whole({"web": [child.pid]})
        self.daemon.answers["ping"] = lambda properties: {"pid": os.getpid()}
        self.serve()
        topic, own = f"stat.web.{child.pid}", f"stat.circus.{os.getpid()}"
        self.assertTrue(self.listener.until(lambda: {topic, own} <= self.listener.last.keys()))
        [below] = proctable.descendants(child.pid)
        self.assertEqual([one["pid"] for one in self.listener.last[topic]["children"]], [below])
        self.assertEqual(self.listener.last[own]["children"], [])

    def test_what_comes_and_goes(self) -> None:
        first, second = Child(self, "wait"), Child(self, "wait")
        self.daemon.answers["list"] = whole({"web": [first.pid]})
        served = self.serve()
        self.assertTrue(self.listener.until(lambda: "stat.web" in self.listener.last))
        # What is published before that stands in an answer, and this daemon's answer is the same.
        self.assertTrue(
            eventually(
                lambda: (
                    served._subscription._was_certain
                    and not (served._census._waiting or served._questions.busy)
                )
            )
        )
        self.daemon.publish("web", "spawn", process_pid=second.pid)
        self.assertTrue(
            self.listener.until(
                lambda: self.listener.last["stat.web"]["pid"] == [first.pid, second.pid]
            )
        )
        self.daemon.publish("web", "reap", process_pid=first.pid)
        self.assertTrue(
            self.listener.until(lambda: self.listener.last["stat.web"]["pid"] == [second.pid])
        )

    def test_another_daemon_at_the_same_place(self) -> None:
        child, other = Child(self, "wait"), Child(self, "wait")
        self.daemon.answers["list"] = whole({"web": [child.pid]})
        self.serve()
        self.assertTrue(self.listener.until(lambda: "stat.web" in self.listener.last))
        directory = self.daemon.directory
        self.daemon.stop()
        self.listener.forget()
        # Nobody is there, and what was known last is still looked at.
        self.assertTrue(self.listener.until(lambda: "stat.web" in self.listener.last))
        self.daemon = FakeDaemon(directory)
        self.daemon.answers["list"] = whole({"next": [other.pid]})
        self.assertTrue(self.listener.until(lambda: "stat.next" in self.listener.last))
        self.listener.forget()
        self.assertTrue(self.listener.until(lambda: self.listener.topics.count("stat.next") > 1))
        self.assertNotIn("stat.web", self.listener.last)

    def test_a_daemon_of_circus(self) -> None:
        child = Child(self, "wait")
        pids = {"web": [child.pid], "off": []}

        def listed(properties: dict[str, Any]) -> dict[str, Any]:
            name = properties.get("name")
            return {"watchers": sorted(pids)} if name is None else {"pids": pids[name]}

        def unknown(properties: dict[str, Any]) -> dict[str, Any]:
            return {"status": "error", "reason": "?", "errno": messages.UNKNOWN_COMMAND}

        self.daemon.answers.update(
            {
                "list": listed,
                "ping": unknown,
                "events": unknown,
                "dstats": lambda properties: {"info": {"pid": os.getppid()}},
            }
        )
        self.serve()
        self.assertTrue(self.listener.until(lambda: "stat.web" in self.listener.last))
        self.assertTrue(
            self.listener.until(lambda: f"stat.circus.{os.getppid()}" in self.listener.last)
        )
        self.assertEqual(self.listener.last[f"stat.circus.{os.getppid()}"]["name"], "circusd")

    def test_answers_that_make_no_sense(self) -> None:
        self.daemon.answers["list"] = lambda properties: {"pids": 3}
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.serve()
            self.assertTrue(eventually(lambda: logs.output))
        self.assertIn("the daemon's answer to list is unusable", logs.output[0])
        self.assertTrue(self.listener.until(lambda: "stat.circus" in self.listener.last))

    def test_everything_is_asked_for_anew_from_time_to_time(self) -> None:
        with mock.patch.object(inventory, "RENEWED", 0.1):
            self.serve()
            self.assertTrue(eventually(lambda: len(self.daemon.commands("listsockets")) > 2))


class TestPace(StatsCase):
    PACE = 0.2

    def test_once_a_second(self) -> None:
        self.assertEqual(OFTEN, 1.0)

    def test_no_more_often_than_agreed(self) -> None:
        with mock.patch.object(inventory, "RENEWED", 0.01):
            began = SYSTEM.monotonic()
            self.serve()
            self.assertTrue(eventually(lambda: len(self.daemon.requests) >= 6))
            count = len(self.daemon.requests)
            self.assertLessEqual(count, (SYSTEM.monotonic() - began) / self.PACE + 1)


class TestEndpoint(StatsCase):
    def test_somebody_else_goes_in_time(self) -> None:
        first = self.serve()
        self.assertTrue(self.listener.until(lambda: "stat.circus" in self.listener.last))
        second = self.serve()
        first.loop.stop()
        self.assertTrue(eventually(lambda: second._publisher is not None))
        self.assertTrue(self.listener.until(lambda: self.listener.last.get("stat.circus")))

    def test_somebody_else_stays(self) -> None:
        self.serve()
        self.assertTrue(self.listener.until(lambda: "stat.circus" in self.listener.last))
        task = service.Task(self.daemon.endpoint, self.daemon.pubsub_endpoint)
        task.stats_endpoint = f"ipc://{self.daemon.directory}/stats"
        with mock.patch.object(service, "PATIENCE", 0.0):
            late = service.Service(task)
            with self.assertRaisesRegex(service.SocketError, "Address already in use"):
                late.run()

    def test_one_that_other_machines_can_reach(self) -> None:
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.serve(listens=False, stats_endpoint="tcp://0.0.0.0:*")
            self.assertTrue(eventually(lambda: logs.output))
        self.assertRegex(logs.output[0], r"tcp://0\.0\.0\.0:\d+: other machines can listen")

    def test_none_at_all(self) -> None:
        task = service.Task(self.daemon.endpoint, self.daemon.pubsub_endpoint, "no endpoint")
        with self.assertRaisesRegex(service.SocketError, "not an endpoint"):
            service.Service(task).run()


if __name__ == "__main__":
    unittest.main()
