"""What the processes of many watchers have written, as `logs` without a single name tells it."""

from __future__ import annotations

import os
import threading
import unittest
from functools import partial
from typing import Any, BinaryIO

from cvec_circus.client import Client
from cvec_circus.supervisor.output import histories
from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually

Reply = dict[str, Any]


class OutputsCase(EmbeddedCase):
    """Children that say what comes down a pipe of each."""

    def setUp(self) -> None:
        super().setUp()
        self.inputs: dict[str, BinaryIO] = {}
        self.answers: list[Reply] = []

    def echo(self, name: str, redirect: str = "", **options: Any) -> dict[str, Any]:
        """A child whose output is `log_history` long, and passed on to nowhere."""
        path = str(self.folder / name)
        os.mkfifo(path)
        self.inputs[name] = open(path, "w+b", buffering=0)
        self.addCleanup(self.inputs[name].close)
        stream = {"class": "FileStream", "filename": os.devnull}
        streams = {"stdout_stream": stream, "stderr_stream": stream}
        text = f"exec cat <>{path} {redirect}"
        return {"name": name, "cmd": "sh", "args": ["-c", text], **streams, **options}

    def say(self, name: str, text: str) -> None:
        """Have a child write something, and wait until it is kept."""
        self.inputs[name].write(text.encode())
        self.assertTrue(eventually(partial(self.ends_with, name, text.splitlines()[-1])))

    def ends_with(self, name: str, text: str) -> bool:
        return self.texts(name=[name], lines=1) == [text]

    def logs(self, **properties: Any) -> Reply:
        return self.wire.call("logs", **properties)

    def texts(self, **properties: Any) -> list[str]:
        return [line["text"] for line in self.logs(**properties)["lines"]]

    def follow(self, **properties: Any) -> threading.Thread:
        """Ask for what is to come, on a thread; the answer goes to `answers`."""

        def ask() -> None:
            with Client(self.arbiter.endpoint, timeout=60) as client:
                self.answers.append(client.call("logs", timeout=60, **properties))

        thread = threading.Thread(target=ask)
        thread.start()
        self.addCleanup(thread.join)
        self.assertTrue(eventually(lambda: self.waiting() > 0))
        return thread

    def waiting(self) -> int:
        outputs = self.arbiter._life.supervisor.desks.outputs
        return self.arbiter._life.supervisor.loop.ask(lambda: len(outputs.all._waiting), timeout=20)

    def answer(self, thread: threading.Thread) -> Reply:
        thread.join(60)
        [answer] = self.answers
        self.answers.clear()
        return answer


class TestTheLast(OutputsCase):
    def test_the_order_and_whose_line_it_is(self) -> None:
        self.arbit(self.echo("web"), self.echo("db", ">&2"))
        self.say("web", "one\n")
        self.say("db", "two\n")
        self.say("web", "three")
        reply = self.logs()
        [web], [db] = self.wire.pids("web"), self.wire.pids("db")
        shown = [
            (line["watcher"], line["stream"], line["pid"], line["wid"], line["text"])
            for line in reply["lines"]
        ]
        self.assertEqual(
            shown,
            [
                ("web", "stdout", web, 1, "one"),
                ("db", "stderr", db, 1, "two"),
                ("web", "stdout", web, 1, "three"),
            ],
        )
        self.assertTrue(reply["lines"][2]["partial"])
        self.assertEqual((reply["more"], reply["missed"], reply["several"]), (False, [], []))
        self.assertNotIn("unkept", reply)
        self.assertEqual(self.texts(lines=1), ["three"])
        self.assertEqual(self.texts(lines=0), [])
        self.assertEqual(self.texts(stream="stderr"), ["two"])
        self.assertEqual(self.texts(age=1000), ["one", "two", "three"])
        self.assertEqual(self.texts(age=0), [])
        self.assertEqual(self.texts(since=0), ["one", "two", "three"])

    def test_names_and_patterns(self) -> None:
        self.arbit(self.echo("web-1"), self.echo("web-2"), self.echo("db"))
        for name in self.inputs:
            self.say(name, f"{name}\n")
        for names, expected in (
            (["web-*"], ["web-1", "web-2"]),
            (["DB", "*1"], ["web-1", "db"]),
            ("db", ["db"]),
        ):
            self.assertEqual(self.texts(name=names), expected)
        refused = self.wire.refused
        self.assertEqual(refused("logs", name=["db", "no"]), "program no not found")
        self.assertEqual(refused("logs", name=["no*"]), "program no* not found")
        self.assertEqual(self.texts(name=["no"], since="ab:1"), [])
        self.assertIn("must be text", refused("logs", name="d*", since=5))
        self.assertIn("more than 20 patterns", refused("logs", name=["*"] * 21))
        for since in ("ab", "ab:", ":1", "-1", "ab:1x", "ab:" + "1" * 100):
            self.assertIn("since", refused("logs", since=since))

    def test_what_is_not_kept(self) -> None:
        silent = {"cmd": "sleep 1000"}
        self.arbit(
            self.echo("web"), {"name": "db", **silent}, {"name": "off", "log_history": 0, **silent}
        )
        self.assertEqual(
            self.logs()["unkept"],
            {
                "db": "db: its output goes to the daemon's own stdout and stderr and is not kept; "
                "`cvec_circusctl set db log_history 64k` replaces no process, "
                "and keeps it from the next start on"
            },
        )
        self.assertEqual(set(self.logs(name=["*"])["unkept"]), {"db", "off"})
        self.assertIn("because log_history is 0", self.wire.refused("logs", name=["off"]))
        many = self.wire.refused("logs", name=["off", "db"])
        self.assertIn("no output is kept of 2 watchers (off, db);", many)
        [pid] = self.wire.pids("db")
        self.wire.order("set", name="db", options={"log_history": 1000})
        expected = {
            "db": f"db: process {pid} started before the output was kept; it is kept from the next "
            "start on: `cvec_circusctl restart db`"
        }
        self.assertEqual(self.logs()["unkept"], expected)
        expected = {"db": expected["db"]}
        self.assertEqual(self.logs(name="db")["unkept"], expected)
        self.assertEqual(self.wire.pids("db"), [pid])
        self.wire.order("restart", name="db")
        self.assertNotIn("unkept", self.logs())

    def test_several_processes(self) -> None:
        text = "echo $(circus.wid); exec sleep 1000"
        stream = {"filename": os.devnull}
        self.arbit(
            {"name": "a", "cmd": "sh", "args": ["-c", text], "numprocesses": 2}
            | {"stdout_stream": stream}
        )
        self.assertTrue(eventually(lambda: len(self.texts()) == 2))
        reply = self.logs()
        self.assertEqual(reply["several"], ["a"])
        for line in reply["lines"]:
            self.assertEqual(str(line["wid"]), line["text"])

    def test_a_page_at_a_time(self) -> None:
        stream = {"filename": os.devnull}
        text = "seq 2000; exec sleep 1000"
        watchers = [
            {"name": name, "cmd": "sh", "args": ["-c", text], "stdout_stream": stream}
            for name in "abc"
        ]
        self.arbit(*watchers)
        for name in "abc":
            self.assertTrue(eventually(partial(self.ends_with, name, "2000")))
        seen: dict[str, list[int]] = {name: [] for name in "abc"}
        since: Any = 0
        more = True
        while more:
            reply = self.logs(since=since)
            for line in reply["lines"]:
                seen[line["watcher"]].append(int(line["text"]))
            since, more = reply["next"], reply["more"]
            self.assertLessEqual(len(reply["lines"]), histories.PAGE_LINES)
        self.assertEqual(seen, {name: list(range(1, 2001)) for name in "abc"})
        self.assertEqual(len(self.texts(lines=5000)), 2000)


class TestFollowing(OutputsCase):
    def test_lines_that_come(self) -> None:
        self.arbit(self.echo("web"), self.echo("db"))
        self.say("web", "one\ntw")
        place = self.logs()["next"]
        thread = self.follow(since=place)
        self.inputs["web"].write(b"o\n")
        answer = self.answer(thread)
        self.assertEqual([line["text"] for line in answer["lines"]], ["two"])
        thread = self.follow(since=answer["next"])
        self.inputs["db"].write(b"three\n")
        answer = self.answer(thread)
        self.assertEqual([line["watcher"] for line in answer["lines"]], ["db"])
        self.assertEqual(self.logs(since=answer["next"], timeout=0.01)["lines"], [])
        self.assertEqual(self.waiting(), 0)

    def test_only_what_is_wanted(self) -> None:
        self.arbit(self.echo("web"), self.echo("db"))
        thread = self.follow(name=["d*"], since=self.logs()["next"])
        self.say("web", "one\n")
        self.say("db", "two\n")
        self.assertEqual([line["text"] for line in self.answer(thread)["lines"]], ["two"])

    def test_watchers_come_and_go(self) -> None:
        self.arbit(self.echo("web"))
        place = self.logs()["next"]
        thread = self.follow(since=place)
        new = self.echo("new", graceful_timeout=20)
        loop = f"while read line; do echo $line; done <>{self.folder}/new"
        text = f"trap 'echo last words; exit' TERM; {loop}"
        options = {**new, "args": ["-c", text], "copy_env": True}
        name = options.pop("name")
        cmd, args = options.pop("cmd"), options.pop("args")
        self.wire.order("add", name=name, cmd=cmd, args=args, options=options, start=True)
        self.inputs["new"].write(b"hello\n")
        answer = self.answer(thread)
        self.assertEqual([line["text"] for line in answer["lines"]], ["hello"])
        thread = self.follow(since=answer["next"])
        self.wire.order("rm", name="new")
        answer = self.answer(thread)
        self.assertEqual(
            [(line["watcher"], line["text"]) for line in answer["lines"]], [("new", "last words")]
        )
        self.assertEqual(len(self.logs(since=answer["next"], timeout=0.01)["lines"]), 0)

    def test_who_was_too_slow(self) -> None:
        self.arbit(self.echo("web", log_history=1000), self.echo("db"))
        self.say("web", "first\n")
        place = self.logs()["next"]
        for number in range(100):
            self.say("web", f"{number:01000}\n")
        self.say("db", "here\n")
        reply = self.logs(since=place, timeout=60)
        self.assertEqual(reply["missed"], ["web"])
        self.assertEqual(self.logs(since=reply["next"], timeout=0.01)["missed"], [])

    def test_the_place_of_another_daemon(self) -> None:
        self.arbit(self.echo("web"))
        self.say("web", "one\n")
        self.assertEqual(self.texts(since="abcd:99999999", timeout=60), ["one"])

    def test_it_ends_with_the_daemon(self) -> None:
        self.arbit(self.echo("web"))
        thread = self.follow(since=self.logs()["next"])
        self.arbiter.stop()
        answer = self.answer(thread)
        self.assertEqual((answer["lines"], answer["ended"]), ([], "the daemon has stopped"))


class TestLastOutput(OutputsCase):
    def last_output(self, pid: int, count: int) -> list[str] | None:
        supervisor = self.arbiter._life.supervisor
        [watcher] = supervisor.target.matching("a", "simple")
        return supervisor.loop.ask(
            lambda: supervisor.desks.outputs.last_output(watcher, pid, count), timeout=20
        )

    def test_of_one_process_in_order(self) -> None:
        stream = {"filename": os.devnull}
        text = "echo one; echo two; printf 3; echo error >&2; exec sleep 1000"
        watcher = {"name": "a", "cmd": "sh", "args": ["-c", text], "numprocesses": 2}
        self.arbit({**watcher, "stdout_stream": stream, "stderr_stream": stream})
        for pid in self.wire.pids("a"):
            self.assertTrue(eventually(partial(self.is_whole, pid)))
            lines = self.last_output(pid, 9)
            lines.remove("error")  # of another pipe, which may be read first
            self.assertEqual(lines, ["one", "two", "3"])
            self.assertEqual(len(self.last_output(pid, 2)), 2)
            self.assertEqual(self.last_output(pid, 0), [])
        self.assertEqual(self.last_output(1, 9), [])

    def is_whole(self, pid: int) -> bool:
        return len(self.last_output(pid, 9)) == 4

    def test_nothing_is_kept(self) -> None:
        self.arbit({"name": "a", "cmd": "sleep 1000"})
        [pid] = self.wire.pids("a")
        self.assertIsNone(self.last_output(pid, 9))
        self.wire.refused("logs", name="a")  # now there are histories, but none of it
        self.assertIsNone(self.last_output(pid, 9))


if __name__ == "__main__":
    unittest.main()
