"""Laws that hold for every text: found out with Hypothesis, the same examples each time."""

from __future__ import annotations

import tempfile
import unittest

from cvec_circus.config.effective import Effective, can_be_written, key_lines
from cvec_circus.config.examination import examine
from cvec_circus.config.readers.document import load
from cvec_circus.config.readers.ini import parse
from cvec_circus.config.section import Findings
from cvec_circus.exc import ConfigError
from cvec_circus.options.arbiter import ARBITER_OPTIONS
from cvec_circus.options.socket import SOCKET_OPTIONS
from cvec_circus.options.watcher import WATCHER_OPTIONS
from tests.config.support import ENVIRON
from tests.config.test_effective import EffectiveCase

try:
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st
    from hypothesis.configuration import set_hypothesis_home_dir
except ImportError as error:
    raise unittest.SkipTest("hypothesis is not installed") from error

SETTINGS = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=100,
    suppress_health_check=list(HealthCheck),
)

NAMES = [
    *(
        option.name
        for table in (WATCHER_OPTIONS, ARBITER_OPTIONS, SOCKET_OPTIONS)
        for option in table
    ),
    *("use", "active", "own", "x.y", "rem", "REM x", "a b", "stdout_stream.filename", "A", "FOO"),
]
SECTIONS = (
    "circus watcher:w watcher:w watcher:v plugin:p socket:s env env:w env:* env:[z-a] DEFAULT other"
    " watcher: watcher:W watcher:a;b watcher:[x]"
).split(" ")
PIECES = st.sampled_from(
    "a 1 2 -1 0.5 true off = : ; # ' \" \\ $FOO ${N} $ % , $(circus.env.FOO) ((circus.env.n)) "
    "$(circus.env.DOLLAR) $(circus.env.ODD) $(circus.wid) $(circus.sockets.s) /x é \x0b \u2028 "
    "QUIT tcp://h:1 \x1b \xa0 AF_INET".split(" ")
)
VALUES = st.lists(PIECES | st.sampled_from([" ", "  ", "\t"]), max_size=6).map("".join)
CHARS = st.characters(blacklist_categories=["Cs"])
ODD = {**ENVIRON, "ODD": " x ; y\n\n z "}


@st.composite
def lines(draw: st.DrawFn) -> str:
    """A line that could stand in a file."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.sampled_from([f"[{section}]" for section in SECTIONS]))
    if kind == 1:
        return draw(st.sampled_from(["  ", "\t", " # ", "# ", "; ", "rem "])) + draw(VALUES)
    if kind == 2:
        return draw(st.text(CHARS, max_size=20))
    name = draw(st.sampled_from(NAMES) | st.text(CHARS, max_size=5))
    return name + draw(st.sampled_from([" = ", "=", ": ", " =", ""])) + draw(VALUES)


TEXTS = st.lists(lines(), max_size=12).map("\n".join)
PLAUSIBLE = TEXTS.map(lambda text: f"[watcher:w]\ncmd = a\n{text}\n[watcher:v]\ncmd = b\n")


def setUpModule() -> None:
    """Give Hypothesis a folder for what it remembers; it would take the working directory."""
    folder = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(folder.cleanup)
    set_hypothesis_home_dir(folder.name)


class TestLaws(EffectiveCase):
    @SETTINGS
    @given(TEXTS | st.text(CHARS) | st.binary())
    def test_no_text_raises_anything_else(self, text: str | bytes) -> None:
        self.write("main.ini", text)
        try:
            load("main.ini", ODD, str(self.folder))
        except ConfigError as error:
            self.assertTrue(error.problems)
            self.assertFalse([line for line in error.problems if "\n" in line])
        examined = examine("main.ini", ODD, str(self.folder))
        for found in examined.build.findings.everything():
            self.assertNotIn("\n", found.line)
        if examined.configuration is not None:
            "\n".join(Effective(examined.build, examined.configuration).lines())

    @SETTINGS
    @given(PLAUSIBLE)
    def test_what_is_written_is_read_again(self, text: str) -> None:
        try:
            self.load(text, ODD)
        except ConfigError:
            return
        self.check_identity(text, ODD)

    @SETTINGS
    @given(st.text(CHARS | st.sampled_from("\n ;#\"'=")))
    def test_every_value_that_can_be_written(self, value: str) -> None:
        if can_be_written(value):
            text = "\n".join(["[s]", "a = 1", *key_lines("k", value), "b = 2"])
            entries = parse(text, "", Findings())
            self.assertEqual(
                [entry[1:3] for entry in entries[1:]], [("a", "1"), ("k", value), ("b", "2")]
            )


if __name__ == "__main__":
    unittest.main()
