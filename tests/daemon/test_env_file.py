"""Files of variables, of a daemon whose files change."""

from __future__ import annotations

import unittest

from tests.support.daemon import Daemon, DaemonCase

PRINT = "cmd = sh -c 'echo \"$COLOUR $TOKEN\"; exec sleep 1000'"
TEXT = f"[watcher:web]\n{PRINT}\nenv_file = web.env\n[watcher:db]\ncmd = sleep 1000\n"


class TestChanges(DaemonCase):
    def start(self) -> Daemon:
        def prepare(folder):
            (folder / "web.env").write_text("COLOUR=red\nTOKEN=hunter2\n")

        return self.daemon(TEXT, prepare=prepare)

    def test_a_changed_file_is_a_change_of_env(self) -> None:
        daemon = self.start()
        self.assertEqual(daemon.out.next(), "red hunter2")
        self.assertFalse(daemon.call("reloadconfig", dry_run=True)["plan"]["changes"])
        (daemon.folder / "web.env").write_text("COLOUR=blue\nTOKEN=hunter3\n")
        plan = daemon.call("reloadconfig", dry_run=True)["plan"]
        [step] = plan["watchers"]
        self.assertEqual((step["name"], step["processes"]), ("web", "replace"))
        changed = [row["option"] for row in step["changes"]]
        self.assertEqual(changed, ["env.COLOUR", "env.TOKEN"])
        shown = daemon.ctl("reloadconfig", "--dry-run", "--table").stdout
        daemon.call("reloadconfig", waiting=True)
        self.assertEqual(daemon.out.next(), "blue hunter3")
        self.assertNotIn("hunter", shown + "\n".join(daemon.log.seen))

    def test_a_file_that_is_gone_changes_nothing(self) -> None:
        daemon = self.start()
        pids = daemon.wire.pids("web")
        (daemon.folder / "web.env").unlink()
        done = daemon.ctl("reloadconfig")
        self.assertEqual(done.returncode, 3)
        wrong = "[watcher:web] env_file: " + str(daemon.folder / "web.env") + ": cannot be read"
        self.assertIn(wrong, done.stderr)
        self.assertEqual(daemon.wire.pids("web"), pids)

    def test_messages_cannot_name_one(self) -> None:
        daemon = self.start()
        for words in (("set", "db", "env_file", "web.env"), ("set", "db", "extends", "web")):
            done = daemon.ctl(*words)
            self.assertIn(f"{words[2]}: only a configuration file can have it", done.stderr)
        self.assertNotIn("env_file", daemon.call("options", name="web")["options"])


if __name__ == "__main__":
    unittest.main()
