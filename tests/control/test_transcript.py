"""The replies have the keys, the order and the types that a recording of Circus 0.19 has."""

from __future__ import annotations

import os
from typing import Any

from cvec_circus.wire.cause import Cause
from cvec_circus.wire.outcome import Outcome
from tests.control.control_case import AnsweringCase

TIME = float


class TestReplies(AnsweringCase):
    def test_key_order(self) -> None:
        self.assertEqual(list(self.ask("list")), ["status", "time", "watchers", "id"])

    def test_looking_up(self) -> None:
        self.answers({"watchers": ["one shot", "solo", "web"]}, "list")
        self.answers({"pids": [6178, 6179]}, "list", name="WEB")
        self.answers({"numprocesses": 3}, "numprocesses")
        self.answers({"numprocesses": 2, "watcher_name": "web"}, "numprocesses", name="Web")
        self.answers({"numwatchers": 3}, "numwatchers")
        sock = {"fd": 7, "name": "sock", "backlog": 2048, "host": "127.0.0.1", "port": 18088}
        self.answers({"sockets": [sock], "leaving": []}, "listsockets")
        self.answers({"pid": 1, "version": "0", "run": "ab", "uptime": 1.5}, "ping")

    def test_status(self) -> None:
        statuses = {"One Shot": "stopped", "web": "active", "solo": "active"}
        reasons = {"One Shot": "exited with 3"}
        phases = {"One Shot": "failed", "web": "up", "solo": "up"}
        expected = {"statuses": statuses, "phases": phases, "reasons": reasons}
        self.answers(expected, "status")
        self.answers({"status": "active", "phase": "up"}, "status", name="WEB")
        stopped = {"status": "stopped", "phase": "failed", "reason": "exited with 3"}
        self.answers(stopped, "status", name="one shot")

    def test_options(self) -> None:
        options = {"numprocesses": 2, "cmd": "sleep 1000", "flapping.max_retry": "3"}
        self.answers({"options": options}, "options", name="web")
        keys = ["numprocesses", "flapping.max_retry"]
        picked = {"numprocesses": 2, "flapping.max_retry": "3"}
        self.answers({"options": picked}, "get", name="web", keys=keys)
        self.answers({"options": {"cmd": "sleep 1000"}}, "get", name="web", keys="cmd")
        self.assertEqual(len(self.ask("globaloptions")["options"]), 5)
        endpoint = {"endpoint": "tcp://127.0.0.1:15555"}
        self.answers({"options": endpoint}, "globaloptions", option="endpoint")

    def test_stats(self) -> None:
        def process(pid: int) -> dict[str, Any]:
            return {"pid": pid, "cpu": 0.5, "cmdline": "sleep", "children": []}

        web = {"6178": process(6178), "6179": process(6179)}
        infos = {"One Shot": {}, "solo": {"42": process(42)}, "web": web}
        self.answers({"infos": infos}, "stats")
        self.answers({"infos": infos}, "stats", extended=False)
        self.answers({"name": "web", "info": web}, "stats", name="WEB")
        self.answers({"process": 6178, "info": process(6178)}, "stats", name="web", process="6178")
        daemon = {"pid": 1, "cpu": 0.0, "cmdline": "python3", "children": []}
        self.answers({"info": daemon}, "dstats")

    def test_numbers_of_processes(self) -> None:
        self.answers({}, "incr", name="web")
        self.answers({"numprocesses": 5}, "incr", name="web", nb=2, waiting=True)
        self.answers({"numprocesses": 2}, "decr", name="web", nb="3", waiting=True)
        self.answers({"numprocesses": 2}, "incr", name="web", nb=0, waiting=True)
        self.answers({}, "decr", name="web", nb=50)
        self.orders(*(("resize", "web", size) for size in (3, 5, 2, 2, 0)))
        singleton = {"numprocesses": 1, "singleton": True}
        for command in ("incr", "decr"):
            self.answers(singleton, command, name="solo")
            self.answers(singleton, command, name="solo", waiting=True)
        self.orders()

    def test_an_order_may_have_a_reason(self) -> None:
        self.answers({}, "incr", name="web", reason="a sale,\nuntil noon ")
        self.answers({}, "decr", name="web", reason=None)
        self.answers({}, "set", name="web", options={"priority": 2}, reason="a whim")
        self.orders(
            ("resize", "web", 3, "a sale, until noon"),
            ("resize", "web", 2),
            ("setoptions", "web", {"priority": 2}, "a whim"),
        )
        self.answers({}, "add", name="new", cmd="sleep 5", start=True, reason="it")
        for command in ("start", "stop", "restart", "reload", "rm", "kill"):
            self.answers({}, command, name="web", reason="it")
        self.answers({}, "signal", name="web", signum=1, reason="it")
        self.answers({}, "quit", reason="it")
        words = ("add", "add", "start", "stop", "restart", "reload", "rm", "kill", "signal", "quit")
        causes = self.loop.ask(lambda: self.target.causes[3:])
        me = f"client (pid {os.getpid()}, uid {os.getuid()})"
        self.assertEqual(causes, [Cause(f"command:{word}", me, "it") for word in words])
        self.loop.ask(self.target.orders.clear)
        for value in (5, [], "x" * 501):
            answer = self.ask("incr", name="web", reason=value)
            self.assertEqual(answer["errno"], 3)
            self.assertIn("reason: ", answer["reason"])

    def test_orders_that_nobody_waits_for(self) -> None:
        for command in ("start", "stop", "restart", "quit", "reload"):
            self.answers({}, command)
        self.orders(
            ("start", None),
            ("stop", None, False),
            ("restart", None),
            ("quit",),
            ("reload", None, False, True),
        )

    def test_orders_that_are_waited_for(self) -> None:
        three = {"info": {"stopped": [3], "started": [1, 2], "kept": [4]}}
        for command in ("reload", "restart"):
            self.answers(three, command, name="web", waiting=True)
        self.answers(three, "reload", name="web", sequential=True, waiting=True)
        self.answers(three, "reload", name="web", graceful=False, waiting=True)
        started = {"started": [1, 2], "kept": [4]}
        self.answers({"info": started}, "start", name="web", waiting=True)
        self.answers({"info": None}, "stop", name="web", waiting=True)
        self.answers({"info": None}, "stop", name="web", failed=True, waiting=True)
        for command in ("kill", "rm"):
            self.answers({}, command, name="web", waiting=True)
        self.answers({}, "quit", waiting=True)
        self.orders(
            ("reload", ["web"], False, True),
            ("restart", ["web"]),
            ("reload", ["web"], True, True),
            ("reload", ["web"], False, False),
            ("start", ["web"]),
            ("stop", ["web"], False),
            ("stop", ["web"], True),
            ("kill", "web", [6178, 6179], None, None, False),
            ("remove", "web", False),
            ("quit",),
        )

    def test_what_is_left_of_a_watcher(self) -> None:
        stray = {"watcher": "web", "pid": 77, "command": "sleep 5"}
        self.loop.ask(setattr, self.target, "outcome", Outcome(strays=[stray]))
        self.answers({"info": None, "strays": [stray]}, "stop", name="web", waiting=True)
        nothing: dict[str, Any] = {"stopped": [], "started": [], "kept": []}
        restarted = {"info": nothing, "strays": [stray]}
        self.answers(restarted, "restart", name="web", waiting=True)
        self.answers({"info": nothing}, "reload", name="web", waiting=True)
        self.answers({"strays": [stray]}, "rm", name="web", waiting=True)
        self.answers({"strays": [stray]}, "quit", waiting=True)
        self.answers({}, "stop", name="web")

    def test_add(self) -> None:
        started = {"started": [1, 2], "kept": [4]}
        options = {"numprocesses": "1", "flapping.window": 3}
        new = {"name": "new", "cmd": "sleep 5"}
        self.answers(started, "add", **new, start=True, options=options, waiting=True)
        self.answers({}, "add", **new, waiting=True)
        self.answers({}, "add", **new, args=["5"], start=True)
        self.orders(
            ("add", "new", {"cmd": "sleep 5", "numprocesses": 1, "flapping.window": 3}),
            ("start", ["new"]),
            ("add", "new", {"cmd": "sleep 5"}),
            ("add", "new", {"cmd": "sleep 5", "args": ["5"]}),
            ("start", ["new"]),
        )

    def test_set(self) -> None:
        self.answers({}, "set", name="web", options={"numprocesses": 3}, waiting=True)
        options = {"stop_signal": "SIGINT", "graceful_timeout": "5", "x.y": [1]}
        self.answers({}, "set", name="web", options=options)
        self.answers({}, "set", name="web", options={})
        typed = {"stop_signal": 2, "graceful_timeout": 5.0, "x.y": [1]}
        self.orders(
            ("setoptions", "web", {"numprocesses": 3}),
            ("setoptions", "web", typed),
            ("setoptions", "web", {}),
        )

    def test_signals(self) -> None:
        for given, number in ((1, 1), ("QUIT", 3), ("SIGQUIT", 3), ("9", 9), ("SIGRTMIN+1", 35)):
            self.answers({}, "signal", name="web", signum=given)
            self.orders(("signal", "web", [6178, 6179], number, None, False, False))
        self.answers({}, "signal", name="web", signum=1, pid=6178, childpid="6", recursive=True)
        self.answers({}, "kill", name="web", pid="6179", signum="usr1", graceful_timeout="0.5")
        self.orders(
            ("signal", "web", [6178], 1, 6, False, True), ("kill", "web", [6179], 10, 0.5, False)
        )

    def test_a_surge_has_no_signal_of_its_own(self) -> None:
        self.answers({}, "kill", name="web", pid=6178, surge=True)
        self.orders(("kill", "web", [6178], None, None, True))
        for more in ({"signum": 9}, {"graceful_timeout": 0}):
            answer = self.ask("kill", name="web", surge=True, **more)
            said = "message invalid: surge: not with signum or graceful_timeout"
            self.assertEqual((answer["reason"], answer["errno"]), (said, 3))

    def test_names_that_match(self) -> None:
        self.answers({"info": None}, "stop", name="w*", match="glob", waiting=True)
        self.answers({}, "stop", name="[sw]*")
        self.answers({}, "rm", name="w*", match="glob")
        self.orders(
            ("stop", ["web"], False), ("stop", ["web", "solo"], False), ("remove", "web", False)
        )

    def test_names_in_any_case(self) -> None:
        for command in ("STATUS", "Status", "sTaTuS"):
            self.answers({"status": "active", "phase": "up"}, command, name="WEB")

    def test_events(self) -> None:
        nothing = {"events": [], "more": False, "lost": 0, "seq": 9, "run": "ab"}
        self.answers(nothing, "events")
        self.answers(nothing, "events", since="7", limit=2, marker="a-1")
        self.orders(("events", None, 500, None), ("events", 7, 2, "a-1"))

    def test_a_wait_that_fails(self) -> None:
        self.loop.ask(setattr, self.target, "outcome", Outcome(error="start of web abandoned"))
        reply = self.ask("start", name="web", waiting=True)
        self.assertTrue(reply.pop("accepted"))
        self.assert_refused(reply, 5, "start of web abandoned")


class TestRefusals(AnsweringCase):
    def test_words_of_circus(self) -> None:
        self.assertEqual(self.ask("list", name="no")["reason"], "program no not found")
        reason = self.ask("get", name="web", keys=["nokey"])["reason"]
        self.assertEqual(reason, "'nokey' option not found")
        self.assertEqual(self.ask("get", name="web")["reason"], "message invalid 'keys' is missing")
        self.assertEqual(self.ask("bogus")["reason"], "unknown command: 'bogus'")
        reason = self.ask("set", name="web", options={"bogus": 3})["reason"]
        self.assertEqual(reason, "unknown key 'bogus'")
        reply = self.ask("start", name="w.b", match="zz", waiting=True)
        self.assertEqual(reply["reason"], "unknown match method zz")
        reason = self.ask("stats", name="web", process=5)["reason"]
        self.assertEqual(reason, "process 5 not found in 'web'")
        reason = self.ask("globaloptions", option="zz")["reason"]
        self.assertEqual(reason, "'zz' not an existing option")

    def test_a_name_that_is_taken(self) -> None:
        self.refuses(5, "'WEB' already exist", "add", name="WEB", cmd="sleep 5")

    def test_a_need_that_nothing_meets_yet(self) -> None:
        needs = {"depends_on": "solo, sole:started", "part_of": "nope"}
        said = [
            "depends_on: there is no watcher sole; did you mean solo?; a start waits for it",
            "part_of: there is no watcher nope; a start waits for it",
        ]
        self.assertEqual(self.ask("set", name="web", options=needs)["warnings"], said)
        add = self.ask("add", name="new", cmd="sleep 5", options=needs, more=1)
        self.assertEqual(add["warnings"], ["ignored unknown properties: 'more'", *said])
        self.assertNotIn("warnings", self.ask("set", name="web", options={"depends_on": "SOLO"}))
        self.assertNotIn("warnings", self.ask("set", name="web", options={"depends_on": ""}))

    def test_unknown_watchers(self) -> None:
        for command in ("list", "status", "stats", "options", "start", "stop", "restart", "kill"):
            self.refuses(3, "program zz not found", command, name="zz")
        for command in ("incr", "decr", "rm", "reload", "numprocesses"):
            self.refuses(3, "program zz not found", command, name="zz")

    def test_what_is_missing(self) -> None:
        for command in ("incr", "decr", "kill", "options", "rm", "signal", "set", "get", "add"):
            self.refuses(3, "message invalid 'name' is missing", command)
        self.refuses(3, "'signum' is missing", "signal", name="web")
        self.refuses(3, "'options' is missing", "set", name="web")
        self.refuses(3, "'cmd' is missing", "add", name="new")
        self.refuses(3, "pid is missing", "signal", name="web", signum=1, childpid=3)
        self.refuses(3, "name is missing", "stats", process=3)

    def test_a_null_name_is_not_everything(self) -> None:
        for command in ("stop", "start", "restart", "reload", "list", "status", "stats"):
            self.refuses(3, "message invalid: name: null", command, name=None)

    def test_wrong_types(self) -> None:
        for value in (5, [], {}, True, 1.5):
            self.refuses(3, "name: ", "stop", name=value)
        for value in ("z", -5, "-1", 1.5, True, [], 10**15, ""):
            self.refuses(3, "nb: ", "incr", name="web", nb=value)
        for value in ("usr9", 999, 0, -1, "0", "", True, [], 1.5, "SIGRTMAX+1"):
            self.refuses(3, "signum: ", "signal", name="web", signum=value)
        for value in ("z", 2, [], -1, ""):
            self.refuses(3, "waiting: ", "stop", name="web", waiting=value)
        for value in ("z", -1, "-0.5", [], True, 10**15):
            self.refuses(3, "timeout: ", "stop", name="web", timeout=value)
            self.refuses(3, "graceful_timeout: ", "kill", name="web", graceful_timeout=value)
        for value in ("z", [], 5, None):
            self.refuses(3, "options", "set", name="web", options=value)
        for value in ([5], {}, 5):
            self.refuses(3, "keys: ", "get", name="web", keys=value)
        for value in ("z", -1, 501):
            self.refuses(3, "limit: ", "events", limit=value)
        for value in ("a.b", "", "x" * 65, 5):
            self.refuses(3, "marker: ", "events", marker=value)

    def test_names_that_nobody_should_bear(self) -> None:
        for name in ("", " ", "a\nb", "\0", "x" * 10_240, "\ud800", "\u2028", "\x1b[1m"):
            self.refuses(3, "name: ", "add", name=name, cmd="sleep 5")
        self.refuses(3, "invisible character U+200B", "add", name="w\u200b", cmd="sleep 5")

    def test_bad_options(self) -> None:
        def add(**options: Any) -> dict[str, Any]:
            return {"name": "new", "cmd": "sleep 5", "options": options}

        self.refuses(3, "unknown key 'zork'", "add", **add(zork=1))
        self.refuses(3, "unknown key 'signleton'; did you mean", "add", **add(signleton=1))
        self.refuses(3, "unknown key", "add", **add(**{"x" * 100_000: 1}))
        self.refuses(3, "numprocesses: ", "add", **add(numprocesses="many"))
        self.refuses(3, "numprocesses: ", "set", name="web", options={"numprocesses": -1})
        self.refuses(3, "cmd: ", "add", name="new", cmd=" ")

    def test_unknown_properties(self) -> None:
        self.refuses(3, "'nmae'; did you mean name?", "stop", nmae="web")
        self.refuses(3, "unknown property 'zork'", "list", zork=1)
        self.refuses(3, "unknown property", "list", **{"x" * 10_000: 1})
        self.refuses(3, "unknown property", "list", __class__=1)

    def test_a_property_in_the_wrong_place(self) -> None:
        for command in ("stop", "list", "quit", "restart"):
            reply = self.ask_message({"id": "x", "command": command, "name": "web"})
            self.assert_refused(reply, 3, "'name' belongs in 'properties'")
        reply = self.ask_message({"id": "x", "command": "stop", "waiting": True})
        self.assert_refused(reply, 3, "'waiting' belongs in 'properties'")

    def test_an_unknown_key_beside_the_properties(self) -> None:
        for key, hint in (
            ("propertys", "; did you mean properties?"),
            ("Properties", "; did you mean properties?"),
            ("props", ""),
            ("", ""),
            ("x" * 10_000, ""),
        ):
            for command in ("stop", "list", "quit", "reloadconfig"):
                reply = self.ask_message({"id": "x", "command": command, key: {"name": "web"}})
                self.assert_refused(reply, 3, f"message invalid: unknown key {key[:60]!r}{hint}")
        reply = self.ask_message({"id": "x", "comand": "list"})
        self.assert_refused(reply, 3, "unknown key 'comand'; did you mean command?")
        self.assertEqual(self.ask("status")["statuses"]["web"], "active")

    def test_every_key_of_a_message(self) -> None:
        message = {"id": "x", "command": "list", "properties": {}, "msg_type": "call"}
        for known in (message, {**message, "actor": "deploy"}):
            self.assertEqual(self.ask_message(known)["status"], "ok")

    def test_a_pattern_where_one_is_wanted(self) -> None:
        one = "[sw]* matches 2 watchers; name one: solo, web"
        for command, pid in (("kill", "pid"), ("signal", "pid"), ("stats", "process")):
            given = {pid: 42, **({"signum": 1} if command == "signal" else {})}
            self.refuses(3, one, command, name="[sw]*", match="glob", **given)
            two = "web, solo matches 2 watchers; name one: solo, web"
            self.refuses(3, two, command, name=["web", "solo"], **given)

    def test_what_this_version_does_not_have(self) -> None:
        self.refuses(5, "listen: subscribe to the pubsub_endpoint instead", "listen")
