"""Lists of names, and patterns: one order, and a reply whose form they decide."""

from __future__ import annotations

from cvec_circus.commands.base import MOST_PATTERNS
from cvec_circus.commands.kinds import to_watchers
from cvec_circus.commands.table import load_all
from cvec_circus.wire.outcome import Outcome
from tests.control.control_case import AnsweringCase
from tests.control.fake_target import FakeWatcher

SEVERAL = (
    "decr get incr is-active kill list logs numprocesses options reload reopen restart rm set "
    "signal start stats status stop wait why"
).split()
"""The commands that take lists: all with a name, but for one."""

MORE = {"signal": {"signum": 1}, "get": {"keys": "cmd"}, "set": {"options": {"priority": 2}}}
"""What else a message of theirs needs."""

ALWAYS = ("status", "time", "id")


class TestSeveral(AnsweringCase):
    def test_one_order_for_all_of_them(self) -> None:
        three = {"info": {"stopped": [3], "started": [1, 2], "kept": [4]}}
        self.answers({}, "start", name=["solo", "WEB"])
        self.answers({"info": None}, "stop", name=["w*", "solo"], waiting=True)
        self.answers(three, "restart", name=["solo", "w*", "web", "Solo"], waiting=True)
        self.answers({}, "reload", name=["web", "[ws]*"], sequential=True)
        self.orders(
            ("start", ["solo", "web"]),
            ("stop", ["web", "solo"], False),
            ("restart", ["solo", "web"]),
            ("reload", ["web", "solo"], True, True),
        )

    def test_one_order_to_each_of_them(self) -> None:
        self.answers({}, "rm", name=["solo", "web"], nostop=True, waiting=True)
        self.answers({}, "kill", name="[ws]*", signum=9)
        self.answers({}, "signal", name=["web", "solo"], signum=1, children=True)
        self.orders(
            ("configure", [("remove", "solo", True), ("remove", "web", True)]),
            (
                "configure",
                [
                    ("kill", "web", [6178, 6179], 9, None, False),
                    ("kill", "solo", [42], 9, None, False),
                ],
            ),
            (
                "configure",
                [
                    ("signal", "web", [6178, 6179], 1, None, True, False),
                    ("signal", "solo", [42], 1, None, True, False),
                ],
            ),
        )

    def test_what_depends_on_one_that_is_removed(self) -> None:
        self.target.parts_of_solo, self.target.dependants_of_solo = ["part"], ["web"]
        named = {"parts": ["part"], "dependants": ["web"]}
        self.answers(named, "rm", name="solo")
        self.answers(named, "rm", name="solo", waiting=True)
        self.answers({"dependants": ["part", "web"]}, "rm", name="solo", nostop=True)

    def test_match_holds_for_each(self) -> None:
        self.answers({}, "stop", name=["web", "solo"], match="simple")
        self.orders(("stop", ["web", "solo"], False))
        reply = self.ask("stop", name=["web", "s*"], match="simple")
        self.assert_refused(reply, 3, "program s* not found")
        self.orders()

    def test_a_list_of_one(self) -> None:
        self.answers({"pids": {"web": [6178, 6179]}}, "list", name=["web"])
        self.answers({}, "stop", name=["web"])
        self.answers({}, "kill", name=["web"], pid=6178)
        self.orders(("stop", ["web"], False), ("kill", "web", [6178], None, None, False))

    def test_stopped_ones_without_autostart(self) -> None:
        self.loop.ask(self.add_idle, "idle1", "idle2", "idle3")
        self.answers({}, "start", name="*")
        self.answers({}, "start", name="idle*")
        self.answers({}, "restart", name="idle1*")
        self.answers({}, "reload", name=["idle*", "idle3"])
        self.answers({}, "start", name=["idle2", "idle1"])
        self.answers({}, "stop", name="idle*")
        self.orders(
            ("start", ["One Shot", "web", "solo"]),
            ("start", []),
            ("restart", ["idle1"]),
            ("reload", ["idle3"], False, True),
            ("start", ["idle2", "idle1"]),
            ("stop", ["idle1", "idle2", "idle3"], False),
        )

    def add_idle(self, *names: str) -> None:
        """Add stopped watchers without `autostart`, on the loop."""
        for name in names:
            self.target.all[name] = FakeWatcher(name, [], autostart=False)

    def test_numbers(self) -> None:
        self.answers({}, "incr", name=["web", "One Shot"], nb=2)
        sizes = {"web": 4, "One Shot": 3, "solo": 1}
        kept = {"singletons": ["solo"]}
        self.answers({"numprocesses": sizes, **kept}, "incr", name=["w*", "*"], nb=0, waiting=True)
        self.answers(kept, "decr", name=["web", "solo"])
        self.answers({"numprocesses": {"solo": 1}, **kept}, "decr", name=["solo"])
        self.answers({"numprocesses": {"web": 2}}, "decr", name="we*", waiting=True)
        self.orders(
            ("configure", [("resize", "web", 4), ("resize", "One Shot", 3)]),
            ("configure", [("resize", "web", 4), ("resize", "One Shot", 3)]),
            ("resize", "web", 3),
            ("resize", "web", 2),
        )
        self.answers({"numprocesses": 3}, "numprocesses", name=["web", "solo"])

    def test_questions_about_several(self) -> None:
        pids = {"solo": [42], "web": [6178, 6179]}
        self.answers({"pids": pids}, "list", name=["solo", "web", "solo"])
        infos = self.ask("stats", name="[ws]*")["infos"]
        self.assertEqual(
            {name: list(rows) for name, rows in infos.items()},
            {
                "solo": ["42"],
                "web": ["6178", "6179"],
            },
        )
        for details in (False, True):
            reply = self.ask("status", name=["One Shot", "WEB"], details=details)
            self.assertEqual(reply["status"], "ok")
            self.assertEqual(reply["statuses"], {"One Shot": "stopped", "web": "active"})
            self.assertEqual(reply["reasons"], {"One Shot": "exited with 3"})
            self.assertEqual(list(reply["watchers"]), ["One Shot", "web"])
        self.assertEqual(self.ask("status", name="we*")["statuses"], {"web": "active"})

    def test_questions_about_each(self) -> None:
        both = ["web", "solo"]
        for command, given in (("options", {}), ("get", {"keys": ["cmd"]}), ("why", {})):
            of_one = {}
            for name in both:
                reply = self.ask(command, name=name, **given)
                of_one[name] = {key: reply[key] for key in reply if key not in ALWAYS}
                self.answers(of_one[name], command, name=name.upper(), match="glob", **given)
            self.answers({"watchers": of_one}, command, name=["web", "s*"], **given)
            only = {"watchers": {"web": of_one["web"]}}
            self.answers(only, command, name=["web"], **given)
            self.answers(only, command, name="we*", **given)
        self.refuses(3, "solo: 'flapping.max_retry'", "get", name=both, keys="flapping.max_retry")
        self.refuses(3, "'nope' option not found", "get", name=["web"], keys="nope")

    def test_set(self) -> None:
        both = ["web", "solo"]
        self.answers({}, "set", name=both, options={"priority": 2})
        self.answers({}, "set", name="we*", options={"priority": 2}, waiting=True)
        self.loop.ask(setattr, self.target, "outcome", Outcome(gap=["solo"]))
        given = {"name": "[sw]*", "options": {"cmd": "sleep 5"}, "reason": "new", "waiting": True}
        self.answers({"gap": ["solo"]}, "set", **given)
        to_2, to_5 = {"priority": 2}, {"cmd": "sleep 5"}
        self.orders(
            ("configure", [("setoptions", "web", to_2), ("setoptions", "solo", to_2)]),
            ("setoptions", "web", to_2),
            (
                "configure",
                [("setoptions", "web", to_5, "new"), ("setoptions", "solo", to_5, "new")],
                "new",
            ),
        )
        said = "solo: "
        self.refuses(3, said, "set", name=both, options={"numprocesses": 3})
        self.refuses(3, "numproceses", "set", name=both, options={"numproceses": 3})


class TestRefusals(AnsweringCase):
    def test_a_list_where_one_is_wanted(self) -> None:
        self.refuses(3, "name: a list is not text", "add", name=["web"], cmd="sleep 5")

    def test_every_command_with_a_name_takes_several(self) -> None:
        named = {name for name, one in load_all().items() if "name" in one.by_name}
        self.assertEqual(named, {*SEVERAL, "add"})
        for name in named - {"add"}:
            self.assertIs(load_all()[name].by_name["name"].kind, to_watchers, name)
            self.assertIn("match", load_all()[name].by_name, name)

    def test_one_of_several_that_is_not_there(self) -> None:
        for command in SEVERAL:
            given = MORE.get(command, {})
            self.refuses(3, "program w2 not found", command, name=["web", "w2", "x*"], **given)
            self.refuses(3, "program x* not found", command, name=["web", "x*"], **given)

    def test_lists_that_name_nothing(self) -> None:
        for command in SEVERAL:
            given = MORE.get(command, {})
            self.refuses(3, "name: an empty list names no watcher", command, name=[], **given)
            for value in ([None], [5], [["web"]], [{}], ["a\0"]):
                self.refuses(3, "name: ", command, name=value, **given)

    def test_too_many_names(self) -> None:
        self.refuses(3, "name: 1001 names are more than 1000", "stop", name=["web"] * 1001)
        patterns = ["w*"] * (MOST_PATTERNS + 1)
        self.refuses(3, "name: more than 20 patterns", "stop", name=patterns)
        self.assertEqual(self.ask("stop", name=patterns[1:])["status"], "ok")
        self.loop.ask(self.target.orders.clear)
        self.assertEqual(self.ask("status", name=["web"] * 1000)["statuses"], {"web": "active"})
