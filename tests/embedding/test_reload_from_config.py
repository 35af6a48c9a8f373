"""A program's arbiter that reads a file."""

from __future__ import annotations

import unittest

from cvec_circus.exc import CircusError
from tests.support.embedded import EmbeddedCase


class TestReloadFromConfig(EmbeddedCase):
    def write(self, text: str) -> str:
        path = self.folder / "new.ini"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def test_it_becomes_what_the_file_says(self) -> None:
        arbiter = self.arbit(
            {"name": "a", "cmd": "sleep 600"},
            {"name": "b", "cmd": "sleep 600", "copy_env": False},
            sockets=[{"name": "s", "host": "127.0.0.1", "port": 0}],
            plugins=[],
        )
        self.events.wait("start", 2)
        before = self.wire.pids("b")
        path = self.write("[watcher:b]\ncmd = sleep 600\n[watcher:c]\ncmd = sleep 600\n")
        plan = arbiter.reload_from_config(path).result(20)
        self.assertEqual([step["name"] for step in plan["watchers"]], ["a", "c"])
        self.assertEqual((plan["circus"], len(plan["sockets"])), ([], 1))
        self.assertEqual(arbiter.statuses(), {"b": "active", "c": "active"})
        self.assertEqual(self.wire.pids("b"), before)
        self.assertEqual(arbiter.get_watcher("c").numprocesses, 1)
        with self.assertRaises(KeyError):
            arbiter.get_watcher("a")

    def test_what_is_wrong(self) -> None:
        arbiter = self.arbit({"name": "a", "cmd": "sleep 600"})
        path = self.write("[watcher:b]\ncmd =\n")
        with self.assertRaisesRegex(CircusError, "new.ini:2: .* missing"):
            arbiter.reload_from_config(path).result(20)
        reason = self.wire.refused("reloadconfig")
        self.assertIn("this arbiter was started without a file", reason)

    def test_what_was_given_as_an_object_stays(self) -> None:
        from cvec_circus.sockets import CircusSocket

        arbiter = self.arbit(
            {"name": "a", "cmd": "sleep 600"},
            sockets=[CircusSocket("mine", "127.0.0.1", 0)],
        )
        before = self.wire.call("listsockets")["sockets"]
        path = self.write("[watcher:a]\ncmd = sleep $(circus.sockets.mine)\nuse_sockets = on\n")
        arbiter.reload_from_config(path).result(20)
        self.assertEqual(self.wire.call("listsockets")["sockets"], before)


if __name__ == "__main__":
    unittest.main()
