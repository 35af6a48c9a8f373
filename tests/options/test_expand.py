"""Names in values."""

from __future__ import annotations

import unittest

from cvec_circus.options.expand import env_values, expand, watcher_values


class TestExpand(unittest.TestCase):
    def setUp(self) -> None:
        self.values = {"wid": "3", "env.path": "/bin", "sockets.my web": "7", "env.b-c.d": "x"}

    def test_known(self) -> None:
        for text, meant in (
            ("$(circus.wid)", "3"),
            ("((circus.wid))", "3"),
            ("-$(CIRCUS.Wid)-((Circus.env.PATH))-", "-3-/bin-"),
            ("fd://$(circus.sockets.My Web)", "fd://7"),
            ("$(circus.env.B-C.D)", "x"),
        ):
            self.assertEqual(expand(text, self.values), meant)

    def test_everything_else_stays(self) -> None:
        for text in (
            "$(circus.nope)",
            "((circus.env.nope))",
            "$(circus.)",
            "$(circus)",
            "$WID ${WID} $(wid)",
            "(circus.wid)",
            "((circus.wid)",
            "$((circus.wid)",
            "%(circus.wid)s",
        ):
            self.assertEqual(expand(text, self.values), text)

    def test_once(self) -> None:
        self.assertEqual(expand("$(circus.a)", {"a": "$(circus.b)", "b": "x"}), "$(circus.b)")

    def test_long_text_takes_no_time(self) -> None:
        text = "$(circus." * 20_000
        self.assertEqual(expand(text, self.values), text)


class TestValues(unittest.TestCase):
    def test_env(self) -> None:
        self.assertEqual(env_values({"Path": "x"}), {"env.path": "x"})

    def test_watcher(self) -> None:
        values = watcher_values(
            {"numprocesses": 2, "flapping.Max": "5", "wid": "not this"},
            {"HOME": "/root"},
            {"Web": 7},
            name="worker",
            wid=4,
        )
        text = (
            "$(circus.numprocesses) $(circus.flapping.max) $(circus.env.home) "
            "$(circus.sockets.web) $(circus.name) $(circus.wid)"
        )
        self.assertEqual(expand(text, values), "2 5 /root 7 worker 4")


if __name__ == "__main__":
    unittest.main()
