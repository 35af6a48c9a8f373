"""reloadconfig with another socket, where the processes that are to serve it fail."""

from __future__ import annotations

import unittest
from typing import Any

from tests.daemon.test_reload_sockets import SERVE, SOCKET, ask, connects
from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.reloads import ReloadCase

BREAKS = f"""[watcher:web]
cmd = sh -c 'test ! -e {{DIR}}/broken && exec {SERVE}'
use_sockets = True
min_uptime = 0.2
"""


class TestFailure(ReloadCase):
    """The old processes are kept, with the socket that they have."""

    def setUp(self) -> None:
        super().setUp()
        self.port = free_port()
        self.up(BREAKS + SOCKET % ("web", self.port))
        self.assertTrue(eventually(self.is_up))
        [self.pid] = self.pids("web")
        self.broken = self.served.folder / "broken"

    def is_up(self) -> bool:
        return bool(self.served.call("is-active", name="web")["active"])

    def fails(self, text: str) -> dict[str, Any]:
        """Read a file while the program is broken, and return the answer."""
        self.broken.touch()
        self.write(BREAKS + text)
        reply = self.served.wire.client.call("reloadconfig", waiting=True)
        self.assertRegex(
            reply["reason"], "^reloadconfig of web: process .* exited with 1 .* process was kept"
        )
        self.assertEqual((reply["applied"], reply["failed"]), ([], ["web"]))
        self.assertEqual(self.pids("web"), [self.pid])
        self.broken.unlink()
        return dict(reply)

    def test_it_is_tried_again(self) -> None:
        port = free_port()
        self.fails(SOCKET % ("web", port))
        self.assertEqual(ask(self.port), self.pid)
        listed = self.served.call("listsockets")
        self.assertEqual([one["port"] for one in listed["sockets"]], [port])
        self.assertEqual([one["port"] for one in listed["leaving"]], [self.port])
        self.assertIn(
            "closed once no process serves it", self.served.ctl("listsockets", "--table").stdout
        )
        dry = self.served.ctl("reloadconfig", "--dry-run").stdout
        self.assertIn("its processes are replaced (socket web is another one)", dry)
        self.assertNotIn("nothing changes", dry)
        [step] = self.reload()["watchers"]
        self.assertEqual((step["processes"], step["why"]), ("replace", "socket web is another one"))
        [fresh] = self.pids("web")
        self.assertEqual(ask(port), fresh)
        self.assertTrue(eventually(lambda: not connects(self.port)))
        self.assertEqual(self.served.call("listsockets")["leaving"], [])
        self.assertFalse(self.reload()["changes"])

    def test_twice_and_back(self) -> None:
        ports = free_port(), free_port()
        for port in ports:
            self.fails(SOCKET % ("web", port))
        self.assertTrue(eventually(lambda: not connects(ports[0])))  # nobody has served it
        self.broken.touch()
        self.assertIn("the last rollout failed: ", self.served.call("status", name="web")["reason"])
        self.write(BREAKS + SOCKET % ("web", self.port))
        dry = self.served.ctl("reloadconfig", "--dry-run").stdout
        said = "replaced by the one of before, which its old processes still serve"
        self.assertIn(f"socket web: {said}\n", dry)
        plan = self.reload()
        self.assertEqual((plan["watchers"], self.pids("web")), ([], [self.pid]))
        self.assertNotIn("reason", self.served.call("status", name="web"))
        self.assertEqual(ask(self.port), self.pid)
        self.assertTrue(eventually(lambda: not connects(ports[1])))

    def test_a_process_that_came_since_has_it(self) -> None:
        port = free_port()
        self.fails(SOCKET % ("web", port))
        self.served.call("restart", name="web", waiting=True)
        self.assertFalse(self.reload()["changes"])
        self.assertEqual([ask(port)], self.pids("web"))

    def test_a_setting_of_the_same_socket(self) -> None:
        text = SOCKET % ("web", self.port) + "blocking = True\n"
        self.fails(text)
        [step] = self.reload(BREAKS + text)["watchers"]
        self.assertEqual(step["why"], "blocking of socket web changes")
        self.assertNotEqual(self.pids("web"), [self.pid])
        self.assertFalse(self.reload()["changes"])


if __name__ == "__main__":
    unittest.main()
