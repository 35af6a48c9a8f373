"""reloadconfig changes nothing when the file is likely not what is meant."""

from __future__ import annotations

import os
import tempfile
import threading
import unittest
from pathlib import Path

from tests.support.eventually import eventually
from tests.support.hurry import hurried
from tests.support.reloads import ReloadCase

SLEEP = "cmd = sleep 600\n"


def watchers(*names: str) -> str:
    return "".join(f"[watcher:{name}]\n{SLEEP}" for name in names)


class TestWhatTheCheckRefuses(ReloadCase):
    """A file with a problem changes nothing, and every problem is named."""

    def test_quotes_and_misspelt_sections(self) -> None:
        daemon = self.up(watchers("a", "b", "c"))
        before = self.pids("a"), self.pids("b"), self.pids("c")
        self.write(f"[watcher:a]\ncmd = sh -c 'x\n[watchr:b]\n{SLEEP}{watchers('c')}")
        reason = daemon.wire.refused("reloadconfig")
        self.assertIn(":6: [watcher:a] cmd: cannot be split into words: no closing quot", reason)
        self.assertIn(":7: [watchr:b] unknown section; did you mean [watcher:b]?", reason)
        self.assertIn("[watcher:a]", daemon.wire.refused("reloadconfig", dry_run=True))
        self.assertIn("[watcher:a]", daemon.wire.refused("reloadconfig", force=True))
        self.assertEqual((self.pids("a"), self.pids("b"), self.pids("c")), before)
        plan = self.reload(f"{watchers('a', 'b', 'c')}[uwsgi]\nx = 1\n")
        self.assertFalse(plan["changes"])

    def test_headers_that_are_none(self) -> None:
        daemon = self.up(watchers("a", "b", "c"))
        before = self.pids("b")
        for line in ("watcher:b", "  [watcher:b]", "<watcher:b>", "[watcher:b] ]"):
            with self.subTest(line):
                self.write(f"{watchers('a')}{line}\n{SLEEP}{watchers('c')}")
                self.assertIn("[watcher:b]", daemon.wire.refused("reloadconfig", force=True))
                self.assertEqual(self.pids("b"), before)

    def test_sections_that_are_called_like_what_runs(self) -> None:
        daemon = self.up(watchers("a", "b"))
        before = self.pids("b")
        for header in ("b", "program:b", "watcher::b"):
            with self.subTest(header):
                self.write(f"{watchers('a')}[{header}]\n{SLEEP}")
                reason = daemon.wire.refused("reloadconfig", force=True)
                self.assertIn("did you mean [watcher:b]?", reason)
                self.assertEqual(self.pids("b"), before)
        plan = self.reload(f"{watchers('a', 'b')}[b]\nx = y\n[program:b]\n")
        self.assertFalse(plan["changes"])
        plan = self.reload(f"{watchers('a')}[b]\nx = z\n[program:b]\n")  # it is another one
        self.assertEqual([one["action"] for one in plan["watchers"]], ["remove"])

    def test_a_start_runs_the_others(self) -> None:
        daemon = self.daemon(f"{watchers('a')}[watchr:b]\n{SLEEP}")
        self.assertEqual(self.count(daemon), 1)
        reason = daemon.call("status")["reasons"]["watchr:b"]
        self.assertIn("left out: ", reason)
        self.assertIn("did you mean [watcher:b]?", reason)

    def test_a_start_and_orders_take_no_command_that_cannot_be_split(self) -> None:
        for cmd, said in (
            ("sh -c 'x", "cmd: cannot be split into words: no closing quotation; close the quotes"),
            ("sh \\", "cmd: cannot be split into words: no escaped character"),
            ("''", "cmd: names no program"),
        ):
            with self.subTest(cmd):
                daemon = self.daemon(f"{watchers('a')}[watcher:b]\ncmd = {cmd}\n")
                self.assertEqual(self.count(daemon), 1)
                told = daemon.call("status")
                self.assertEqual(told["phases"]["b"], "invalid")
                self.assertIn(f"[watcher:b] {said}", told["reasons"]["b"])
                set_it = {"name": "a", "options": {"cmd": cmd}}
                self.assertIn(said, daemon.wire.refused("set", **set_it))
                self.assertIn(said, daemon.wire.refused("add", name="c", cmd=cmd))
                self.assertEqual(
                    daemon.call("get", name="a", keys=["cmd"])["options"]["cmd"], "sleep 600"
                )

    def count(self, daemon) -> int:
        return int(daemon.call("numwatchers")["numwatchers"])

    def test_endpoints(self) -> None:
        daemon = self.up(watchers("a"))
        self.write(watchers("a"), circus="stats_endpoint = tcp://127.0.0.1:99999")
        self.assertIn("stats_endpoint", daemon.wire.refused("reloadconfig"))

    def test_sockets_that_this_machine_cannot_have(self) -> None:
        socket = "[socket:s]\npath = {DIR}/s\n"
        daemon = self.up(watchers("a") + socket)
        (daemon.folder / "notes").touch()
        for dry_run in (True, False):
            self.write(f"{watchers('a')}{socket}[socket:t]\npath = {{DIR}}/notes\n")
            reason = daemon.wire.refused("reloadconfig", dry_run=dry_run)
            self.assertRegex(reason, r":\d+: \[socket:t\] path: the file there is not a socket; ")
            self.write(f"{watchers('a')}{socket}[socket:t]\nhost = no.such.host.invalid\n")
            reason = daemon.wire.refused("reloadconfig", dry_run=dry_run)
            self.assertRegex(reason, r":\d+: \[socket:t\] host: cannot resolve no.such.host")
        # What listens is not looked at again, though a start could not have it now.
        (daemon.folder / "s").unlink()
        (daemon.folder / "s").mkdir()
        self.assertFalse(self.reload(watchers("a") + socket)["changes"])
        (daemon.folder / "s").rmdir()

    def test_what_only_the_class_of_a_plugin_knows(self) -> None:
        daemon = self.up(watchers("a", "b"))
        flapping = "[plugin:flapping]\nuse = cvec_circus.plugins.flapping.Flapping\nwindow = {}\n"
        before = self.pids("a"), self.pids("b")
        for dry_run in (True, False):
            self.write(f"{watchers('a')}{flapping.format('soon')}")
            reason = daemon.wire.refused("reloadconfig", dry_run=dry_run)
            self.assertRegex(reason, r":\d+: \[plugin:flapping\] window: 'soon' is not a number")
        self.assertEqual((self.pids("a"), self.pids("b")), before)
        self.reload(f"{watchers('a', 'b')}{flapping.format(2)}")
        self.assertEqual(self.statuses()["plugin:flapping"], "active")

    def test_what_was_added_at_run_time_is_known(self) -> None:
        daemon = self.up(watchers("a"))
        daemon.call("add", name="db", cmd="sleep 600", start=True, waiting=True)
        self.reload(f"{watchers('a')}[watcher:b]\n{SLEEP}depends_on = db\n")
        self.assertEqual(self.statuses()["b"], "active")
        self.write(f"{watchers('a')}[watcher:b]\n{SLEEP}depends_on = nope\n")
        self.assertIn("there is no watcher nope", daemon.wire.refused("reloadconfig"))


class TestLosses(ReloadCase):
    """A plan that removes most of what runs has to be meant."""

    def test_all_of_two(self) -> None:
        daemon = self.up(watchers("a", "b"))
        before = self.pids("a"), self.pids("b")
        for text in ("", "\n# nothing yet\n", "[env]\nX = 1\n"):
            self.write(text)
            answer = daemon.wire.client.call("reloadconfig", waiting=True)
            self.assertEqual((answer["status"], answer["errno"]), ("error", 5))
            said = "the file removes 2 of 2 running watchers (a, b) and adds none, so nothing was"
            self.assertIn(said, answer["reason"])
            self.assertEqual((answer["removes"], answer["running"]), (["a", "b"], 2))
        done = daemon.ctl("reloadconfig")
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertIn("--force", done.stderr)
        dry = daemon.ctl("reloadconfig", "--dry-run")
        self.assertEqual(dry.returncode, 0)
        self.assertIn("--force is needed: 2 of 2 running watchers are removed", dry.stdout)
        self.assertEqual((self.pids("a"), self.pids("b")), before)
        self.assertEqual(daemon.ctl("reloadconfig", "--force", "--waiting").returncode, 0)
        self.assertEqual(self.statuses(), {})

    def test_what_was_added_at_run_time_does_not_count(self) -> None:
        daemon = self.up(watchers("a", "b"))
        daemon.call("add", name="c", cmd="sleep 600", start=True, waiting=True)
        self.write("")
        said = "removes 2 of 2 running watchers (a, b) and adds none,"
        self.assertIn(said, daemon.wire.refused("reloadconfig"))

    def test_what_is_no_loss(self) -> None:
        self.up(watchers("a", "b"))
        self.reload(watchers("b"))
        self.reload(watchers("A1"))  # the only one
        self.reload(watchers("x", "y"))
        self.reload(watchers("X", "Y"))  # written otherwise
        self.assertEqual(set(self.statuses()), {"X", "Y"})
        self.reload(watchers("new"))  # one is added
        self.served.call("stop", name="new", waiting=True)
        self.reload("")  # none runs
        self.assertEqual(self.statuses(), {})

    def test_more_than_half_of_ten(self) -> None:
        names = [f"w{number}" for number in range(10)]
        daemon = self.up(watchers(*names))
        self.write(watchers(*names[:4], "new"))
        said = "removes 6 of 10 running watchers (w4, w5, w6, w7, w8 and 1 more),"
        self.assertIn(said, daemon.wire.refused("reloadconfig"))
        self.reload(watchers(*names[:5]))
        self.reload(watchers(*names[:1]))  # fewer than ten
        self.assertEqual(set(self.statuses()), {"w0"})


class TestIncludes(ReloadCase):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.conf = self.folder / "conf.d"
        self.conf.mkdir()
        (self.conf / "b.ini").write_text(watchers("b"))
        (self.folder / "c.ini").write_text(watchers("c"))
        files = f"{self.folder}/c.ini {self.folder}/optional/*.ini"
        circus = f"include_dir = {self.conf}\ninclude = {files}"
        self.up(watchers("a"), circus=circus)
        self.assertTrue(eventually(lambda: [*self.statuses().values()] == ["active"] * 3))
        self.before = self.pids("a"), self.pids("b"), self.pids("c")

    def refused(
        self,
        *expected: str,
        hint: str = "it was read before; put it back, or take it out of [circus]",
    ) -> None:
        reason = self.served.wire.refused("reloadconfig")
        for text in (*expected, hint):
            self.assertIn(text, reason)
        self.assertEqual((self.pids("a"), self.pids("b"), self.pids("c")), self.before)

    def test_a_folder_is_gone(self) -> None:
        aside = self.folder / "aside"
        self.conf.rename(aside)
        self.refused(f"include_dir: {self.conf}: No such file or directory")
        aside.rename(self.conf)
        self.assertFalse(self.reload()["changes"])

    def test_a_folder_has_become_a_file(self) -> None:
        self.conf.rename(self.folder / "aside")
        self.conf.touch()
        self.refused(f"include_dir: {self.conf}: Not a directory")

    def test_a_name_is_misspelt(self) -> None:
        text = self.served.config.read_text()
        for wrong in (text.replace("conf.d", "confd"), text.replace("/c.ini", "/d/c.ini")):
            self.served.config.write_text(wrong)
            self.refused("No such file or directory", hint="; make it, or correct its name")

    def test_an_optional_folder_comes_and_goes(self) -> None:
        self.assertFalse(self.reload()["changes"])
        optional = self.folder / "optional"
        optional.mkdir()
        self.assertFalse(self.reload()["changes"])
        optional.rmdir()
        self.refused(f"{optional}: No such file or directory")

    def test_a_file_is_gone_or_a_pipe(self) -> None:
        path = self.folder / "c.ini"
        path.unlink()
        self.refused(f"include: {path}: No such file or directory")
        os.mkfifo(path)
        self.refused(f"{path} is a pipe")
        path.unlink()
        path.write_text(watchers("c"))
        (self.conf / "b.ini").unlink()
        os.mkfifo(self.conf / "b.ini")
        self.refused(f"{self.conf}/b.ini is a pipe")

    def test_a_file_that_is_taken_out_of_a_folder(self) -> None:
        (self.conf / "b.ini").unlink()
        [step] = self.reload()["watchers"]
        self.assertEqual((step["name"], step["action"]), ("b", "remove"))


class TestAFileThatIsBeingWritten(ReloadCase):
    def test_no_half_file_is_applied(self) -> None:
        names = [f"w{number}" for number in range(6)]
        # So long that the writer writes meanwhile, on a busy machine too.
        times = {"config.rereading.APART": 0.3, "config.rereading.PATIENCE": 0.5}
        daemon = self.up(watchers(*names), wrapper=hurried(times))
        before = {name: self.pids(name) for name in names}
        whole = daemon.config.read_bytes()
        ended = threading.Event()

        def write() -> None:
            while not ended.is_set():
                with open(daemon.config, "wb", buffering=0) as file:
                    file.write(whole[: len(whole) // 2])
                    ended.wait(0.005)
                    file.write(whole[len(whole) // 2 :])
                ended.wait(0.005)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            answers = [daemon.wire.client.call("reloadconfig") for _ in range(2)]
        finally:
            ended.set()
            writer.join()
        for answer in answers:
            self.assertEqual(answer["errno"], 5)
            self.assertIn("changes all the time", answer["reason"])
        self.assertFalse(self.reload()["changes"])
        self.assertEqual({name: self.pids(name) for name in names}, before)


if __name__ == "__main__":
    unittest.main()
