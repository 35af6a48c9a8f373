"""Hooks that are programs: what they get, what their end means, and that they end."""

from __future__ import annotations

import errno
import json
import os
import shlex
import sys
import time
import unittest
from unittest import mock

from cvec_circus.base.wakeup import Wakeup
from tests.supervisor.hook_case import PATIENCE, HooksCase
from tests.support.eventually import eventually
from tests.support.leaks import children

TELL = """
import json, os
names = os.listdir("/proc/self/fd")
facts = {k: v for k, v in os.environ.items() if k.startswith("CVEC_CIRCUS") or k == "OF_WATCHER"}
with open("told", "w") as file:
    json.dump({"facts": facts, "fds": names, "leads": os.getsid(0) == os.getpid()}, file)
"""


class TestPrograms(HooksCase):
    def told(self) -> dict:
        """What a program that was run with TELL has found."""

        return json.loads((self.folder / "told").read_text())

    def test_what_it_gets(self) -> None:
        script = self.folder / "tell.py"
        script.write_text(TELL)
        command = shlex.join([sys.executable, str(script)])
        watcher = self.watcher(
            env={"OF_WATCHER": "x"},
            working_dir=str(self.folder),
            hooks={"after_reap": f"exec:{command}", "before_signal": f"exec: {command}"},
        )
        ours = {key: value for key, value in os.environ.items() if "CVEC_CIRCUS" not in key}
        with mock.patch.dict(os.environ, ours, clear=True):  # without those of who runs the tests
            self.assertEqual(self.asked(watcher, "after_reap", process_pid=7, exit_code=-9), "")
        told = self.told()
        self.assertAlmostEqual(float(told["facts"].pop("CVEC_CIRCUS_TIME")), time.time(), delta=60)
        self.assertEqual(
            told["facts"],
            {
                "CVEC_CIRCUS_HOOK": "after_reap",
                "CVEC_CIRCUS_WATCHER": "web",
                "CVEC_CIRCUS_PID": "7",
                "CVEC_CIRCUS_EXIT_CODE": "-9",
                "CVEC_CIRCUS_PROCESS_STATUS": "2",
                "CVEC_CIRCUSCTL_ENDPOINT": "ipc:///nowhere",
                "OF_WATCHER": "x",
            },
        )
        self.assertTrue(told["leads"])
        self.assertEqual(len(told["fds"]), 4)  # the three, and the one of the listing
        self.assertEqual(self.asked(watcher, "before_signal", pid=8, signum=15), "")
        facts = self.told()["facts"]
        self.assertEqual((facts["CVEC_CIRCUS_PID"], facts["CVEC_CIRCUS_SIGNUM"]), ("8", "15"))

    def test_its_end_is_the_answer(self) -> None:
        for text, reason in (
            ("exit 0", ""),
            ("echo fine >&2", ""),
            ("exit 3", "hook before_start said no: exit code 3"),
            ("echo first >&2; echo 'no disk ' >&2; exit 1", "hook before_start said no: no disk"),
        ):
            with self.subTest(text):
                watcher = self.watcher(hooks={"before_start": self.program(text)})
                self.assertEqual(self.asked(watcher, "before_start"), reason)
                self.assertEqual(self.events.pop()["action"], "hook_success")

    def test_failures(self) -> None:
        for hook, reason in (
            (self.program("kill -9 $$"), "it was killed by SIGKILL"),
            ("exec:/no/such/program", "/no/such/program"),
        ):
            with self.subTest(hook), self.assertLogs("cvec_circus", "ERROR"):
                watcher = self.watcher(hooks={"before_start": hook})
                said = self.asked(watcher, "before_start")
                self.assertIn("hook before_start failed: ", said)
                self.assertIn(reason, said)
                self.assertEqual(self.events.pop()["action"], "hook_failure")

    def test_what_it_says_is_in_the_log(self) -> None:
        watcher = self.watcher(hooks={"after_stop": self.program("echo all is well >&2")})
        with self.assertLogs("cvec_circus", "INFO") as caught:
            self.asked(watcher, "after_stop")
        self.assertEqual(caught.output, ["INFO:cvec_circus:web: hook after_stop: all is well"])

    def test_much_output_and_a_child_that_keeps_the_pipe(self) -> None:
        text = "sleep 1000 & echo $! >{0}/child; head -c 500000 /dev/zero | tr '\\0' x >&2; exit 1"
        watcher = self.watcher(hooks={"before_start": self.program(text.format(self.folder))})
        said = self.asked(watcher, "before_start")
        self.assertTrue(said.startswith("hook before_start said no: xxx"), said[:60])
        self.assertLess(len(said), 2000)
        os.kill(int((self.folder / "child").read_text()), 9)

    def test_when_its_time_is_up_it_is_killed_with_its_group(self) -> None:
        text = f"sleep 1000 & echo $! >{self.folder}/child; echo up >{self.folder}/up; wait"
        watcher = self.watcher(hooks={"before_start": self.program(text)})
        with self.assertLogs("cvec_circus", "ERROR"):
            self.ask(watcher, "before_start")
            self.assertTrue(eventually((self.folder / "up").exists, PATIENCE))
            self.loop.ask(self.hooks.hurry, 0.01)
            said = "hook before_start has not answered within 0.01 s"
            self.assertEqual(self.answer(), ("before_start", said))
        self.assertTrue(eventually(lambda: not children(), PATIENCE))
        child = int((self.folder / "child").read_text())
        self.assertTrue(eventually(lambda: not runs(child), PATIENCE))

    def test_a_pipe_that_there_is_not_yet(self) -> None:
        watcher = self.watcher(hooks={"before_start": self.program("true")})
        refusals = [OSError(errno.EMFILE, "Too many open files")] * 2
        with mock.patch("cvec_circus.supervisor.hooks.Wakeup") as refused:
            refused.side_effect = [*refusals, Wakeup()]
            self.assertEqual(self.asked(watcher, "before_start"), "")
        self.assertEqual(refused.call_count, 3)

    def test_at_the_end_it_is_killed(self) -> None:
        text = f"echo up >{self.folder}/up; sleep 1000"
        watcher = self.watcher(hooks={"after_stop": self.program(text)})
        self.ask(watcher, "after_stop")
        self.assertTrue(eventually((self.folder / "up").exists, PATIENCE))
        self.loop.stop()
        self.loop_thread.join(PATIENCE)
        self.hooks.close()
        self.assertEqual(children(), {})


class TestOpenFiles(HooksCase):
    """A daemon that has more open files than it had, and does not hand that on."""

    nofile = 200

    def test_programs_get_the_limit_that_the_daemon_had(self) -> None:
        text = "test $(ulimit -Sn) = 200 && test $(ulimit -Hn) != 200"
        watcher = self.watcher(hooks={"before_start": self.program(text)})
        self.assertEqual(self.asked(watcher, "before_start"), "")

    def test_programs_that_cannot_be_run(self) -> None:
        watcher = self.watcher(hooks={"before_start": "exec:/no/such/program"})
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            said = self.asked(watcher, "before_start")
        text = "failed: cannot run /no/such/program: No such file or directory"
        self.assertEqual(said, f"hook before_start {text}")
        self.assertEqual(logs.output, [f"ERROR:cvec_circus:web: hook before_start {text}"])


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main()
