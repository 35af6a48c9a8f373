"""CommandReloader: real files, against a daemon that supervises nothing, and one that does."""

from __future__ import annotations

import os
import stat
import sys
import unittest
from pathlib import Path
from typing import Any

from cvec_circus.exc import OptionError
from cvec_circus.plugins.command_reloader import SETTLE_DELAY, CommandReloader, files_of, look
from cvec_circus.runtime.catalogue import load_class
from tests.plugins.case import TIMEOUT
from tests.plugins.observing import NEVER, ObserverCase
from tests.support.daemon import DaemonCase, folder
from tests.support.eventually import eventually


def program(path: Path, text: str = "exec sleep 1000") -> Path:
    """Write a program, as an editor does: the file is another one then."""
    new = path.with_name(path.name + ".new")
    new.write_text(f"#!/bin/sh\n{text}\n")
    new.chmod(new.stat().st_mode | stat.S_IXUSR)
    new.replace(path)
    return path


class Reloader(CommandReloader):
    """One that counts its looks."""

    looks = 0

    def _compare(self, files: Any, marks: Any, error: Any) -> None:
        super()._compare(files, marks, error)
        self.looks += 1


class ReloaderCase(ObserverCase):
    """A watcher "web" with a program, and a reloader that looks when it is told to."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = folder(self)
        self.program = program(self.folder / "web")
        self.options: dict[str, dict] = {"web": {"cmd": str(self.program)}}
        self.daemon.answers["list"] = lambda properties: {"watchers": sorted(self.options)}
        self.daemon.answers["options"] = lambda properties: {
            "options": self.options[properties["name"]]
        }
        self.daemon.answers["status"] = lambda properties: {
            "status": self.states[properties["name"]]
        }

    def reloader(self, **config: Any) -> Reloader:
        plugin: Reloader = self.make(Reloader, **{"loop_rate": 0.01, **config})
        self.run_plugin(plugin)
        self.assertTrue(eventually(lambda: plugin.looks, TIMEOUT))
        return plugin

    def looked(self, plugin: Reloader, times: int = 3) -> None:
        """Wait until it has looked some times from beginning to end."""
        wanted = plugin.looks + times
        self.assertTrue(eventually(lambda: plugin.looks >= wanted, TIMEOUT))


class TestChanges(ReloaderCase):
    """What makes it restart a watcher."""

    def test_another_program(self) -> None:
        plugin = self.reloader()
        self.assertEqual(self.restarts(), [])
        with self.assertLogs("cvec_circus", "INFO") as logs:
            program(self.program, "exec sleep 2000")
            self.assert_restarted("web")
        self.assertIn(f"{self.program}: modified, so web is restarted", logs.output[0])
        self.looked(plugin)
        self.assertEqual(len(self.restarts()), 1)
        program(self.program, "exec sleep 3000")
        self.assert_restarted("web", "web")

    def test_a_new_date_alone(self) -> None:
        self.reloader()
        os.utime(self.program, (1, 1))
        self.assert_restarted("web")

    def test_a_link_that_leads_elsewhere(self) -> None:
        one, two = program(self.folder / "one"), program(self.folder / "two")
        for path in (one, two):
            os.utime(path, (1, 1))
        link = self.folder / "current"
        link.symlink_to(one)
        self.options["web"]["cmd"] = str(link)
        self.reloader()
        new = self.folder / "new"
        new.symlink_to(two)
        new.replace(link)
        self.assert_restarted("web")

    def test_a_file_that_is_gone_for_a_while(self) -> None:
        plugin = self.reloader()
        moved = self.program.rename(self.folder / "moved")
        self.looked(plugin)
        moved.rename(self.program)
        self.looked(plugin)
        self.assertEqual(self.restarts(), [])
        self.program.unlink()
        self.looked(plugin)
        program(self.program, "exec sleep 2000")
        self.assert_restarted("web")

    def test_a_file_that_is_still_being_written(self) -> None:
        plugin = self.reloader(loop_rate=NEVER)
        for size in range(5):
            with self.program.open("a") as file:
                file.write("#" * size + "\n")
            plugin.loop.add_callback(plugin.look_after)
            self.looked(plugin, 1)
        self.assertEqual(self.restarts(), [])
        self.assert_restarted("web")  # at a look that it had not been told to take

    def test_a_file_that_changes_on_and_on_is_not_looked_at_more_and_more(self) -> None:
        plugin = self.make(CommandReloader, loop_rate=1)
        delays: list[float] = []
        plugin.loop.call_later = lambda delay, fn: delays.append(delay) or fn
        plugin.files = {"web": [str(self.program)]}
        for _ in range(5):
            with self.program.open("a") as file:
                file.write("#\n")
            plugin._compare(plugin.files, look(plugin.files), None)
        self.assertEqual(delays, [SETTLE_DELAY])
        plugin._tick()
        self.assertFalse(plugin._looking)
        with self.assertLogs("cvec_circus", "INFO"):
            plugin._settling = None
            plugin._compare(plugin.files, look(plugin.files), None)
        self.assert_restarted("web")

    def test_a_watcher_that_is_down_stays_down(self) -> None:
        self.states["web"] = "stopped"
        plugin = self.reloader()
        with self.assertLogs("cvec_circus", "INFO") as logs:
            program(self.program, "exec sleep 2000")
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
        self.assertIn("modified, but web does not run", logs.output[0])
        self.states["web"] = "active"
        self.looked(plugin)
        self.assertEqual(self.restarts(), [])

    def test_others_are_restarted_though_one_is_missing(self) -> None:
        self.options = {
            "a": {"cmd": "/no/such/program --x"},
            "b": {"cmd": "'unbalanced"},
            "c": {"cmd": ""},
            **self.options,
        }
        plugin = self.reloader()
        program(self.program, "exec sleep 2000")
        self.assert_restarted("web")
        self.assertEqual(set(plugin.files), {"a", "b", "c", "web"})

    def test_plugins_are_none_of_its_business(self) -> None:
        self.options["plugin:x"] = {"cmd": str(self.program)}
        plugin = self.reloader()
        self.assertEqual(list(plugin.files), ["web"])


class TestLearning(ReloaderCase):
    """Which programs it looks at, while the daemon's watchers change."""

    def test_a_watcher_that_comes_and_goes(self) -> None:
        plugin = self.reloader()
        other = program(self.folder / "other")
        self.options["new"] = {"cmd": str(other)}
        self.states["new"] = "active"
        self.daemon.publish("New", "add")
        self.assertTrue(eventually(lambda: "new" in plugin.files, TIMEOUT))
        self.looked(plugin)
        program(other, "exec sleep 2000")
        self.assert_restarted("new")
        self.daemon.publish("New", "remove")
        self.assertTrue(eventually(lambda: "new" not in plugin.files, TIMEOUT))

    def test_another_command_is_no_change_of_the_program(self) -> None:
        plugin = self.reloader()
        self.options["web"] = {"cmd": str(program(self.folder / "other"))}
        self.daemon.publish("web", "updated")
        self.assertTrue(eventually(lambda: "other" in plugin.files["web"][0], TIMEOUT))
        self.looked(plugin)
        self.assertEqual(self.restarts(), [])  # the daemon sees to that itself

    def test_a_look_that_began_before_the_command_was_another_one(self) -> None:
        plugin = self.reloader()
        old = str(self.folder / "old")
        for _ in range(2):
            looked = {"web": [old]}, {"web": ((old, 1, 2, 3),)}
            plugin.loop.add_callback(plugin._compare, *looked, None)
        self.looked(plugin)
        self.assertEqual(self.restarts(), [])

    def test_the_daemon_does_not_answer_in_time(self) -> None:
        plugin = self.reloader()
        plugin.call_timeout = 0.05
        self.daemon.muted.add("status")
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            program(self.program, "exec sleep 2000")
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
            self.daemon.muted.clear()
            self.assert_restarted("web")
        self.assertIn("web cannot be restarted: Timed out.", logs.output[0])

    def test_a_change_at_the_time_of_another_one_is_not_missed(self) -> None:
        plugin = self.reloader(loop_rate=NEVER)
        program(self.program, "exec sleep 2000")
        self.daemon.publish("web", "updated")
        self.assertTrue(eventually(lambda: plugin._unknown, TIMEOUT))
        plugin.loop.add_callback(plugin.look_after)
        self.assert_restarted("web")

    def test_the_daemon_does_not_answer_at_first(self) -> None:
        self.daemon.muted.add("list")
        plugin: Reloader = self.make(Reloader, loop_rate=0.01)
        plugin.call_timeout = 0.05
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.run_plugin(plugin)
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
            self.daemon.muted.clear()
            self.assertTrue(eventually(lambda: "web" in plugin.files, TIMEOUT))
        self.assertIn("the commands are not known yet: Timed out.", logs.output[0])


class TestFiles(ReloaderCase):
    """Which files make up a program."""

    def test_a_path(self) -> None:
        path = str(self.program)
        self.assertEqual(files_of({"cmd": f"{path} --port 80"}), [path])
        self.assertEqual(
            files_of({"cmd": "./web", "working_dir": str(self.folder)})[0][-6:], "/./web"
        )

    def test_a_name(self) -> None:
        env = {"PATH": str(self.folder)}
        self.assertEqual(files_of({"cmd": "web", "env": env}), [str(self.program)])
        self.assertEqual(len(files_of({"cmd": "sh"})), 1)

    def test_what_an_interpreter_runs(self) -> None:
        script = self.folder / "script.py"
        script.touch()
        options = {"working_dir": str(self.folder)}
        for cmd, args in (
            ("/usr/bin/python3 -u script.py data", ""),
            ("/usr/bin/python3.11", "script.py --x"),
            ("/bin/bash", ["-e", "script.py"]),
        ):
            files = files_of({**options, "cmd": cmd, "args": args})
            self.assertEqual(files[1:], [str(script)])
        self.assertEqual(len(files_of({**options, "cmd": "/usr/bin/python3 -m script"})), 1)
        self.assertEqual(len(files_of({**options, "cmd": "/usr/bin/tail script.py"})), 1)

    def test_options(self) -> None:
        plugin = self.make(CommandReloader)
        self.assertEqual(plugin.loop_rate, 1)
        with self.assertRaisesRegex(OptionError, "^loop_rate: "):
            self.make(CommandReloader, loop_rate="often")

    def test_it_is_found_by_its_name(self) -> None:
        load_class("cvec_circus.plugins.command_reloader.CommandReloader")


class TestWithRealChildren(DaemonCase):
    """A daemon, and a script that somebody edits."""

    def test_a_script_is_edited(self) -> None:
        def prepare(place: Path) -> None:
            (place / "script.py").write_text("import select\nselect.select([], [], [])\n")

        daemon = self.daemon(
            f"[watcher:web]\ncmd = {sys.executable} script.py\ncopy_env = True\n"
            "[watcher:calm]\ncmd = sleep 1000\n"
            "[plugin:r]\nuse = command-reloader\nloop_rate = 0.1\n",
            prepare=prepare,
        )
        events = daemon.wire.events
        events.wait("watcher.web.start", 1)
        daemon.log.containing("Watching 2 programs")
        with (daemon.folder / "script.py").open("a") as file:
            file.write("#")
        daemon.log.containing("script.py: modified, so web is restarted")
        events.wait("watcher.web.spawn", 2)
        self.assertEqual(events.of("watcher.calm.reap"), [])


if __name__ == "__main__":
    unittest.main()
