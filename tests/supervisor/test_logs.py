"""What processes have written, as `logs` tells it."""

from __future__ import annotations

import os
import subprocess
import threading
import unittest
from typing import Any, Callable

from cvec_circus.base.clock import SYSTEM
from cvec_circus.client import Client
from tests.support.daemon import script
from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually
from tests.support.silence import silence

LAST = "exec sleep 1000"


class LogsCase(EmbeddedCase):
    """A shell, and what is kept of its output."""

    def shell(self, text: str, **options: Any) -> dict[str, Any]:
        return {"name": "a", "cmd": "sh", "args": ["-c", text], **options}

    def streamed(self, text: str, **options: Any) -> dict[str, Any]:
        return self.shell(
            text, **{"stdout_stream": {"filename": str(self.folder / "a.log")}, **options}
        )

    def logs(self, **properties: Any) -> dict[str, Any]:
        return self.wire.call("logs", name="a", **properties)

    def texts(self, **properties: Any) -> list[str]:
        return [line["text"] for line in self.logs(**properties)["lines"]]

    def shows(self, texts: list[str], **properties: Any) -> bool:
        return eventually(lambda: self.texts(**properties) == texts, 20.0)

    def on_owner(self, fn: Callable[[], int]) -> int:
        return self.arbiter._life.supervisor.loop.ask(fn, timeout=20)

    def refusal(self, **properties: Any) -> str:
        return self.wire.refused("logs", name="a", **properties)


class TestWhatIsKept(LogsCase):
    """Which outputs, how much of them, and how long."""

    def test_with_a_stream(self) -> None:
        before = SYSTEM.time()
        self.arbit(self.streamed(f"echo one; printf 'a\\377b'; {LAST}"))
        self.assertTrue(self.shows(["one", "a\\xffb"]))
        reply = self.logs()
        [pid] = self.wire.pids("a")
        self.assertEqual((reply["name"], reply["stream"], reply["missed"]), ("a", "stdout", 0))
        whole, part = reply["lines"]
        self.assertEqual(set(whole), {"time", "pid", "text"})
        self.assertEqual({whole["pid"], part["pid"]}, {pid})
        self.assertTrue(before <= whole["time"] <= SYSTEM.time())
        self.assertTrue(part["partial"])
        self.assertEqual(
            self.refusal(stream="stderr"),
            "a: its standard error goes to the daemon's own stderr and is not kept; "
            "`cvec_circusctl set a log_history 64k` replaces no process, "
            "and keeps it from the next start on; "
            "its standard output is there, without --stderr",
        )

    def test_without_a_stream(self) -> None:
        silence(self)
        self.arbit(self.shell(LAST))
        self.assertIn(
            "`cvec_circusctl set a log_history 64k` replaces no process, and keeps it",
            self.refusal(),
        )
        args = ["-c", f"echo one; echo two >&2; {LAST}"]
        self.wire.order("set", name="a", options={"log_history": 1000, "args": args})
        self.assertTrue(self.shows(["one"]))
        self.assertTrue(self.shows(["two"], stream="stderr"))
        self.wire.order("set", name="a", options={"log_history": 0, "args": ["-c", LAST]})
        self.assertEqual(
            self.refusal(),
            "a: its standard output is not kept, because log_history is 0; "
            "`cvec_circusctl set a log_history 64k` replaces no process, "
            "and keeps it from the next start on",
        )

    def test_what_is_read_already_is_kept_at_once(self) -> None:
        """Its option was 0 for a while only."""
        silence(self)
        self.arbit(self.shell(LAST, log_history=1000))
        self.assertTrue(eventually(lambda: self.wire.pids("a")))
        pids = self.wire.pids("a")
        self.wire.order("set", name="a", options={"log_history": 0})
        self.assertTrue(self.refusal().endswith("replaces no process, and keeps it"))
        self.assertEqual(self.wire.pids("a"), pids)

    def test_what_is_closed(self) -> None:
        self.arbit(self.shell(LAST, log_history=1000, close_child_stdout=True))
        self.assertEqual(
            self.refusal(),
            "a: its standard output is closed (close_child_stdout); "
            "its standard error is there, with --stderr",
        )

    def test_before_the_first_start(self) -> None:
        self.arbit(self.streamed(LAST, autostart=False))
        self.assertEqual(self.texts(), [])
        self.assertEqual(self.texts(since=0), [])

    def test_it_outlives_stop_start_restart_and_reload(self) -> None:
        self.arbit(self.streamed(f"echo up; {LAST}"))
        orders = ("stop", "start", "restart", "reload", "stop")
        wanted = ["up"]
        self.assertTrue(self.shows(wanted))
        for order in orders:
            self.wire.order(order, name="a")
            wanted += ["up"] * (order != "stop")
            self.assertTrue(self.shows(wanted), order)
        pids = [line["pid"] for line in self.logs()["lines"]]
        self.assertEqual(len(set(pids)), 4)

    def test_it_ends_with_the_watcher(self) -> None:
        for is_stopped in (False, True):
            with self.subTest(is_stopped=is_stopped):
                self.arbit(self.streamed(f"echo up; {LAST}"))
                self.assertTrue(self.shows(["up"]))
                if is_stopped:
                    self.wire.order("stop", name="a")
                self.wire.order("rm", name="a")
                self.assertEqual(self.refusal(), "program a not found")
                self.assertEqual(self.on_owner(self.kept), 0)
                self.arbiter.stop()

    def kept(self) -> int:
        supervisor = self.arbiter._life.supervisor
        return len(supervisor.desks.outputs.histories._histories)

    def test_only_so_much(self) -> None:
        text = f"seq -f %020.0f 1000; {LAST}"
        self.arbit(self.streamed(text, log_history=5000))
        last = [f"{number:020}" for number in range(1000, 0, -1)]
        self.assertTrue(self.shows(last[:1], lines=1))
        reply = self.logs(since=0)
        self.assertGreater(reply["missed"], 21000 - 5000 - 65536)
        self.assertTrue(reply["lines"][0].get("cut", False) or reply["missed"] % 21 == 0)
        texts = [line["text"] for line in reply["lines"][1:]]
        self.assertEqual(texts, [f"{int(texts[0]) + n:020}" for n in range(len(texts))])

    def test_a_page_at_a_time(self) -> None:
        self.arbit(self.streamed(f"seq 5000; {LAST}"))
        self.assertTrue(self.shows(["5000"], lines=1))
        seen, since, pages = [], 0, 0
        while len(seen) < 5000:
            reply = self.logs(since=since)
            seen += [line["text"] for line in reply["lines"]]
            since = reply["next"]
            pages += 1
            self.assertEqual(reply["more"], len(seen) < 5000)
        self.assertEqual(seen, [str(number) for number in range(1, 5001)])
        self.assertEqual(pages, 10)
        self.assertEqual(len(self.texts(lines=5000)), 2000)


class TestFollowing(LogsCase):
    """Whoever waits for a line."""

    def setUp(self) -> None:
        super().setUp()
        self.answers: list[Any] = []

    def follow(self, **properties: Any) -> threading.Thread:
        """Ask for what is to come, on a thread; the answer goes to `answers`."""

        def ask() -> None:
            with Client(self.arbiter.endpoint, timeout=60) as client:
                self.answers.append(client.call("logs", name="a", **properties))

        thread = threading.Thread(target=ask)
        thread.start()
        self.addCleanup(thread.join)
        self.assertTrue(eventually(lambda: self.on_owner(self.waiting) > 0, 20.0))
        return thread

    def waiting(self) -> int:
        followers = self.arbiter._life.supervisor.desks.outputs.histories._followers
        return sum(map(len, followers.values()))

    def answer(self, thread: threading.Thread) -> dict[str, Any]:
        thread.join(60)
        [answer] = self.answers
        self.answers.clear()
        return answer

    def read_and_echo(self) -> str:
        """A child that says what comes down a pipe."""
        path = str(self.folder / "input")
        os.mkfifo(path)
        self.input = open(path, "w+b", buffering=0)
        self.addCleanup(self.input.close)
        return f"exec cat <>{path}"

    def test_a_line_that_comes(self) -> None:
        self.arbit(self.streamed(self.read_and_echo()))
        thread = self.follow(since=0, timeout=60)
        self.input.write(b"some")
        self.assertTrue(self.shows(["some"]))
        self.input.write(b"thing\nmore")
        answer = self.answer(thread)
        self.assertEqual([line["text"] for line in answer["lines"]], ["something"])
        self.assertEqual((answer["missed"], answer["more"]), (0, False))
        thread = self.follow(since=answer["next"], timeout=60)
        self.input.write(b"!\n")
        self.assertEqual([line["text"] for line in self.answer(thread)["lines"]], ["more!"])

    def test_nothing_comes(self) -> None:
        self.arbit(self.streamed(LAST))
        reply = self.logs(since=0, timeout=0.01)
        self.assertEqual((reply["lines"], reply["next"]), ([], 0))
        self.assertEqual(self.on_owner(self.waiting), 0)

    def test_a_slow_one_is_told_what_it_missed(self) -> None:
        self.arbit(self.streamed(self.read_and_echo(), log_history=1000))
        self.input.write(b"first\n")
        self.assertTrue(self.shows(["first"]))
        since = self.logs()["next"]
        for number in range(100):
            self.input.write(b"%01000d\n" % number)
            self.assertTrue(self.shows([f"{number:01000}"], lines=1))
        reply = self.logs(since=since, timeout=60)
        size = sum(len(line["text"]) + 1 for line in reply["lines"])
        self.assertEqual(reply["missed"] + size, 100 * 1001)
        self.assertGreater(reply["missed"], 50_000)

    def test_it_ends_with_the_watcher(self) -> None:
        self.arbit(self.streamed(f"echo up; {LAST}"))
        self.assertTrue(self.shows(["up"]))
        thread = self.follow(since=3, timeout=60)
        self.wire.order("rm", name="a")
        self.assertEqual(self.answer(thread)["ended"], "a was removed")

    def test_it_ends_with_the_daemon(self) -> None:
        self.arbit(self.streamed(f"trap 'echo last words; exit' TERM; echo up; {self.wait()}"))
        self.assertTrue(self.shows(["up"]))
        since = self.logs()["next"]
        thread = self.follow(since=since, timeout=60)
        self.arbiter.stop()
        answer = self.answer(thread)
        if "ended" not in answer:  # it was answered when the words came
            self.assertEqual([line["text"] for line in answer["lines"]], ["last words"])
        else:
            self.assertEqual(answer["ended"], "the daemon has stopped")

    def test_a_command_line_that_follows(self) -> None:
        self.arbit(self.streamed(f"echo up; {LAST}"))
        process = subprocess.Popen(
            script("cvec_circusctl", "--endpoint", self.arbiter.endpoint, "logs", "a", "--follow"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertTrue(process.stdout.readline().endswith("| up\n"))
        self.assertTrue(eventually(lambda: self.on_owner(self.waiting) == 1, 20.0))
        self.arbiter.stop()
        self.assertEqual(process.communicate(), ("", "(the daemon has stopped)\n"))
        self.assertEqual(process.returncode, 0)

    def wait(self) -> str:
        return "while :; do sleep 0.01; done"


if __name__ == "__main__":
    unittest.main()
