"""The rows of the helpers: what each process is told, and what is remembered of it."""

from __future__ import annotations

import json
import logging
import os
from types import SimpleNamespace
from typing import Any
from unittest import mock

from cvec_circus.config.configuration import PluginConfig
from cvec_circus.config.readers.mapping import from_mappings
from cvec_circus.core.process import ManagedProcess, ProcessState
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.supervisor.helper_rows import Plugin
from cvec_circus.supervisor.helpers import FEW, HOLD, LONGEST_HOLD, Extra, Helper, Helpers
from cvec_circus.wire.cause import NONE, Cause
from cvec_circus.wire.progress import LAYOUT
from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually
from tests.support.leaks import LeakCheckedTestCase
from tests.support.logs import silent


class FakeEvents(SimpleNamespace):
    """What was published: numbers only, all of which are kept."""

    seq = 0
    hold = 0.0
    run = "abc"
    address = "ipc:///events"

    def since(self, seq: int, limit: int) -> dict[str, Any]:
        numbers = range(seq + 1, self.seq + 1)[:limit]
        return {"events": [[f"watcher.web.e{number}", "{}"] for number in numbers], "lost": 0}


class HelpersCase(LeakCheckedTestCase):
    """The helpers of a daemon that publishes what the test says."""

    def setUp(self) -> None:
        super().setUp()
        self.events: Any = FakeEvents()
        self.helpers = Helpers(self.events, "ipc:///control", 1.0, "info")
        self.addCleanup(self.helpers.close)

    def plugin(self, since: int | None = None, name: str = "p") -> Watcher:
        return self.helpers.add(Plugin(config(name), self.events, since))

    def start(self, watcher: Watcher) -> tuple[ManagedProcess, dict[str, Any]]:
        """Make a process that runs, and tell what message it has got."""
        process = ManagedProcess(watcher.name, 1, NONE)
        with self.helpers.prepare(watcher, process) as extra:
            (text,) = extra.env.values()
        process.enter(ProcessState.RUNNING)
        return process, json.loads(text)

    def live(
        self,
        watcher: Watcher,
        delivered: int | None = None,
        current: int = 0,
        by_itself: bool = True,
    ) -> int:
        """Have a process get that far and die; return the number that it began after."""
        process, message = self.start(watcher)
        if delivered is not None:
            os.pwrite(message["progress"], LAYOUT.pack(delivered, current), 0)
        if not by_itself:
            process.enter(ProcessState.STOPPING)
        self.helpers.exited(watcher, process)
        return int(message["since"])


class TestRows(HelpersCase):
    def test_events_are_held_only_for_a_crowd(self) -> None:
        holds, watchers = [], []
        for number in range(40):
            watchers.append(self.plugin(name=str(number)))
            holds.append(self.events.hold)
        self.assertEqual(holds[:FEW], [0.0] * FEW)
        self.assertAlmostEqual(holds[FEW], HOLD)
        self.assertAlmostEqual(holds[FEW + 3], 4 * HOLD)
        self.assertEqual(holds[-1], LONGEST_HOLD)
        for watcher in watchers[FEW:]:
            self.helpers.forget(watcher)
        self.assertEqual(self.events.hold, 0.0)

    def test_a_row_of_a_kind_of_its_own(self) -> None:
        given = os.open(os.devnull, os.O_RDONLY)
        self.addCleanup(os.close, given)
        closed: list[bool] = []

        env, copies = {"PYTHONPATH": "/mine"}, False

        class Page(Helper):
            name = "page"
            module = "cvec_circus.page"
            variable = "CVEC_CIRCUS_PAGE"
            useless = frozenset({7})

            def own_options(self) -> WatcherOptions:
                return options(cmd="", env=env, priority=3, copy_env=copies)

            def message(self) -> dict[str, Any]:
                return {"port": 8080}

            def descriptors(self) -> list[int]:
                return [given]

            def close(self) -> None:
                closed.append(True)

        with mock.patch.dict(os.environ, {"PYTHONPATH": "/daemons"}):
            paths = [Page().options.env["PYTHONPATH"].split(os.pathsep)[0]]
            env, copies = {}, True
            paths.append(Page().options.env["PYTHONPATH"].split(os.pathsep)[0])
        self.assertEqual(paths, ["/mine", "/daemons"])
        watcher = self.helpers.add(Page())
        self.assertEqual(watcher.options["args"], ["-m", "cvec_circus.page"])
        self.assertEqual(watcher.options["priority"], 3)
        self.assertEqual(watcher.kind.useless_codes, {7})
        process = ManagedProcess("page", 1, NONE)
        with self.helpers.prepare(watcher, process) as extra:
            message = json.loads(extra.env["CVEC_CIRCUS_PAGE"])
            self.assertEqual(message["port"], 8080)
            self.assertEqual(message["endpoint"], "ipc:///control")
            self.assertEqual(set(extra.fds), {message["lifeline"], message["report"], given})
            os.write(message["report"], b"port 8080 is taken\n")
        self.assertEqual(self.helpers.exited(watcher, process), "port 8080 is taken")
        self.helpers.forget(watcher)
        self.assertEqual(closed, [True])

    def test_others_get_nothing(self) -> None:
        watcher = Watcher("web", options(cmd="sleep 1000"))
        process = ManagedProcess("web", 1, NONE)
        with self.helpers.prepare(watcher, process) as extra:
            self.assertEqual(extra, Extra())
        self.assertEqual(self.helpers.exited(watcher, process), "")


class TestWhereAPluginBegins(HelpersCase):
    """The number of the event after which each process of a plugin begins."""

    def test_one_that_starts_with_the_daemon(self) -> None:
        self.events.seq = 40
        self.assertEqual(self.live(self.plugin(since=0)), 0)

    def test_one_that_is_added_later(self) -> None:
        watcher = self.plugin()
        self.events.seq = 40
        self.assertEqual(self.live(watcher), 40)

    def test_one_that_has_died(self) -> None:
        watcher = self.plugin(since=0)
        self.live(watcher, delivered=17)
        self.events.seq = 40
        self.assertEqual(self.live(watcher, delivered=17), 17)
        self.assertEqual(self.live(watcher), 17)

    def test_one_that_is_restarted(self) -> None:
        watcher = self.plugin(since=0)
        watcher.ordered("start", Cause("config"), up=True)
        self.live(watcher, delivered=17, by_itself=False)
        self.events.seq = 40
        self.assertEqual(self.live(watcher), 17)

    def test_one_that_was_stopped(self) -> None:
        watcher = self.plugin(since=0)
        watcher.ordered("stop", Cause("command:stop"), up=False)
        self.live(watcher, delivered=17, by_itself=False)
        self.events.seq = 40
        self.assertEqual(self.live(watcher), 40)

    def test_another_configuration(self) -> None:
        watcher = self.plugin(since=0)
        self.live(watcher, delivered=17)
        helper = self.helpers.rows[watcher]
        assert isinstance(helper, Plugin)
        helper.config = config("p", loud=True)
        _, message = self.start(watcher)
        self.assertEqual(message["config"], {"name": "plugin:p", "loud": True})
        self.assertEqual(message["since"], 17)


class TestFatalEvents(HelpersCase):
    """An event that kills a plugin again and again."""

    def setUp(self) -> None:
        super().setUp()
        self.events.seq = 40
        self.watcher = self.plugin(since=0)

    def test_it_is_skipped_after_the_second_death(self) -> None:
        with silent(self, logging.INFO):
            self.live(self.watcher, delivered=17, current=18)
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.assertEqual(self.live(self.watcher, delivered=17, current=18), 17)
        self.assertEqual(
            [record.getMessage() for record in logs.records],
            ["plugin:p: event 18 (watcher.web.e18) killed it twice; skipped"],
        )
        self.assertEqual(self.live(self.watcher, delivered=18), 18)

    def test_each_event_is_counted_for_itself(self) -> None:
        with silent(self, logging.INFO):
            for current in (18, 19, 20, 21):
                self.live(self.watcher, delivered=current - 1, current=current)
        self.assertEqual(self.live(self.watcher), 20)

    def test_a_death_between_two_events_is_none_of_theirs(self) -> None:
        with silent(self, logging.INFO):
            for _ in range(3):
                self.live(self.watcher, delivered=18)
                self.live(self.watcher, delivered=18, current=18)

    def test_nor_is_an_end_that_was_asked_for(self) -> None:
        self.watcher.ordered("start", Cause("config"), up=True)
        with silent(self, logging.INFO):
            for _ in range(3):
                self.live(self.watcher, delivered=17, current=18, by_itself=False)
        self.assertEqual(self.live(self.watcher), 17)


class TestRemoval(EmbeddedCase):
    def test_nothing_is_kept_of_a_plugin_that_was_removed(self) -> None:
        logger = {"use": "logger", "name": "p", "filename": str(self.folder / "events")}
        self.arbit({"name": "a", "cmd": "sleep 1000"}, plugins=[logger])
        self.events.next("start", watcher="p")
        self.assertEqual(len(progress_files()), 1)
        self.wire.order("rm", name="p")
        self.assertTrue(eventually(lambda: not progress_files()), progress_files())


def options(**given: Any) -> WatcherOptions:
    """All options of a watcher."""
    return WatcherOptions(WATCHER_OPTIONS.complete(given))


def config(name: str, **given: Any) -> PluginConfig:
    """What a plugin is configured with."""
    options = {"use": "x.Y", "name": f"plugin:{name}", **given}
    (plugin,) = from_mappings(plugins=[options]).plugins
    return plugin


def progress_files() -> list[str]:
    """The memory that this process shares with plugins."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
        except FileNotFoundError:
            pass  # what listed them
    return [name for name in found if "cvec_circus-progress" in name]
