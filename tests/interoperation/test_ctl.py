"""circusctl with our daemon says what it says with its own; and cvec_circusctl with its daemon."""

from __future__ import annotations

import re
import unittest

from tests.interoperation.published import OURS, THEIRS, InteroperationCase, needs_circus

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

NUMBERS = re.compile(r"\d+|/[\w/-]*circus-\w+")
"""Pids, ports, and the folder of a test."""


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

    def test_circusctl(self) -> None:
        """Each program of theirs cannot tell our daemon from its own."""
        said = {
            package: masked(self.drive(THEIRS, "ctl", daemon.endpoint, STEPS))
            for package, daemon in self.daemons().items()
        }
        self.assertEqual(len(said[OURS]), len({" ".join(words) for words in STEPS}))
        self.assertEqual(said[OURS], said[THEIRS])

    def test_cvec_circusctl(self) -> None:
        """Ours says the same of both, but for what their daemon cannot tell."""
        said = {
            package: masked(self.drive(OURS, "ctl", daemon.endpoint, STEPS))
            for package, daemon in self.daemons().items()
        }
        for found in said.values():
            # What the daemon says it does, which Circus does not say.
            self.assertEqual(found.pop("reloadconfig --waiting")[0], 0)
        self.assertEqual(said[THEIRS], said[OURS])


if __name__ == "__main__":
    unittest.main()
