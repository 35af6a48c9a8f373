"""What is kept running, whatever becomes of files, of other watchers and of the past."""

from __future__ import annotations

import os
import unittest

from tests.cases.case import Case, sh
from tests.support.daemon import Daemon
from tests.support.eventually import eventually

CRASHES = """\
[watcher:web]
cmd = sh -c 'test -e {DIR}/good || exit 3; exec sleep 7772'
backoff = False
min_uptime = 0.1
"""


class TestRunning(Case):
    def up(self, daemon: Daemon, name: str, count: int) -> bool:
        """Wait until a watcher has so many processes that are ready."""
        return eventually(
            lambda: (
                len(daemon.wire.pids(name)) == count
                and daemon.call("status", name=name, details=True)["watcher"]["phase"] == "up"
            )
        )

    def test_a_thousand_million_processes(self) -> None:
        """`set web numprocesses 1000000000` -> refused with the limit, at once."""
        daemon = self.daemon("[watcher:web]\ncmd = sleep 7772\n")
        with self.within(5):
            done = daemon.ctl("set", "web", "numprocesses", "1000000000")
        self.assertEqual(done.returncode, 3)
        self.assertIn("max_processes allows (10000)", done.stderr)
        self.assertEqual(len(daemon.wire.pids("web")), 1)

    def test_a_program_that_is_not_there_has_the_higher_priority(self) -> None:
        """`cmd = /nonexistent`, `priority = 10`, `max_retry = -1` -> the others start, and
        come back from `restart`; REASON names the program."""
        proxy = "[watcher:proxy]\ncmd = /nonexistent\npriority = 10\nmax_retry = -1\n"
        daemon = self.daemon(f"{proxy}[watcher:web]\ncmd = sleep 7772\n")
        self.assertTrue(self.up(daemon, "web", 1))
        (before,) = daemon.wire.pids("web")
        self.assertIn("/nonexistent", self.table(daemon, "proxy")["REASON"])
        daemon.call("restart")
        self.assertTrue(eventually(lambda: daemon.wire.pids("web") not in ([], [before])))
        self.assertTrue(self.up(daemon, "web", 1))

    def test_the_program_is_moved_away(self) -> None:
        """Five processes of a file that is gone for two seconds while one is killed -> the other
        four go on, and the fifth comes back."""
        daemon = self.daemon("[watcher:web]\ncmd = {DIR}/prog\nnumprocesses = 5\n", up=False)
        daemon.log.containing("No such file or directory")
        daemon.connect()
        program = daemon.folder / "prog"
        aside = daemon.folder / "aside"
        program.write_text("#!/bin/sh\nexec sleep 7772\n")
        program.chmod(0o755)
        daemon.order("start", name="web")
        self.running(daemon, "sleep 7772", 5)
        before = daemon.wire.pids("web")
        program.rename(aside)
        os.kill(before[2], 9)
        self.assertTrue(eventually(lambda: len(daemon.wire.pids("web")) == 4))
        # So often that it would have given up: `max_retry` is 5.
        for _ in range(6):
            daemon.log.containing("cannot run")
        self.assertEqual(set(daemon.wire.pids("web")), {*before} - {before[2]})
        aside.rename(program)
        self.assertTrue(self.up(daemon, "web", 5))
        self.assertLess({*before} - {before[2]}, set(daemon.wire.pids("web")))

    def test_an_output_is_taken_away_while_the_program_writes(self) -> None:
        """`stdout_stream` is taken out of the file -> what drains may write as long as it likes,
        and ends with a code of its own."""
        drain = 'trap "for i in 1 2 3 4 5 6 7 8; do sleep 0.25; echo $i; done; exit 7" TERM'
        head = f"[watcher:w]\ncmd = {sh(f'{drain}; echo there; while :; do sleep 0.1; done')}\n"
        daemon = self.daemon(f"{head}stdout_stream.filename = {{DIR}}/x\n")
        log = daemon.folder / "x"
        self.assertTrue(eventually(lambda: log.exists() and "there" in log.read_text()))
        (pid,) = daemon.wire.pids("w")
        text = daemon.config.read_text()
        daemon.config.write_text(text.partition("stdout_stream")[0])
        daemon.call("reloadconfig")
        event = daemon.wire.events.next("watcher.w.reap", process_pid=pid)
        self.assertEqual(event["exit_code"], 7)

    def test_flapping_is_added_after_the_trouble(self) -> None:
        """`[plugin:flapping]` by `reloadconfig`, when what crashed before is healthy -> nothing is
        stopped for what is long past."""
        daemon = self.daemon(CRASHES)
        daemon.wire.events.wait("watcher.web.reap", 12)
        (daemon.folder / "good").touch()
        self.assertTrue(self.up(daemon, "web", 1))
        before = daemon.wire.pids("web")
        text = daemon.config.read_text()
        flapping = "[plugin:flapping]\nuse = flapping\nattempts = 2\nwindow = 60\n"
        daemon.config.write_text(text + flapping)
        self.assertEqual(daemon.ctl("reloadconfig", "--waiting").returncode, 0)
        daemon.wire.events.wait("watcher.plugin:flapping.ready", 1)
        self.assertEqual(daemon.wire.pids("web"), before)
        self.assertEqual(daemon.wire.events.of("watcher.web.stop"), [])


if __name__ == "__main__":
    unittest.main()
