"""What is put together of what the daemon answers and what is published."""

from __future__ import annotations

import unittest

from cvec_circus.view.facts import Facts
from tests.support.schemas import Schemas

STATUS = {
    "status": "ok",
    "statuses": {"Big One": "active", "off": "stopped"},
    "reasons": {"off": "it was stopped"},
    "watchers": {
        "Big One": {"processes": 2, "numprocesses": 2, "restarts": 3, "uptime": 9.5, "reason": ""},
        "off": {"processes": 0, "numprocesses": 1, "restarts": 0, "uptime": None, "reason": "why"},
    },
}


def row(pid: int, cpu: object = 1.0) -> dict:
    return {"pid": pid, "cpu": cpu, "mem": 0.5, "age": float(pid)}


class TestFacts(unittest.TestCase):
    def setUp(self) -> None:
        self.facts = Facts(3.0)

    def test_the_daemon_tells_all(self) -> None:
        self.facts.status(STATUS)
        self.facts.stats({"infos": {"Big One": {"3": row(3), "4": "No such process"}, "x": {}}})
        big, off = self.facts.watchers["big_one"], self.facts.watchers["off"]
        self.assertEqual(
            (big.name, big.state, big.restarts, big.age), ("Big One", "active", 3, 9.5)
        )
        self.assertEqual(list(big.rows), ["3"])
        self.assertEqual((off.state, off.reason, off.wanted, off.age), ("stopped", "why", 1, None))
        self.assertEqual(self.facts.passes, 1)

    def test_how_far_a_rollout_is(self) -> None:
        rollout = {"replaced": 1, "total": 8, "cause": "c", "actor": "client", "for": 0.5}
        details = {"a": {**STATUS["watchers"]["Big One"], "rollout": rollout}}
        phases = {"a": "reloading"}
        reply = {"statuses": {"a": "active"}, "phases": phases, "watchers": details}
        self.facts.status(reply)
        self.assertEqual(self.facts.watchers["a"].stands, "reloading 1/8")
        printed = self.facts.as_json()
        row = printed["watchers"]["a"]
        self.assertEqual((row["phase"], row["rollout"]), ("reloading", rollout))
        whole = {"endpoint": "", "time": 1.0, "published": False, **printed}
        self.assertEqual(Schemas().problems("top", whole), [])

    def test_a_daemon_of_circus(self) -> None:
        self.facts.status({"statuses": {"a": "active"}})
        watcher = self.facts.watchers["a"]
        self.assertEqual((watcher.state, watcher.restarts, watcher.reason), ("active", None, ""))

    def test_what_is_published(self) -> None:
        self.facts.stat("a", "3", row(3), 1.0)
        self.facts.stat("a", "4", row(4, "N/A"), 1.0)
        self.facts.stat("circus", None, {"pid": []}, 1.0)
        watcher = self.facts.watchers["a"]
        self.assertEqual((watcher.state, watcher.total("cpu"), watcher.age), ("", 1.0, 4.0))
        self.facts.stat("a", None, {"pid": [4]}, 2.0)
        self.assertEqual(list(watcher.rows), ["4"])
        self.facts.stat("circus", None, {"pid": []}, 3.9)
        self.assertEqual(list(watcher.rows), ["4"])
        self.facts.stat("circus", None, {"pid": []}, 4.1)
        self.assertEqual(watcher.rows, {})
        self.assertEqual(self.facts.passes, 3)

    def test_the_statistics_are_a_watcher_where_the_daemon_lists_them(self) -> None:
        published = {**row(4), "name": "circusd-stats"}
        self.facts.stat("circus", "4", published, 1.0)
        self.facts.stat("circus", "3", {**row(3), "name": "circusd"}, 1.0)
        self.facts.status({"statuses": {"circusd-stats": "active"}})
        for now in (2.0, 3.0):
            self.facts.stat("circus", "4", published, now)
            self.facts.stat("circus", None, {"pid": [3, 4]}, now)
        rows = {one.name: list(one.rows) for one in self.facts.watchers.values()}
        self.assertEqual(rows, {"circusd-stats": ["4"], "circus": ["3"]})

    def test_circus_publishes_names_with_blanks(self) -> None:
        self.facts.status({"statuses": {"Big One": "active"}})
        self.facts.stat("big one", "3", row(3), 1.0)
        self.assertEqual(list(self.facts.watchers["big_one"].rows), ["3"])
        self.facts.stat("big one", None, {"pid": []}, 2.0)
        self.assertEqual(self.facts.watchers["big_one"].rows, {})

    def test_sockets_that_are_gone(self) -> None:
        for numbers in (("7", "8"), ("8", "27"), ("27",), ("27",)):
            self.facts.stat("circus", None, {"pid": []}, 1.0)
            for number in numbers:
                self.facts.stat("sockets", number, {"fd": int(number)}, 1.0)
        self.facts.stat("circus", None, {"pid": []}, 1.0)
        self.assertEqual(list(self.facts.sockets), ["27"])
        self.facts.status(STATUS)
        self.facts.stats({"infos": {}})
        self.assertEqual(self.facts.sockets, {}, "nobody tells of them any more")

    def test_watchers_that_are_gone_where_nobody_tells_states(self) -> None:
        self.facts.stat("a", "3", row(3), 1.0)
        self.facts.stat("b", "4", row(4), 2.0)
        self.facts.stat("circus", None, {"pid": []}, 4.5)
        self.assertEqual(list(self.facts.watchers), ["b"])

    def test_nothing_is_kept_of_what_comes_and_goes(self) -> None:
        """An hour of it: a watcher and a process a second, each gone soon after."""
        for second in range(3600):
            name, now = f"job {second}", float(second)
            self.facts.status({"statuses": {name: "active"}})
            self.facts.stat(name, str(second), row(second), now)
            self.facts.stat("sockets", str(second), {"fd": second}, now)
            self.facts.stat("circus", None, {"pid": []}, now)
        self.assertLess(len(self.facts._published_at), 10)
        self.assertEqual((len(self.facts.watchers), len(self.facts.sockets)), (1, 1))

    def test_a_watcher_that_is_called_as_sockets_are(self) -> None:
        self.facts.status({"statuses": {"sockets": "active"}})
        self.facts.stat("sockets", "3", row(3), 1.0)
        self.facts.stat("sockets", "7", {"fd": 7, "address": "127.0.0.1:80", "reads": 2}, 1.0)
        self.facts.stat("sockets", None, {"pid": [3], "cpu": 1.0}, 1.0)
        self.facts.stat("sockets", None, {"addresses": ["127.0.0.1:80"], "reads": 2}, 1.0)
        self.assertEqual(list(self.facts.sockets), ["7"])
        self.assertEqual(list(self.facts.watchers["sockets"].rows), ["3"])

    def test_the_figures_stay_with_the_states(self) -> None:
        self.facts.status(STATUS)
        self.facts.stat("big_one", "3", row(3), 1.0)
        self.facts.stat("circus", "1", row(1), 1.0)
        self.facts.stat("unknown", "9", row(9), 1.0)
        self.facts.status(STATUS)
        self.assertEqual(list(self.facts.watchers["big_one"].rows), ["3"])
        self.assertEqual(set(self.facts.watchers), {"big_one", "off", "circus"})

    def test_sockets(self) -> None:
        self.facts.stat("sockets", "7", {"address": "x", "reads": 2}, 1.0)
        self.facts.stat("sockets", None, {"reads": 2}, 1.0)
        self.assertEqual(self.facts.as_json()["sockets"], [{"address": "x", "reads": 2}])


if __name__ == "__main__":
    unittest.main()
