"""From a message to its one answer, at once or after a look-up of names."""

from __future__ import annotations

import json
import unittest
from collections.abc import Sequence
from typing import Any
from unittest import mock

from cvec_circus import exc
from cvec_circus.commands import table
from cvec_circus.commands.target import Wanted
from cvec_circus.control import dispatch
from cvec_circus.control.dispatch import STOPPING, Deferred, Dispatcher, Pending
from cvec_circus.control.server import Reply
from cvec_circus.exc import ConflictError, OptionError
from cvec_circus.options.rights import Accounts
from cvec_circus.wire.outcome import Outcome
from tests.control.fake_target import FakeTarget
from tests.support.clock import FakeClock
from tests.support.logs import silent

MUTATING = {
    "add": {"name": "new", "cmd": "sleep 5"},
    "decr": {"name": "web"},
    "incr": {"name": "web"},
    "kill": {"name": "web"},
    "reload": {},
    "reloadconfig": {},
    "reopen": {},
    "restart": {},
    "rm": {"name": "web"},
    "set": {"name": "web", "options": {}},
    "signal": {"name": "web", "signum": 1},
    "start": {},
    "stop": {},
    "upgrade": {},
}


class FakeRequest:
    """A request from nowhere, with what it is answered.

    Attributes:
        awaited: The replies that are to learn when their client is gone.
    """

    count = 1
    is_refused = False

    def __init__(self, message: dict[str, Any]) -> None:
        self.frames = [json.dumps(message).encode()]
        self.largest = len(self.frames[0])
        self.answers: list[dict[str, Any]] = []
        self.awaited: set[Reply] = set()
        self.has_room = True
        self.asked = 0
        self.client = self

    def send(self, answer: bytes) -> None:
        self.answers.append(json.loads(answer))

    def credentials(self) -> tuple[int, int] | None:
        self.asked += 1
        return 123, 1000

    def take(self) -> bytes:
        return self.frames[0]

    def keep(self, reply: Reply, waits: bool) -> bool:
        if self.has_room:
            self.awaited.add(reply)
        return self.has_room

    def release(self, reply: Reply) -> None:
        self.awaited.discard(reply)


class DispatchCase(unittest.TestCase):
    def setUp(self) -> None:
        self.target = FakeTarget()
        self.clock = FakeClock()
        self.dispatch = Dispatcher(self.target, self.clock)

    def give(self, command: str, **properties: Any) -> list[dict[str, Any]]:
        """Send a request; returns the list that its answers go to."""
        return self.give_message({"id": 1, "command": command, "properties": properties})

    def give_message(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        request = FakeRequest(message)
        self.dispatch(request)
        return request.answers


class TestLater(DispatchCase):
    def test_a_wait_is_answered_at_its_end(self) -> None:
        self.target.outcome = None
        answers = self.give("start", name="web", waiting=True)
        self.assertEqual(answers, [])
        self.clock.advance(5)
        self.target.settle(Outcome(started=[7]))
        info = {"started": [7], "kept": []}
        self.assertEqual(
            answers, [{"status": "ok", "time": self.clock.wall, "info": info, "id": 1}]
        )

    def test_the_timeout_goes_with_the_wait(self) -> None:
        self.target.outcome = None
        self.give("start", name="web", waiting=True)
        self.give("start", name="web", waiting=True, timeout="2.5")
        self.give("stop", name="web", waiting=True, timeout=None)
        self.assertEqual([wait.timeout for wait in self.target.waits], [None, 2.5, None])

    def test_no_room_for_one_more_that_waits(self) -> None:
        request = FakeRequest({"id": 1, "command": "stop", "properties": {"waiting": True}})
        request.has_room = False
        self.dispatch(request)
        self.assertIn("too many requests are waiting", request.answers[0]["reason"])
        self.assertEqual(self.target.orders, [])

    def test_an_order_is_noted_before_its_answer(self) -> None:
        noted: list[int] = []
        request = FakeRequest({"command": "stop"})
        self.dispatch = Dispatcher(self.target, note=lambda: noted.append(len(request.answers)))
        self.dispatch(request)
        self.assertEqual((noted, len(request.answers)), ([0], 1))
        self.give("status")
        self.give_message({"command": "stop", "msg_type": "cast"})
        self.assertEqual(noted, [0], "a question changes nothing, and a cast has no answer")

    def test_hooks_that_are_not_found(self) -> None:
        looked: list[Wanted] = []

        def look_up(wanted: Wanted, then: Any) -> None:
            looked.append(wanted)
            then(None, ["hooks.before_start: there is no module no"])

        self.dispatch = Dispatcher(self.target, self.clock, look_up=look_up)
        for command, more in (("set", {"name": "web"}), ("add", {"name": "new", "cmd": "x"})):
            options = {"hooks.before_start": "no.hook", "hooks.after_stop": None}
            [answer] = self.give(command, options=options, **more)
            self.assertEqual(answer["warnings"], ["hooks.before_start: there is no module no"])
        self.assertEqual([len([*one.hooks]) for one in looked], [1, 1])
        [answer] = self.give("set", name="web", options={"priority": 1})
        self.assertEqual((answer.get("warnings"), len(looked)), (None, 2))

        guard = mock.Mock(side_effect=exc.MessageError("not you"))
        self.dispatch = Dispatcher(self.target, self.clock, guard, look_up)
        [answer] = self.give("set", name="web", options={"hooks.before_start": "no.hook"})
        self.assertEqual((answer["reason"], len(looked)), ("not you", 2))

    def test_what_is_answered_is_forgotten(self) -> None:
        self.target.outcome = None
        request = FakeRequest({"command": "stop", "properties": {"waiting": True}})
        self.dispatch(request)
        self.assertEqual(len(request.awaited), 1)
        self.target.settle(Outcome())
        self.assertEqual(request.awaited, set())

    def test_a_cast_may_wait_too(self) -> None:
        message = {"command": "quit", "properties": {"waiting": True}, "msg_type": "cast"}
        self.assertEqual(self.give_message(message), [])
        self.assertEqual(self.target.orders, [("quit",)])

    def test_a_second_answer_is_dropped_and_logged(self) -> None:
        self.target.outcome = None
        answers = self.give("quit", waiting=True)
        (wait,) = self.target.waits
        wait.then(Outcome())
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            wait.then(Outcome())
        self.assertEqual(len(answers), 1)
        self.assertIn("second answer to quit", logs.output[0])

    def test_samples_are_answered_when_they_come(self) -> None:
        self.target.hold_samples = True
        answers = self.give("stats") + self.give("dstats")
        self.assertEqual(answers, [])
        self.assertEqual(len(self.target.samplings), 2)

    def test_a_process_that_goes_while_it_is_sampled(self) -> None:
        answers: list[dict[str, Any]] = []
        self.target.sample = lambda watchers, pid, then, refuse, extended: then({})  # type: ignore[method-assign]
        answers += self.give("stats", name="web", process=6178)
        answers += self.give("stats", name="web")
        self.assertEqual(answers[0]["reason"], "process 6178 not found in 'web'")
        self.assertEqual(answers[1]["info"], {})


class TestStopping(DispatchCase):
    def setUp(self) -> None:
        super().setUp()
        self.target.stopping = True

    def test_every_command_is_known_to_change_something_or_not(self) -> None:
        commands = table.load_all()
        mutating = {name for name, command in commands.items() if command.mutating}
        self.assertEqual(mutating, {*MUTATING, "quit"})

    def test_what_changes_something_is_refused(self) -> None:
        for command, properties in MUTATING.items():
            with self.subTest(command=command):
                (answer,) = self.give(command, **properties)
                self.assertEqual((answer["reason"], answer["errno"]), (STOPPING, 5))
        self.assertEqual(self.target.orders, [])

    def test_a_wrong_message_is_told_first(self) -> None:
        (answer,) = self.give("incr", name="web", nb="z")
        self.assertEqual(answer["errno"], 3)

    def test_what_only_looks_is_answered(self) -> None:
        for command in ("list", "status", "stats", "dstats", "events", "ping", "numwatchers"):
            (answer,) = self.give(command)
            self.assertEqual(answer["status"], "ok", command)

    def test_quit_is_answered(self) -> None:
        for waiting in (False, True):
            (answer,) = self.give("quit", waiting=waiting)
            self.assertEqual(answer["status"], "ok")


class TestFaults(DispatchCase):
    def fails(self, problem: Exception) -> dict[str, Any]:
        self.target.raises = problem
        (answer,) = self.give("stop", name="web")
        self.assertEqual(answer["id"], 1)
        self.assertIsNone(answer["tb"])
        return answer

    def test_what_is_no_fault_of_ours_is_not_logged(self) -> None:
        with silent(self):
            self.assertEqual(self.fails(ConflictError("not now"))["errno"], 5)
            self.assertEqual(self.fails(OptionError("cmd", "empty"))["reason"], "cmd: empty")
            answer = self.fails(PermissionError(1, "Operation not permitted"))
            self.assertEqual(answer["errno"], 4)
            self.assertIn("Operation not permitted", answer["reason"])

    def test_a_fault_of_ours_is_logged_and_answered(self) -> None:
        for problem in (KeyError("secret"), AssertionError(), RecursionError()):
            with self.assertLogs("cvec_circus", "ERROR") as logs:
                answer = self.fails(problem)
            self.assertEqual(answer["errno"], 5)
            self.assertNotIn("secret", answer["reason"])
            self.assertIn("Traceback", logs.output[0])

    def test_an_answer_without_a_json_form(self) -> None:
        for value in ({1, 2}, float("nan"), b"x", object()):
            self.target.options = lambda watcher, value=value: {"x": value}  # type: ignore
            with self.assertLogs("cvec_circus", "ERROR"):
                (answer,) = self.give("options", name="web")
            self.assertEqual((answer["status"], answer["errno"]), ("error", 5))

    def test_a_fault_after_the_answer_does_not_answer_again(self) -> None:
        def give(order: Any, wait: Any) -> None:
            wait.then(Outcome())
            raise KeyError("late")

        self.target.give = give  # type: ignore[method-assign]
        with self.assertLogs("cvec_circus", "ERROR"):
            (answer,) = self.give("stop", waiting=True)
        self.assertEqual(answer["status"], "ok")


SLOW = Accounts("slow", None)


class TestDeferred(unittest.TestCase):
    """With look-ups that end when the test says so."""

    def setUp(self) -> None:
        self.asked: list[tuple[Accounts, Any]] = []
        self.done: list[Any] = []
        self.deferred = Deferred(self.look_up)

    def send(
        self, what: str, name: str | None = "w", client: str = "me", needs: Any = None
    ) -> None:
        """Send a message that needs these accounts, which may be an error."""

        def wanted() -> Wanted:
            if isinstance(needs, Exception):
                raise needs
            return Wanted({} if needs is None else {needs: ""})

        def now() -> None:
            self.done.append(what)

        def later(problem: Any, warnings: Sequence[str] = ()) -> None:
            self.done.append(what if problem is None else f"{what}: {problem}")

        names = () if name is None else name.split()
        self.deferred.carry_out(client, names, Pending(wanted, now, later))

    def look_up(self, wanted: Wanted, then: Any) -> None:
        self.asked.append((*wanted.accounts, then))

    def answer(self, problem: OptionError | None = None) -> None:
        """End the first look-up."""
        _, then = self.asked.pop(0)
        then(problem)

    def test_what_needs_no_names_waits_for_nothing(self) -> None:
        self.send("set", needs=SLOW)
        self.send("start", "x")
        self.send("start", client="you")
        self.send("stop", None)
        self.assertEqual(self.done, ["start", "start", "stop"])
        self.answer()
        self.assertEqual(self.done[3:], ["set"])
        self.send("start")
        self.assertEqual(self.done[4:], ["start"])

    def test_what_comes_after_it_keeps_its_place(self) -> None:
        other = Accounts(None, "other")
        self.send("add", "W", needs=SLOW)
        self.send("start", "w")
        self.send("set", needs=other)
        self.send("refused", needs=exc.MessageError("no such option"))
        self.send("stop")
        self.assertEqual(([accounts for accounts, _ in self.asked], self.done), ([SLOW], []))
        self.answer()
        self.assertEqual(self.done, ["add", "start"])
        self.assertEqual([accounts for accounts, _ in self.asked], [other])
        self.answer(OptionError("gid", "there is no group other"))
        self.assertEqual(
            self.done[2:], ["set: gid: there is no group other", "refused: no such option", "stop"]
        )
        self.assertEqual((self.deferred._lines, self.deferred._count), ({}, 0))

    def test_one_about_several_keeps_its_place_in_each_line(self) -> None:
        self.send("set v", "v", needs=SLOW)
        self.send("set w", "w", needs=SLOW)
        self.send("stop", "v w x W")
        self.send("start v", "v")
        self.send("start x", "x")
        self.send("set x", "x", needs=SLOW)
        self.send("start y", "y")
        self.send("restart", "y z")
        self.assertEqual(self.done, ["start y", "restart"])
        self.answer()
        self.assertEqual(self.done[2:], ["set v"])
        self.answer()
        self.assertEqual(self.done[3:], ["set w", "stop", "start x", "start v"])
        self.assertEqual(len(self.asked), 1)  # for x, and once
        self.answer()
        self.assertEqual(self.done[7:], ["set x"])
        self.assertEqual((self.deferred._lines, self.deferred._count), ({}, 0))

    def test_two_about_several_in_each_others_lines(self) -> None:
        self.send("set", "v", needs=SLOW)
        self.send("first", "w v")
        self.send("second", "x w")
        self.send("third", "v x")
        self.answer()
        self.assertEqual(self.done, ["set", "first", "second", "third"])
        self.assertEqual((self.deferred._lines, self.deferred._count), ({}, 0))

    def test_what_cannot_begin(self) -> None:
        with self.assertRaisesRegex(exc.MessageError, "nonsense"):
            self.send("set", needs=exc.MessageError("nonsense"))
        broken = Deferred(mock.Mock(side_effect=exc.CircusError("no thread")))
        with self.assertRaisesRegex(exc.CircusError, "no thread"):
            broken.carry_out("me", ["w"], Pending(lambda: SLOW, print, print))
        self.assertEqual((broken._lines, broken._count), ({}, 0))

    def test_one_that_cannot_begin_in_its_turn(self) -> None:
        self.send("set", needs=SLOW)
        self.send("again", needs=SLOW)
        self.send("stop")
        with mock.patch.object(self.deferred, "_look_up", side_effect=exc.CircusError("no thread")):
            self.answer()
        self.assertEqual(self.done, ["set", "again: no thread", "stop"])

    def test_too_many(self) -> None:
        with mock.patch.object(dispatch, "MOST", 2):
            self.send("one", needs=SLOW)
            self.send("two")
            for name in ("w", "x"):
                with self.assertRaisesRegex(
                    exc.CircusError, "too many messages are waiting for names"
                ):
                    self.send("three", name, needs=SLOW)
            self.answer()
            self.send("three", needs=SLOW)
        self.assertEqual(self.done, ["one", "two"])

    def test_the_end(self) -> None:
        self.send("set", needs=SLOW)
        self.send("stop", "w v")
        self.deferred.refuse_all()
        reason = "the supervisor has stopped"
        self.assertEqual(self.done, [f"set: {reason}", f"stop: {reason}"])
        self.answer()
        self.assertEqual(len(self.done), 2)

    def test_an_answer_at_once(self) -> None:
        self.deferred = Deferred(lambda accounts, then: then(None))
        self.send("set", needs=SLOW)
        self.assertEqual(self.done, ["set"])
