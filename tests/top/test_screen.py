"""The screen as text: what it shows, what keys do, and that it fits."""

from __future__ import annotations

import unittest

from cvec_circus.top.screen import HELP, NAMES, Screen
from cvec_circus.view.facts import Facts, WatcherFacts


def row(pid: int, cpu: float, memory: float = 0.1) -> dict:
    return {
        "pid": pid,
        "cmdline": "sleep",
        "cpu": cpu,
        "mem": memory,
        "mem_info1": "1.41M",
        "age": 65.0,
    }


class ScreenCase(unittest.TestCase):
    def setUp(self) -> None:
        self.facts = Facts(3.0)
        self.facts.watchers = {
            "web": WatcherFacts(
                "web", "active", "", 2, 2, 5, 3700.0, {"7": row(7, 1.0), "8": row(8, 30.5)}
            ),
            "db": WatcherFacts("db", "stopped", "hook before_start said no", 1, 0, 0),
            "worker": WatcherFacts("worker", "active", "", 1, 1, 12, 2.0, {"9": row(9, 50.0)}),
        }
        self.screen = Screen()

    def shown(self, width: int = 100, height: int = 24) -> list[str]:
        lines = self.screen.lines(self.facts, "there", width, height)
        self.assertLessEqual(len(lines), height)
        for line in lines:
            self.assertLessEqual(len(line.text), width)
        return [line.text for line in lines]

    def press(self, *keys: str) -> None:
        for key in keys:
            self.screen.key(key)

    def first_words(self) -> list[str]:
        return [line.split()[0] for line in self.shown()[2:]]


class TestScreen(ScreenCase):
    def test_all_of_it(self) -> None:
        shown = self.shown()
        self.assertEqual(
            shown[0],
            "cvec_circus-top there, 3 watchers, 3 processes, CPU 81.5 %, memory 0.3 %, by cpu",
        )
        self.assertEqual(
            shown[1].split(),
            "NAME STATE PROCS CPU% MEM% RSS AGE RESTARTS REASON".split(),
        )
        self.assertEqual(
            [" ".join(line.split()) for line in shown[2:]],
            [
                "worker active 1/1 50.0 0.1 1.41M 2 s 12",
                "9 sleep 50.0 0.1 1.41M 1 m",
                "web active 2/2 31.5 0.2 2.82M 1 h 1 m 5",
                "8 sleep 30.5 0.1 1.41M 1 m",
                "7 sleep 1.0 0.1 1.41M 1 m",
                "db stopped 0/1 0.0 0.0 - - 0 hook before_start said no",
            ],
        )

    def test_children_count_to_their_watcher(self) -> None:
        below = {**row(70, 2.0), "command": "celery", "children": [row(71, 4.0)]}
        self.facts.watchers["worker"].rows["9"]["children"] = [below]
        shown = [" ".join(line.split()) for line in self.shown()]
        self.assertIn("5 processes, CPU 87.5 %", shown[0])
        self.assertEqual(
            shown[2:6],
            [
                "worker active 1/1 56.0 0.3 4.23M 2 s 12",
                "9 sleep 50.0 0.1 1.41M 1 m",
                "70 celery 2.0 0.1 1.41M 1 m",
                "71 sleep 4.0 0.1 1.41M 1 m",
            ],
        )

    def test_numbers_end_at_the_same_column(self) -> None:
        shown = self.shown()
        ends = {
            line.index(cell) + len(cell) for line, cell in zip(shown[1:4], ("CPU%", "50.0", "50.0"))
        }
        self.assertEqual(len(ends), 1)

    def test_where_states_stand(self) -> None:
        for line in self.screen.table(self.facts):
            if line.state is not None:
                at, state = line.state
                self.assertEqual(line.text[at : at + len(state)], state)

    def test_control_characters_are_shown_and_not_sent(self) -> None:
        self.facts.watchers["db"].reason = "a\x1b[2Jb\nc"
        self.facts.watchers["db"].name = "x" * 100
        text = "\n".join(self.shown(300))
        self.assertIn("a\\x1b[2Jb\\nc", text)
        self.assertIn("x" * 39 + "~", text)
        self.assertNotIn("x" * 40, text)

    def test_a_long_name_leaves_room_for_the_others(self) -> None:
        self.facts.watchers["db"].name = "x" * 100
        for width, reason in ((80, "hook "), (100, "hook before")):
            with self.subTest(width):
                columns, *lines = self.shown(width)[1:]
                (line,) = [one for one in lines if "xx~" in one]
                self.assertEqual(line.index(reason), columns.index("REASON"))
        self.assertIn(f"{'x' * 15}~", "\n".join(self.shown(30)))
        self.facts.watchers["db"].reason = ""
        self.assertTrue(self.shown(80)[1].endswith("RESTARTS  REASON"))

    def test_every_size(self) -> None:
        self.facts.trouble = "nobody answers"
        for width in (1, 2, 20, 79, 500):
            for height in (1, 2, 3, 4, 9, 100):
                self.shown(width, height)

    def test_wide_letters(self) -> None:
        self.facts.watchers["db"].name = "数据库"
        lines = [line.text for line in self.screen.table(self.facts)]
        (line,) = [one for one in lines if "数" in one]
        self.assertEqual(line.index("stopped") + 3, lines[0].index("STATE"))

    def test_a_state_behind_wide_letters(self) -> None:
        """Its place is counted in columns, which are more than the letters before it."""
        self.facts.watchers["db"].name = "数据库"
        lines = self.screen.lines(self.facts, "there", 100, 24)
        (line,) = [one for one in lines if "数" in one.text]
        title = lines[1].text.index("STATE")
        self.assertEqual(line.state, (title, "stopped"))

    def test_a_state_that_is_cut_off(self) -> None:
        for width in range(1, 40):
            for line in self.screen.lines(self.facts, "there", width, 24):
                if line.state is not None:
                    at, state = line.state
                    self.assertEqual(line.text[at : at + len(state)], state)

    def test_a_very_long_reason(self) -> None:
        """Once over it for each letter would take minutes."""
        self.facts.watchers["db"].reason = "é" * 100_000
        (line,) = [one for one in self.shown() if "é" in one]
        self.assertTrue(line.endswith("é~"))
        self.assertEqual(len(line), 100)

    def test_trouble(self) -> None:
        self.facts.trouble = "no answer from x yet, still trying"
        self.assertEqual(self.shown()[1], self.facts.trouble)

    def test_sockets(self) -> None:
        self.facts.sockets["7"] = {"address": "127.0.0.1:80", "reads": 12}
        shown = self.shown()
        self.assertEqual(shown[-2].strip(), "sockets")
        self.assertIn("127.0.0.1:80", shown[-1])
        self.assertTrue(shown[-1].endswith("12 reads"))

    def test_addresses_of_sockets_are_whole(self) -> None:
        """A port at the end of an address can be read in a narrow terminal, too."""
        path = "/run/a/path/of/forty/columns/or/so.sock"
        self.facts.sockets["7"] = {"address": "127.0.0.1:38851", "reads": 1}
        self.facts.sockets["8"] = {"address": path, "reads": 12}
        tcp, unix = self.shown(60)[-2:]
        self.assertEqual(tcp, f"  127.0.0.1:38851{' ' * 28}1 read")
        self.assertEqual(unix, f"  {path}  12 reads")
        self.assertEqual(self.shown(40)[-1], "  /run/a/path/of/forty/column~  12 reads")

    def test_the_daemon_is_no_watcher(self) -> None:
        self.facts.watchers["circus"] = WatcherFacts("circus", rows={"1": row(1, 0.0)})
        self.assertIn("there, 3 watchers, 4 processes", self.shown()[0])
        self.facts.watchers["circus"].state = "active"  # a watcher of that name
        self.assertIn("there, 4 watchers, 4 processes", self.shown()[0])

    def test_letters_that_the_terminal_has_not(self) -> None:
        """They take the room of what is shown instead of them."""
        self.screen.encoding = "ascii"
        self.facts.watchers["web"].name = "naïve-web-with-a-very-long-name-to-be-cut"
        lines = self.shown(90)
        self.assertTrue(lines[4].startswith("na\\xefve-web"), lines[4])
        self.assertEqual(len({line.index("1.41M") for line in lines if "1.41M" in line}), 1)


class TestKeys(ScreenCase):
    def test_sorting(self) -> None:
        self.press("p")
        for keys, names in (
            ("n", "db web worker"),
            ("n", "worker web db"),
            ("s", "web worker db"),
            ("c", "worker web db"),
            ("m", "web worker db"),
            ("a", "web worker db"),
            ("r", "worker web db"),
            ("r", "db web worker"),
        ):
            self.press(keys)
            self.assertEqual(self.first_words(), names.split(), keys)
        self.assertIn("by restarts reversed", self.shown()[0])

    def test_every_sort_of_the_command_line(self) -> None:
        for name in NAMES:
            self.screen = Screen(name)
            self.assertIn(f"by {name}", self.shown()[0])

    def test_filter(self) -> None:
        self.press("/", "W", "x", "backspace", "e")
        self.assertEqual(self.shown()[-1], "filter: We_")
        self.press("enter")
        self.assertEqual(self.first_words(), ["web", "8", "7"])
        self.assertIn("filter 'We'", self.shown()[0])
        self.press("/", "x", "escape")
        self.assertEqual(self.screen.text, "We")
        self.press("escape")
        self.assertEqual(len(self.shown()), 8)

    def test_filter_by_state_and_reason(self) -> None:
        for text in ("STOPPED", "before_start"):
            self.screen = Screen(text=text)
            self.assertEqual(self.first_words(), ["db"])

    def test_keys_are_letters_while_a_filter_is_typed(self) -> None:
        self.press("/", "q", "p", "up", "enter")
        self.assertEqual((self.screen.text, self.screen.is_done), ("qp", False))

    def test_processes(self) -> None:
        self.press("p")
        self.assertEqual(self.first_words(), ["worker", "web", "db"])
        self.press("p")
        self.assertEqual(len(self.first_words()), 6)

    def test_scrolling(self) -> None:
        def top() -> str:
            return self.shown(height=5)[2].split()[0]

        self.assertEqual(top(), "worker")
        self.press("down")
        self.assertEqual(top(), "9")
        self.press("pagedown")
        self.assertEqual(top(), "8")
        self.press("end")
        self.assertEqual(top(), "8")
        self.press("up", "up", "up", "up", "up")
        self.assertEqual(top(), "worker")
        self.press("end", "home")
        self.assertEqual(top(), "worker")

    def test_help(self) -> None:
        self.press("h")
        self.assertIn(HELP[0], self.shown())
        self.press("x")
        self.assertNotIn(HELP[0], self.shown())
        self.press("?", "q")
        self.assertTrue(self.screen.is_done)

    def test_hold_and_leave(self) -> None:
        self.press(" ")
        self.assertTrue(self.screen.is_held)
        self.assertTrue(self.shown()[0].endswith("held"))
        self.press(" ", "q")
        self.assertEqual((self.screen.is_held, self.screen.is_done), (False, True))


if __name__ == "__main__":
    unittest.main()
