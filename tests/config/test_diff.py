"""Plans: what is, and what a file says, and what follows from it."""

from __future__ import annotations

import json
import unittest
from typing import Any

from cvec_circus.config.configuration import Configuration
from cvec_circus.config.diff import (
    FAILED,
    FINISHED,
    IDLE,
    STOPPED,
    UP,
    Present,
    Running,
    compare,
    three_way,
)
from cvec_circus.config.plan import Change, Plan, Step, as_json
from cvec_circus.config.readers.mapping import from_mappings
from cvec_circus.options.secrets import CONCEALED


def configuration(**options: Any) -> Configuration:
    """A configuration with one watcher."""
    return from_mappings([{"name": "web", "cmd": "run", **options}])


def full(**options: Any) -> dict[str, Any]:
    return dict(configuration(**options).watchers[0].options)


class TestThreeWay(unittest.TestCase):
    """Three states of an option."""

    def changed(self, live: Any, loaded: Any, new: Any) -> tuple[Any, list[tuple[Any, ...]]]:
        options, changes = three_way(full(**live), loaded and full(**loaded), full(**new))
        return options, [tuple(change) for change in changes]

    def test_the_file_says_the_same(self) -> None:
        options, changes = self.changed({"priority": 5}, {"priority": 1}, {"priority": 1})
        self.assertEqual(options["priority"], 5)
        self.assertEqual(changes, [("priority", 5, 1, "kept")])

    def test_the_file_says_something_else(self) -> None:
        for live in (1, 5):
            options, changes = self.changed({"priority": live}, {"priority": 1}, {"priority": 2})
            self.assertEqual(options["priority"], 2)
            self.assertEqual(changes, [("priority", live, 2, "live")])

    def test_it_was_set_to_what_the_file_says_now(self) -> None:
        _, changes = self.changed({"priority": 2}, {"priority": 1}, {"priority": 2})
        self.assertEqual(changes, [])

    def test_it_was_not_loaded(self) -> None:
        options, changes = three_way(full(priority=5), None, full())
        self.assertEqual(options, full())
        self.assertEqual([tuple(one) for one in changes], [("priority", 5, 0, "live")])

    def test_variables_one_by_one(self) -> None:
        options, changes = self.changed(
            {"env": {"A": "1", "B": "set", "NEW": "set"}},
            {"env": {"A": "1", "B": "1", "C": "1"}},
            {"env": {"A": "2", "B": "1", "C": "1"}},
        )
        self.assertEqual(options["env"], {"A": "2", "B": "set", "NEW": "set"})
        self.assertEqual(
            changes,
            [
                ("env.A", "1", "2", "fresh"),
                ("env.B", "set", "1", "kept"),
                ("env.C", None, "1", "kept"),
                ("env.NEW", "set", None, "kept"),
            ],
        )

    def test_checks_one_by_one(self) -> None:
        options, changes = self.changed(
            {"ready": {"up": "log:v1", "set": "notify"}},
            {"ready": {"up": "log:v1"}},
            {"ready": {"up": "http://127.0.0.1:80/"}, "live": {"a": "exec:true"}},
        )
        self.assertEqual({n: str(c) for n, c in options["ready"].items()}["set"], "notify")
        self.assertEqual(
            changes,
            [
                ("live.a", None, "exec:true", "live"),
                ("ready.set", "notify", None, "kept"),
                ("ready.up", "log:v1", "http://127.0.0.1:80/", "live"),
            ],
        )

    def test_what_was_set_does_not_go_with_the_file(self) -> None:
        options, changes = self.changed(
            {"numprocesses": 3, "priority": 5}, {}, {"singleton": True, "numprocesses": 1}
        )
        self.assertEqual((options["numprocesses"], options["priority"]), (1, 0))
        effects = {name: effect for name, _, _, effect in changes}
        self.assertEqual(effects, {"numprocesses": "live", "priority": "live", "singleton": "live"})

    def test_freeform_keys_and_limits_that_go(self) -> None:
        options, changes = self.changed(
            {"my.key": "x", "rlimit_nofile": 5}, {"my.key": "x", "rlimit_nofile": 5}, {}
        )
        self.assertEqual(options.keys() & {"my.key", "rlimit_nofile"}, set())
        self.assertEqual(
            changes, [("my.key", "x", None, "live"), ("rlimit_nofile", 5, None, "fresh")]
        )


class TestPlan(unittest.TestCase):
    """Whole plans."""

    def step(self, standing: str, before: dict[str, Any], after: dict[str, Any]) -> Step | None:
        options = full(**before)
        is_waiting = standing == "waiting"
        where = UP if is_waiting else standing
        running = Running("web", options, options, where, is_waiting)
        circus = configuration().circus
        plan = compare(Present(circus, [running], [], {}), configuration(**after))
        return plan.watchers[0] if plan.watchers else None

    def processes(self, standing: str, before: dict[str, Any], after: dict[str, Any]) -> str:
        step = self.step(standing, before, after)
        return "-" if step is None else step.processes

    def test_what_becomes_of_the_processes(self) -> None:
        none: dict[str, Any] = {}
        job = {"schedule": "0 0 1 1 *"}
        to = lambda name: {"stdout_stream": {"filename": name}}  # noqa: E731
        other, off, late = {"cmd": "walk"}, {"autostart": False}, {"graceful_timeout": 1}
        for standing, before, after, expected in (
            (UP, none, none, "-"),
            (UP, none, other, "replace"),
            (UP, none, to("a"), "replace"),
            (UP, to("a"), to("b"), ""),
            (UP, to("a"), none, "replace"),
            (UP, none, late, ""),
            (UP, none, off, "stop"),
            ("waiting", none, other, ""),
            ("waiting", none, off, "stop"),
            ("waiting", job, none, "start"),
            ("waiting", job, {**other, "schedule": "1 0 1 1 *"}, ""),
            (UP, job, none, ""),
            (STOPPED, job, none, ""),
            ("waiting", {"on_demand": True, "use_sockets": True}, {"use_sockets": True}, "start"),
            ("waiting", {"depends_on": "db"}, other, "start"),
            ("waiting", {"depends_on": "db, c"}, {"depends_on": "c"}, ""),
            ("waiting", job, {"depends_on": "c"}, ""),
            (UP, off, none, ""),
            (UP, off, {**off, **other}, "replace"),
            (IDLE, off, none, "start"),
            (IDLE, off, {**off, **other}, ""),
            (STOPPED, none, other, ""),
            (STOPPED, off, none, "start"),
            (FAILED, none, none, "-"),
            (FAILED, none, late, "start"),
            (FAILED, none, {**other, **off}, ""),
            (FINISHED, {"respawn": False}, {"respawn": False, **late}, ""),
            (FINISHED, {"respawn": False}, {"respawn": False, **other}, "start"),
            (FINISHED, {"respawn": False}, none, "start"),
            (FINISHED, {"respawn": False}, {"respawn": False, **job}, "start"),
        ):
            with self.subTest(standing=standing, before=before, after=after):
                self.assertEqual(self.processes(standing, before, after), expected)

    def test_when_what_waits_is_started(self) -> None:
        job = {"schedule": "0 0 1 1 *"}
        step = self.step("waiting", job, {"cmd": "walk"})
        assert step is not None
        self.assertEqual(step.why, "it was waiting, and schedule changes")
        once = {"respawn": False}
        step = self.step(FINISHED, once, {**once, **job})
        assert step is not None
        said = "it had finished, and schedule changes; at the times of its schedule"
        self.assertEqual(step.why, said)
        present = Present(configuration().circus, [], [], {})
        for options, when in (
            ({}, ""),
            (job, "at the times of its schedule"),
            ({"on_demand": True, "use_sockets": True}, "at the first connection"),
            ({"part_of": "db"}, "after what it needs"),
            ({**job, "autostart": False}, ""),
        ):
            with self.subTest(options):
                [step] = compare(present, configuration(**options)).watchers
                self.assertEqual(step.why, when)

    def test_its_form_on_the_wire(self) -> None:
        options = full(priority=1, graceful_timeout=5)
        live = {**options, "graceful_timeout": 9.0}
        wanted = from_mappings(
            [
                {"name": "web", "cmd": "walk", "priority": 1, "graceful_timeout": 5},
                {"name": "new", "cmd": "run"},
            ],
            [{"name": "plugin:p", "use": "a.B"}],
            circus={"warmup_delay": 3, "umask": "022"},
        )
        before = configuration().circus
        plan = compare(Present(before, [Running("web", live, options, UP)], [], {}), wanted)
        form = json.loads(json.dumps(plan.as_json()))
        self.assertEqual(
            form,
            {
                "changes": True,
                "watchers": [
                    {
                        "name": "new",
                        "action": "add",
                        "processes": "start",
                        "why": "",
                        "changes": [],
                    },
                    {
                        "name": "web",
                        "action": "change",
                        "processes": "replace",
                        "why": "cmd changes",
                        "changes": [
                            {"option": "cmd", "before": "run", "after": "walk", "effect": "fresh"},
                            {
                                "option": "graceful_timeout",
                                "before": 9.0,
                                "after": 5.0,
                                "effect": "kept",
                            },
                        ],
                    },
                ],
                "plugins": [
                    {
                        "name": "plugin:p",
                        "action": "add",
                        "processes": "start",
                        "why": "",
                        "changes": [],
                    }
                ],
                "sockets": [],
                "circus": [
                    {"option": "warmup_delay", "before": 0, "after": 3, "effect": "live"},
                    {"option": "umask", "before": None, "after": 18, "effect": "restart"},
                ],
            },
        )

    def test_of_a_plugin(self) -> None:
        def plan(before: dict[str, Any], after: dict[str, Any], where: str = UP) -> list[Any]:
            one, two = (
                from_mappings(plugins=[{"name": "plugin:p", "use": "m.C", **options}])
                for options in (before, after)
            )
            present = Present(one.circus, [], one.plugins, {"plugin:p": where})
            return [
                (step.processes, step.why, [change.effect for change in step.changes])
                for step in compare(present, two).plugins
            ]

        watching = {"log_history": 4096, "graceful_timeout": 3.0, "memory_limit": "1G"}
        self.assertEqual(plan({}, watching), [("", "", ["live"] * 3)])
        self.assertEqual(plan(watching, {}), [("", "", ["live"] * 3)])
        for own in ("max_retry", "mine"):
            with self.subTest(own):
                replaced = [("replace", f"{own} changes", ["live", "fresh"])]
                self.assertEqual(plan({"log_history": 1}, {"log_history": 2, own: 3}), replaced)
        self.assertEqual(plan({}, watching, STOPPED), [("", "", ["live"] * 3)])

    def test_a_program_has_made_what_is_there(self) -> None:
        circus = from_mappings(circus={"endpoint": "ipc:///x", "warmup_delay": 1}).circus
        wanted = from_mappings(circus={"umask": "077"})
        plan = compare(Present(circus, [], [], {}, is_file=False), wanted)
        self.assertEqual([change.option for change in plan.circus], ["umask"])

    def test_nothing(self) -> None:
        self.assertTrue(Plan().is_empty)
        self.assertFalse(Plan().as_json()["changes"])

    def test_values_without_a_form(self) -> None:
        self.assertEqual(as_json({"a": (1, None), 2: len}), {"a": [1, None], "2": str(len)})


class TestSecrets(unittest.TestCase):
    """A plan is shown, and what is shown is kept in logs."""

    def told(self, option: str, before: Any, after: Any) -> tuple[Any, Any]:
        change = Change(option, before, after).as_json()
        return change["before"], change["after"]

    def test_they_are_not_told(self) -> None:
        for name in (
            "password secret DBPASS auth_token env.DB_PASSWORD env.API_KEY env.SENTRY_DSN"
        ).split():
            with self.subTest(name):
                self.assertEqual(self.told(name, "old", "new"), (CONCEALED, CONCEALED))
                self.assertEqual(self.told(name, None, "new"), (None, CONCEALED))
        url = "redis://:abc@h"
        self.assertEqual(self.told("redis_url", "redis://h", url), ("redis://h", CONCEALED))

    def test_everything_else_is(self) -> None:
        for name in (
            "cmd interval redis_url env.MAX_TOKENS env.KEYBOARD stdout_stream.filename working_dir"
        ).split():
            with self.subTest(name):
                self.assertEqual(self.told(name, "old", "new"), ("old", "new"))


if __name__ == "__main__":
    unittest.main()
