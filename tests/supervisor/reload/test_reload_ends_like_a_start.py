"""reload(A -> B) ends like a fresh start of B: for many A and B, in a world that is made up."""

from __future__ import annotations

import random
import unittest
from typing import Any

from cvec_circus.config.configuration import Configuration
from cvec_circus.config.diff import Present, Running, compare
from cvec_circus.config.plan import Plan
from cvec_circus.config.readers.mapping import from_mappings
from cvec_circus.core.watcher import Kind, Watcher
from cvec_circus.supervisor.campaign import Pace
from cvec_circus.supervisor.helper_rows import Plugin
from cvec_circus.supervisor.helpers import Helper
from cvec_circus.supervisor.reload.applying import Application, standing
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Add, SetOptions
from cvec_circus.wire.outcome import Outcome, Wait
from cvec_circus.wire.topics import fold
from tests.support.nightly import times
from tests.support.world import FakeWorld

HISTORIES = times(60, 250)
NAMES = ("a", "b", "c", "D", "d", "e f")
PLUGINS = ("p", "q")
LONG = 500.0

CHOICES: dict[str, tuple[Any, ...]] = {
    "cmd": ("run", "walk", "crawl $(circus.wid)"),
    "args": ("", "-x"),
    "numprocesses": (0, 1, 1, 2, 5),
    "autostart": (True, True, True, False),
    "singleton": (False, False, True),
    "priority": (0, 0, 1, -1),
    "graceful_timeout": (30.0, 1.0),
    "warmup_delay": (0, 0, 0.5),
    "stop_signal": (15, 2),
    "env": ({}, {"X": "1"}, {"X": "2"}, {"X": "1", "Y": "1"}),
    "respawn": (True, True, False),
    "max_age": (0, 0, 1000),
    "send_hup": (False, True),
    "my.note": (None, "x", "y"),
    "rlimit_nofile": (None, None, "100", "200"),
}


CONFIG = Cause("config", "file")


class FakeHelpers:
    """What the plugins' watchers run. Owned by the test."""

    events: Any = None

    def __init__(self) -> None:
        self.rows: dict[Watcher, Helper] = {}

    def add(self, helper: Helper) -> Watcher:
        watcher = Watcher(helper.name, helper.options, Kind(True))
        self.rows[watcher] = helper
        return watcher

    def plugin(self, watcher: Watcher) -> object:
        """What a plugin's watcher runs."""
        helper = self.rows.get(watcher)
        return helper.config[:3] if isinstance(helper, Plugin) else None


class Life:
    """A supervisor without its shell: a roster, and what was loaded. Owned by the test."""

    def __init__(self, configuration: Configuration) -> None:
        self.world = FakeWorld(warmup_delay=configuration.circus["warmup_delay"])
        self.helpers = FakeHelpers()
        self.configuration = configuration
        for one in configuration.watchers:
            self.world.roster.give(Add(Watcher(one.name, one.options), CONFIG))
        for plugin in configuration.plugins:
            if plugin.active:
                helper = self.helpers.add(Plugin(plugin, self.helpers.events))
                self.world.roster.give(Add(helper, CONFIG))
        self.world.start(None, "config", None)

    def plan(self, wanted: Configuration) -> Plan:
        files = {fold(one.name) for one in self.configuration.watchers}
        watchers = self.world.roster.watchers()
        running = [
            Running(
                w.name,
                w.options,
                w.settings.configured() if fold(w.name) in files else None,
                standing(w),
            )
            for w in watchers
            if not w.kind.is_helper
        ]
        helpers = {w.name: standing(w) for w in watchers if w.kind.is_helper}
        loaded = self.configuration
        return compare(Present(loaded.circus, running, loaded.plugins, helpers), wanted)

    def reload(self, wanted: Configuration) -> tuple[Plan, list[Outcome]]:
        outcomes: list[Outcome] = []
        plan = self.plan(wanted)
        roster: Any = self.world.roster
        helpers: Any = self.helpers
        order = Application(plan, wanted, roster, helpers).order()
        roster.pace = Pace(wanted.circus["warmup_delay"])
        roster.give(order, Wait(outcomes.append))
        self.configuration = wanted
        return plan, outcomes

    def state(self) -> dict[str, Any]:
        return {
            watcher.name: (
                watcher.status,
                len(watcher.places.pids()),
                watcher.goal.numprocesses,
                watcher.options,
                self.helpers.plugin(watcher),
            )
            for watcher in self.world.roster.watchers()
        }

    def pids(self) -> dict[str, list[int]]:
        return {watcher.name: watcher.places.pids() for watcher in self.world.roster.watchers()}


def draw(chance: random.Random) -> Configuration:
    """Make a configuration up."""
    watchers: dict[str, dict[str, Any]] = {}
    for name in NAMES:
        if chance.random() < 0.6 and fold(name) not in map(fold, watchers):
            given = {key: chance.choice(values) for key, values in CHOICES.items()}
            if given["singleton"]:
                given["numprocesses"] = min(given["numprocesses"], 1)
            given = {k: v for k, v in given.items() if v is not None and chance.random() < 0.7}
            watchers[name] = {"cmd": "run", **given, "name": name}
            if watchers[name].get("singleton"):
                watchers[name]["numprocesses"] = 1
    plugins = [
        {
            "name": name,
            "use": chance.choice(("some.Class", "some.Other")),
            "key": chance.choice("xy"),
            "active": chance.random() < 0.8,
        }
        for name in PLUGINS
        if chance.random() < 0.5
    ]
    circus = {"warmup_delay": chance.choice((0, 0.3)), "check_delay": chance.choice((1, 2))}
    return from_mappings(watchers.values(), plugins, (), circus)


class TestReload(unittest.TestCase):
    """Of random configurations. A seed that fails is in the message."""

    def test_it_ends_like_a_fresh_start(self) -> None:
        for seed in range(HISTORIES):
            with self.subTest(seed=seed):
                chance = random.Random(seed)
                life = Life(draw(chance))
                life.world.advance(LONG)
                before = life.pids()
                wanted = draw(chance)
                plan, outcomes = life.reload(wanted)
                life.world.advance(LONG)
                self.check(life, wanted)
                self.assertEqual([outcome.error for outcome in outcomes], [None])
                self.check_kept(plan, before, life.pids())

    def test_whenever_it_comes(self) -> None:
        for seed in range(HISTORIES):
            with self.subTest(seed=seed):
                chance = random.Random(seed)
                life = Life(draw(chance))
                wanted = life.configuration
                for _ in range(chance.randint(2, 5)):
                    life.world.advance(chance.choice((0.0, 0.05, 0.4, 3.0)))
                    order = chance.choice(("reload", "restart", None, None))
                    if order is not None:
                        options = [False] if order == "reload" else []
                        getattr(life.world, order)(None, "x", *options, None)
                    wanted = draw(chance)
                    life.reload(wanted)
                life.world.advance(LONG)
                self.check(life, wanted)

    def check(self, life: Life, wanted: Configuration) -> None:
        fresh = Life(wanted)
        fresh.world.advance(LONG)
        self.assertEqual(life.state().keys(), fresh.state().keys())
        for name, state in fresh.state().items():
            found = life.state()[name]
            differ = {k: v for k, v in found[3].items() if state[3].get(k, "-") != v}
            self.assertEqual(
                (found[:3], found[4], found[3]), (state[:3], state[4], state[3]), differ
            )
        plan = life.plan(wanted)
        self.assertTrue(plan.is_empty, plan)
        self.assertEqual((plan.watchers, plan.plugins), ((), ()))
        self.assertEqual(life.pids().keys(), fresh.pids().keys())
        alive = {pid for pids in life.pids().values() for pid in pids}
        self.assertEqual(set(life.world.alive), alive)

    def check_kept(
        self, plan: Plan, before: dict[str, list[int]], after: dict[str, list[int]]
    ) -> None:
        """Whom the plan leaves alone keeps its processes, and who only grows, too."""
        steps = {step.name: step for step in [*plan.watchers, *plan.plugins]}
        for name, pids in before.items():
            step = steps.get(name)
            if step is None:
                self.assertEqual(after[name], pids, name)
            elif step.action == "change" and step.processes == "" and name in after:
                self.assertTrue(set(pids) <= set(after[name]) or set(after[name]) <= set(pids))


class TestRunTime(unittest.TestCase):
    """What was done at run time."""

    def test_options_that_were_set_stay_unless_the_file_changes_them(self) -> None:
        for seed in range(HISTORIES // 2):
            with self.subTest(seed=seed):
                chance = random.Random(seed)
                loaded, wanted = draw(chance), draw(chance)
                life = Life(loaded)
                life.world.advance(LONG)
                roster = life.world.roster
                for watcher in roster.watchers():
                    if not watcher.kind.is_helper and chance.random() < 0.5:
                        roster.give(SetOptions(watcher, {"graceful_timeout": 77.0}, CONFIG))
                life.world.advance(LONG)
                was = {w.name: w.options.graceful_timeout for w in roster.watchers()}
                first = {one.name: one.options["graceful_timeout"] for one in loaded.watchers}
                life.reload(wanted)
                life.world.advance(LONG)
                for one in wanted.watchers:
                    new = one.options["graceful_timeout"]
                    expected = was[one.name] if first.get(one.name, 0) == new else new
                    found = roster.get(one.name)
                    assert found is not None
                    self.assertEqual(found.options["graceful_timeout"], expected, one.name)

    def test_watchers_that_were_added_stay(self) -> None:
        life = Life(draw(random.Random(1)))
        watcher = life.world.up("mine")
        pids = watcher.places.pids()
        life.reload(draw(random.Random(2)))
        life.world.advance(LONG)
        self.assertEqual(life.pids()["mine"], pids)


if __name__ == "__main__":
    unittest.main()
