"""`--check` looks at the options of plugins, whatever their modules do."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import unittest
from pathlib import Path
from unittest import mock

from cvec_circus.daemon.check import check
from cvec_circus.supervisor.reload import inspecting
from tests.support.daemon import folder
from tests.support.eventually import eventually

STRICT = """\
import os
from cvec_circus.plugins import CircusPlugin

print("a plugin's module prints")

class Strict(CircusPlugin):
    name = "strict"
    schema = {"url": "string(min=1)", "tries": "integer(min=1, default=3)"}

    def handle_recv(self, data):
        pass

class Loose(Strict):
    schema = {}

class Wrong(Strict):
    schema = {"tries": "number_of_tries"}

class Listed(Strict):
    schema = ["tries"]
"""

HANGING = """\
import os, signal, subprocess
child = subprocess.Popen(["sleep", "1000"])
with open("pids", "w") as pids:
    print(os.getpid(), child.pid, file=pids)
signal.pause()
"""


class TestPlugins(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = folder(self)
        self.write("strict.py", STRICT)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def said(self, text: str, **environ: str) -> list[str]:
        """Return what is said of a file, but for the last line."""
        self.write("a.ini", text)
        full = {**os.environ, "PYTHONPATH": str(self.folder), **environ}
        cwd = str(self.folder)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.code = check(["a.ini"], full, cwd)
        lines = said.getvalue().splitlines()
        self.verdict = lines[-1]
        return lines[:-1]

    def test_a_class_with_a_schema(self) -> None:
        text = "[watcher:w]\ncmd = sleep\n[plugin:p]\nuse = strict.Strict\ntries = 0\nulr = x\n"
        self.assertEqual(
            self.said(text),
            [
                "a.ini:3: problem: [plugin:p] url: missing; it has no default; did you mean ulr?",
                "a.ini:5: problem: [plugin:p] tries: 0 is less than 1",
                "a.ini:6: warning: [plugin:p] ulr: unknown option; did you mean url?",
            ],
        )
        self.assertEqual(self.code, 1)
        self.assertIn("2 problems, 1 warning; the daemon runs without plugin:p", self.verdict)

    def test_what_is_right(self) -> None:
        text = "[plugin:p]\nuse = strict.Strict\nurl = x\npriority = 2\nmy.own = 1\n"
        self.assertEqual(self.said(f"[DEFAULT]\nstray = 1\n{text}"), [])
        self.assertEqual((self.code, self.verdict), (0, "a.ini: ok; 1 plugin"))

    def test_a_class_without_one(self) -> None:
        self.assertEqual(self.said("[plugin:p]\nuse = strict.Loose\nulr = x\n"), [])

    def test_one_of_ours(self) -> None:
        text = "[plugin:p]\nuse = flapping\nwindow = soon\nmax_retyr = 1\n"
        self.assertEqual(
            self.said(text),
            [
                "a.ini:3: problem: [plugin:p] window: 'soon' is not a number",
                "a.ini:4: warning: [plugin:p] max_retyr: unknown option; did you mean max_retry?",
            ],
        )
        # An option of its watcher too, which both refuse.
        whole = "a.ini:3: problem: [plugin:p] max_retry: 'x' is not a whole number"
        self.assertEqual(self.said("[plugin:p]\nuse = flapping\nmax_retry = x\n"), [whole])
        self.assertEqual(self.verdict, "a.ini: 1 problem; the daemon does not start (see plugin:p)")

    def test_what_a_constructor_of_ours_refuses(self) -> None:
        events = self.folder / "events"
        text = (
            "[plugin:a]\nuse = autoscaler\nwatcher = web\nby = cpu\nmax = 3\nup = 10\ndown = 20\n"
            f"[plugin:l]\nuse = logger\nfilename = {events}\nactions = spwn\n"
            f"[plugin:m]\nuse = logger\nfilename = {events}\n[watcher:web]\ncmd = sleep\n"
        )
        self.assertEqual(
            self.said(text),
            [
                "a.ini:7: problem: [plugin:a] down: 20 is not below up, which is 10",
                "a.ini:11: problem: [plugin:l] actions: 'spwn' is not an action; did you mean "
                "spawn?",
            ],
        )
        self.assertFalse(events.exists())

    def test_a_constructor_of_others_is_not_called(self) -> None:
        module = f"{STRICT}\n    def __init__(self, *args, **config):\n        os._exit(3)\n"
        self.write("building.py", module.replace("number_of_tries", "integer"))
        self.assertEqual(self.said("[plugin:p]\nuse = building.Wrong\ntries = 3\n"), [])

    def test_what_watchers_have_for_it(self) -> None:
        text = (
            "[watcher:w]\ncmd = sleep\nflapping.window = soon\nflapping.retyr_in = 3\n"
            "flapping.x = 1\nflapping.attempts = 3\nother.window = x\n[plugin:p]\nuse = flapping\n"
        )
        self.assertEqual(
            self.said(text),
            [
                "a.ini:3: warning: [watcher:w] flapping.window: 'soon' is not a number",
                "a.ini:4: warning: [watcher:w] flapping.retyr_in: unknown option; did you mean "
                "retry_in?",
            ],
        )
        self.assertEqual(self.code, 0)

    def test_what_watchers_have_for_several_is_told_once(self) -> None:
        text = "[watcher:w]\ncmd = sleep\nstrict.tries = 0\n"
        for name in "pq":
            text += f"[plugin:{name}]\nuse = strict.Strict\nurl = x\n"
        self.assertEqual(
            self.said(text), ["a.ini:3: warning: [watcher:w] strict.tries: 0 is less than 1"]
        )

    def test_classes_that_cannot_be_used(self) -> None:
        self.write("exits.py", "import os\nos._exit(3)\n")
        for use, words in (
            ("strict.Srtict", "there is no Srtict in strict; did you mean Strict?"),
            ("nowhere.Strict", "cannot import nowhere.Strict: there is no module nowhere"),
            ("flappin", "did you mean flapping?"),
            ("strict.Wrong", 'schema: tries: the check "number_of_tries" is unknown.'),
            ("strict.Listed", "schema: not a mapping of keys to checks"),
            ("exits.Strict", "importing exits.Strict ends the process, with code 3"),
        ):
            with self.subTest(use):
                [line] = self.said(f"[plugin:p]\nuse = {use}\ntries = 3\n")
                start = "a.ini:2: warning: [plugin:p] use: options not checked: "
                self.assertTrue(line.startswith(start), line)
                self.assertIn(words, line)
                self.assertEqual(self.code, 0)

    def test_one_that_is_not_started_is_not_imported(self) -> None:
        self.assertEqual(self.said("[plugin:p]\nuse = nowhere.Strict\nactive = no\n"), [])

    def test_a_module_that_takes_too_long(self) -> None:
        self.write("hanging.py", HANGING)
        pids = self.folder / "pids"
        with mock.patch.object(inspecting, "TIMEOUT", 1.0):
            [line] = self.said("[plugin:p]\nuse = hanging.Plugin\n")
        self.assertIn("hanging.Plugin takes more than 1 s to import", line)
        if pids.exists():  # it has come so far
            for pid in pids.read_text().split():
                self.assertTrue(eventually(lambda pid=pid: is_gone(int(pid))))

    def test_where_it_would_run(self) -> None:
        """In its working_dir, with its environment."""
        inner = self.folder / "inner"
        inner.mkdir()
        inner.joinpath("theirs.py").write_text(
            "import os\nassert os.environ['STAGE'] == 'test'\nfrom strict import Strict\n"
        )
        text = "[plugin:p]\nuse = theirs.Strict\nurl = x\nworking_dir = inner\n[env:plugin:p]\n"
        self.assertEqual(self.said(f"{text}STAGE = test\n"), [])
        [line] = self.said(f"{text}STAGE = live\n")
        self.assertIn("AssertionError", line)
        lines = self.said("[plugin:p]\nuse = a.B\nworking_dir = nowhere\n")
        self.assertIn("options not checked: ", lines[0])
        self.assertIn("/nowhere: No such file or directory", lines[0])

    def test_as_whom_it_would_run(self) -> None:
        lines = self.said("[plugin:p]\nuse = a.B\nuid = nobody_of_that_name\n")
        self.assertIn(" problem: [plugin:p] uid: there is no user nobody_of_that_name", lines[0])
        self.assertNotIn("options not checked", "".join(lines))

    def test_nothing_of_it_is_imported_here(self) -> None:
        self.said("[plugin:p]\nuse = strict.Strict\nurl = x\n")
        self.assertNotIn("strict", sys.modules)


def is_gone(pid: int) -> bool:
    """Whether a process is not there any more, or only waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


if __name__ == "__main__":
    unittest.main()
