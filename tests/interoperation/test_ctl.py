"""circusctl with our daemon says what it says with its own; and cvec_circusctl with its daemon."""

from __future__ import annotations

import re
import unittest
from functools import partial

from tests.interoperation.published import OURS, THEIRS, InteroperationCase, needs_circus
from tests.support.eventually import eventually

STEPS = [
    line.split("|")
    for line in """\
list
list|One Shot
status
status|web
status|idle
numprocesses
numprocesses|web
numwatchers
get|web|numprocesses|max_retry|cmd
globaloptions|pubsub_endpoint
listsockets
incr|web|2|--waiting
decr|web|--waiting
decr|web|1|--waiting
incr|One Shot
set|web|graceful_timeout|4.5
get|web|graceful_timeout
start|idle|--waiting
status|idle
stop|idle|--waiting
status|idle
start|i*|--waiting
stop|IDLE|--match|simple|--waiting
restart|web|--waiting
restart|--match|regex|^we.$|--waiting
reload|web|--waiting
reload|web|--sequential|--waiting
reload|web|--terminate|--waiting
signal|web|WINCH
numprocesses|web
add|new|sleep 3600
start|new|--waiting
status|new
rm|new|--waiting
reloadconfig|--waiting
list|nope
status|nope
stop|nope
""".splitlines()
]
"""Command lines that both programs take, and that find both daemons alike."""

QUESTIONS = [
    line.split("|")
    for line in """\
status
status|web
status|idle
list
list|web
stats
stats|web
dstats
listsockets
options|web
get|web|max_retry|cmd|env
globaloptions
globaloptions|check_delay
numprocesses|web
numwatchers
""".splitlines()
]
"""Questions that both programs answer alike."""

ORDERS = [
    line.split("|")
    for line in """\
reloadconfig|--waiting
incr|web|--waiting
decr|web|--waiting
incr|One Shot
set|web|graceful_timeout|4.5
stop|idle|--waiting
start|web
reload|web|--waiting
signal|web|WINCH
add|new|sleep 3600
rm|new
""".splitlines()
]
"""Orders that they answer alike, and that may be given twice."""

REFUSED = [["list", "nope"], ["stop", "nope"], ["get", "web", "nope"]]

USED = re.compile(r"\d+(\.\d+)?[BKMG]?")
"""What processes use."""

NUMBERS = re.compile(r"\d+|/[\w/-]*circus-\w+")
"""Pids, ports, and the folder of a test."""


def lines_of(words: list[str], said: str) -> list[str]:
    """Return the lines that were said, without what differs from one look to the next."""
    said = USED.sub("N", said) if words[0] in ("stats", "dstats") else said
    return said.rstrip("\n").split("\n")


def masked(found: list[tuple[int, str]]) -> dict[str, tuple[int, str]]:
    """Return what was said, by command line, without what no two daemons have in common."""
    said = {}
    for words, (code, text) in zip(STEPS, found):
        text = NUMBERS.sub("N", text) if words[0] in ("list", "listsockets") else text
        text = re.sub(r"/\S*circus-\w+", "/FOLDER", text)
        said[" ".join(words)] = (code, text)
    return said


@needs_circus
class TestControl(InteroperationCase):
    maxDiff = None

    def said_by(self, package: str) -> dict[str, dict[str, tuple[int, str]]]:
        """Return what a program says of each daemon, by command line."""
        daemons = self.daemons()
        drive = partial(self.drive, package, "ctl")
        found = self.together(*(partial(drive, d.endpoint, STEPS) for d in daemons.values()))
        return dict(zip(daemons, map(masked, found)))

    def test_circusctl(self) -> None:
        """Each program of theirs cannot tell our daemon from its own."""
        said = self.said_by(THEIRS)
        self.assertEqual(len(said[OURS]), len({" ".join(words) for words in STEPS}))
        self.assertEqual(said[OURS], said[THEIRS])

    def test_cvec_circusctl(self) -> None:
        """Ours says the same of both, but for what their daemon cannot tell."""
        said = self.said_by(OURS)
        for found in said.values():
            # What the daemon says it does, which Circus does not say.
            self.assertEqual(found.pop("reloadconfig --waiting")[0], 0)
            code, text = found.pop("reload web --terminate --waiting")  # with a remark or without
            self.assertEqual((code, text.partition("\n")[0]), (0, "ok"))
            self.assertEqual(found["status"][1], "One Shot: active\nidle: stopped\nweb: active\n")
        self.assertEqual(said[THEIRS], said[OURS])

    def test_side_by_side_in_a_pipe(self) -> None:
        """What scripts read is what they read from circusctl, line by line."""
        daemon = self.ours()
        self.assertTrue(eventually(lambda: daemon.call("numprocesses")["numprocesses"] == 3, 20))
        pid = daemon.call("list", name="web")["pids"][0]
        for steps in ([*QUESTIONS, ["stats", "web", str(pid)]], ORDERS):
            ask = [partial(self.drive, p, "ctl", daemon.endpoint, steps) for p in (THEIRS, OURS)]
            said = [call() for call in ask] if steps is ORDERS else self.together(*ask)
            for words, theirs, ours in zip(steps, *said):
                with self.subTest(" ".join(words)):
                    self.assertEqual((theirs[0], ours[0]), (0, 0))
                    self.assertEqual(lines_of(words, ours[1]), lines_of(words, theirs[1]))
        for package in (THEIRS, OURS):
            for code, text in self.drive(package, "ctl", daemon.endpoint, REFUSED):
                self.assertEqual((code, text[:7]), (3, "error: "))


if __name__ == "__main__":
    unittest.main()
