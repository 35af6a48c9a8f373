"""A directory service that takes its time: only what needs it waits."""

from __future__ import annotations

import os
import pwd
import signal
import unittest

from cvec_circus.base.clock import SYSTEM
from tests.support import hanging
from tests.support.daemon import Daemon, folder
from tests.support.hurry import hurried
from tests.support.reloads import ReloadCase

TEXT = "[watcher:a]\ncmd = sleep 1000\nmin_uptime = 0\n"
US = pwd.getpwuid(os.getuid()).pw_name
SLOW = f"slow-{US}"


class TestSlowNames(ReloadCase):
    def begin(self, text: str = TEXT) -> Daemon:
        """Start a daemon in which names that begin with "slow-" hang."""
        place = folder(self)
        env = hanging.library(self, place)
        os.mkfifo(env["SLOW_NAMES"])
        self.gate = os.open(env["SLOW_NAMES"], os.O_RDWR)
        self.addCleanup(os.close, self.gate)
        wrapper = hurried({"supervisor.supervisor.CHORES_TIMEOUT": 0.2})
        return self.up(text, env=env, wrapper=wrapper)

    def let_go(self) -> None:
        """Let one look-up be answered: the one that hangs, or the next."""
        os.write(self.gate, b".")

    def die(self, daemon: Daemon) -> float:
        """Have a's process die, and return how many seconds it took until the next one."""
        (pid,) = self.pids("a")
        began = SYSTEM.monotonic()
        os.kill(pid, signal.SIGKILL)
        daemon.wire.events.next("reap", process_pid=pid)
        daemon.wire.events.next("spawn")
        return SYSTEM.monotonic() - began

    def test_a_respawn_does_not_wait_for_an_add(self) -> None:
        daemon = self.begin()
        asking = self.asking()
        add = asking.ask("add", name="b", cmd="sleep 1000", options={"uid": SLOW}, start=True)
        start = asking.ask("start", name="b")
        self.assertLess(max(self.die(daemon) for _ in range(10)), 2.0)
        self.assertFalse(asking.answered(add) or asking.answered(start))
        self.assertEqual(self.statuses(), {"a": "active"})
        self.let_go()
        for answer in asking.until(add, start):
            self.assertEqual(answer["status"], "ok")
        daemon.wire.events.next("start")
        self.assertEqual(daemon.call("get", name="b", keys=["uid"])["options"], {"uid": SLOW})
        # What was looked up serves every start from now on.
        (pid,) = self.pids("b")
        os.kill(pid, signal.SIGKILL)
        daemon.wire.events.next("reap", process_pid=pid)
        daemon.wire.events.next("spawn")
        daemon.signal(signal.SIGTERM)
        daemon.ended()

    def test_set_and_what_follows_it(self) -> None:
        daemon = self.begin()
        asking = self.asking()
        orders = [
            asking.ask("set", name="a", options={"uid": SLOW}),
            asking.ask("get", name="A", keys=["uid"]),
            asking.ask("set", name="a", options={"uid": "slow-no-such-user"}),
            asking.ask("set", name="a", options={"numprocesses": 2}),
        ]
        other = self.asking()
        other.until(other.ask("list"), other.ask("add", name="c", cmd="sleep 1000"))
        self.assertFalse(asking.answered(orders[0]))
        self.let_go()
        asking.until(*orders[:2])
        self.assertFalse(asking.answered(orders[3]))
        self.let_go()
        answers = asking.until(*orders)
        self.assertEqual(answers[1]["options"], {"uid": SLOW})
        self.assertEqual(answers[2]["reason"], "uid: there is no user slow-no-such-user")
        self.assertEqual([answers[n]["status"] for n in (0, 1, 3)], ["ok"] * 3)
        self.assertEqual(daemon.call("get", name="a", keys=["uid"])["options"], {"uid": SLOW})

    def test_a_reload_does_not_wait_for_it_nor_the_end(self) -> None:
        daemon = self.begin()
        asking = self.asking()
        add = asking.ask("add", name="b", cmd="sleep 1000", options={"uid": SLOW})
        asking.until(asking.ask("ping"))
        self.assertTrue(self.reload(f"{TEXT}[watcher:c]\ncmd = sleep 1000\n")["changes"])
        daemon.signal(signal.SIGTERM)
        [answer] = asking.until(add)
        self.assertEqual(answer["reason"], "arbiter is stopping")
        self.assertIn("the names thread has not ended", "\n".join(daemon.ended()))

    def test_a_configuration_with_such_a_name(self) -> None:
        daemon = self.begin()
        asking = self.asking()
        self.write(f"{TEXT}uid = {SLOW}\n")
        reload = asking.ask("reloadconfig", waiting=True)
        self.assertLess(max(self.die(daemon) for _ in range(3)), 2.0)
        daemon.call("add", name="b", cmd="sleep 1000", options={"uid": US}, start=True)
        self.assertFalse(asking.answered(reload))
        self.let_go()
        asking.until(reload)
        self.assertEqual(daemon.call("get", name="a", keys=["uid"])["options"], {"uid": SLOW})


if __name__ == "__main__":
    unittest.main()
