"""A watcher or plugin that is wrong in itself: the others run, and `status` says why."""

from __future__ import annotations

import unittest

from tests.support.daemon import DaemonCase

TEXT = """\
[watcher:good]
cmd = sleep 1000

[watcher:Bad One]
cmd = sleep 1000
numprocesses = two
max_retry = many

[plugin:broken]
singleton = perhaps
"""


NEEDY = """\
[watcher:bad]
cmd = sleep 1000
numprocesses = two

[watcher:needs]
cmd = sleep 1000
depends_on = Bad

[watcher:more]
cmd = sleep 1000
part_of = needs

[watcher:good]
cmd = sleep 1000
"""


CIRCLE = """\
[watcher:a]
cmd = sleep 1000
depends_on = b
[watcher:b]
cmd = sleep 1000
part_of = a
"""


SOCKETS = """\
[watcher:good]
cmd = sleep 1000

[watcher:stdin]
cmd = sleep 1000
stdin_socket = webb

[watcher:fd]
cmd = sleep 1000
args = $(circus.sockets.webb)
use_sockets = True

[socket:{name}]
path = web.sock
"""


class TestSockets(DaemonCase):
    """What refers to a socket that is not there."""

    def test_a_start_leaves_it_out_until_the_socket_is_there(self) -> None:
        daemon = self.daemon(SOCKETS.format(name="web"))
        said = "there is no [socket:webb]; did you mean web?"
        reasons = daemon.call("status")["reasons"]
        place = str(daemon.config)
        self.assertEqual(
            (reasons["stdin"], reasons["fd"]),
            (
                f"left out: {place}:10: [watcher:stdin] stdin_socket: {said}",
                f"left out: {place}:14: [watcher:fd] args: {said}",
            ),
        )
        self.assertEqual(daemon.call("status")["statuses"]["good"], "active")
        daemon.config.write_text(daemon.config.read_text().replace("[socket:web]", "[socket:WEBB]"))
        daemon.order("reloadconfig")
        self.assertEqual(daemon.call("status")["reasons"], {})
        self.assertEqual([len(daemon.wire.pids(name)) for name in ("stdin", "fd")], [1, 1])

    def test_add_and_set_are_refused(self) -> None:
        daemon = self.daemon(SOCKETS.format(name="webb"))
        said = "there is no [socket:webbb]; did you mean webb?"
        before = daemon.wire.pids("good")
        command = "sleep $(circus.sockets.webbb)"
        for options, key in (
            ({"stdin_socket": "webbb"}, "stdin_socket"),
            ({"cmd": command, "use_sockets": True}, "cmd"),
            ({"args": ["$(circus.sockets.webbb)"], "use_sockets": True}, "args"),
        ):
            with self.subTest(options):
                text = f"{key}: {said}"
                self.assertIn(text, daemon.wire.refused("set", name="good", options=options))
                given = {"cmd": "sleep 1000", **options}
                cmd = given.pop("cmd")
                refused = daemon.wire.refused("add", name="new", cmd=cmd, options=given)
                self.assertIn(text, refused)
        self.assertEqual(daemon.call("list")["watchers"], ["fd", "good", "stdin"])
        daemon.order("set", name="good", options={"cmd": command})  # which means nothing so
        self.assertNotEqual(daemon.wire.pids("good"), before)
        refused = daemon.wire.refused("set", name="good", options={"use_sockets": True})
        self.assertIn(f"cmd: {said}", refused)


class TestLeftOut(DaemonCase):
    def test_who_waits_for_one_says_that_it_is_left_out(self) -> None:
        daemon = self.daemon(NEEDY)
        reason = f"{daemon.config}:7: [watcher:bad] numprocesses: 'two' is not a whole number"
        told = daemon.call("why", name="needs")
        said = f"needs waits for Bad to be ready: left out: {reason}"
        self.assertEqual(told["sentence"], said)
        (edge,) = told["waits_for"]
        self.assertEqual((edge["phase"], edge["why"]), ("invalid", f"left out: {reason}"))
        graph = daemon.call("graph")["watchers"]
        self.assertEqual(graph["needs"]["depends_on"], {"bad": "ready"})
        self.assertEqual(graph["bad"]["phase"], "invalid")
        done = daemon.ctl("wait", "bad", "--for", "ready")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"bad cannot be used: left out: {reason}", done.stderr)

        daemon.order("quit")
        said = "does not start: it depends on bad, which is left out"
        for name in ("needs", "more"):
            self.assertIn(("WARNING", f"{name} {said}"), self.told(daemon))

    def test_a_circle(self) -> None:
        daemon = self.daemon(f"{CIRCLE}[watcher:good]\ncmd = sleep 1000\n")
        way = "a circle, in which each waits for the next: a -> b -> a"
        self.assertEqual(daemon.call("status")["statuses"]["good"], "active")
        self.assertIn(way, daemon.call("status")["reasons"]["a"])
        daemon.order("quit")
        said = [text for level, text in self.told(daemon) if level == "WARNING"]
        left_out, without = [text for text in said if "left out" in text]
        self.assertRegex(left_out, rf"^a is left out: .*\[watcher:a\] depends_on: {way}$")
        self.assertEqual(without, "b does not start: it depends on a, which is left out")

    def test_a_circle_alone(self) -> None:
        [line] = self.daemon(CIRCLE, up=False).ended(1)
        self.assertIn("[watcher:a] depends_on: a circle, in which", line)

    def test_the_others_run(self) -> None:
        daemon = self.daemon(TEXT)
        place = str(daemon.config)
        bad = f"{place}:10: [watcher:Bad One] numprocesses: 'two' is not a whole number"
        broken = f"{place}:13: [plugin:broken] use: missing; say which class to run"
        status = daemon.call("status")
        self.assertEqual(
            status["statuses"],
            {"good": status["statuses"]["good"], "Bad One": "stopped", "plugin:broken": "stopped"},
        )
        self.assertEqual(status["reasons"]["Bad One"], f"left out: {bad}")
        self.assertIn(f"left out: {broken}", status["reasons"]["plugin:broken"])
        one = daemon.wire.client.call("status", name="bad one")
        self.assertEqual((one["status"], one["reason"]), ("stopped", f"left out: {bad}"))
        for name in (["Bad_One", "good"], ["*d*", "plugin:*"], "[bg]*"):
            several = daemon.call("status", name=name)
            self.assertEqual(several["reasons"]["Bad One"], f"left out: {bad}")
            self.assertIn("good", several["statuses"])
            self.assertEqual(several["watchers"]["Bad One"]["state"], "stopped")
        details = daemon.call("status", details=True)["watchers"]["Bad One"]
        self.assertEqual((details["state"], details["reason"]), ("stopped", f"left out: {bad}"))
        self.assertEqual((details["processes"], details["numprocesses"]), (0, 0))
        self.assertIn("left out: ", daemon.ctl("status", "--table").stdout)
        self.assertEqual(daemon.call("list")["watchers"], ["good"])
        self.assertEqual(daemon.call("numwatchers")["numwatchers"], 1)
        for command, properties in (
            ("start", {"name": "bad one"}),
            ("stop", {"name": "Bad*"}),
            ("stop", {"name": "Bad_One"}),
            ("stop", {"name": ["good", "Bad One"]}),
            ("kill", {"name": ["good", "Bad*"]}),
            ("options", {"name": "Bad One"}),
            ("incr", {"name": "Bad One"}),
            ("set", {"name": "Bad One", "options": {"max_retry": 1}}),
            ("rm", {"name": "Bad_One"}),
            ("list", {"name": "Bad One"}),
        ):
            with self.subTest(command):
                reply = daemon.wire.client.call(command, **properties)
                self.assertEqual(reply["reason"], f"Bad One was left out: {bad}")
                self.assertEqual(reply["errno"], 5)
        circle = {"depends_on": "bad one"}
        daemon.wire.refused("add", name="Bad One", cmd="sleep 1000", options=circle)
        self.assertEqual(daemon.call("status")["reasons"]["Bad One"], f"left out: {bad}")
        daemon.order("start")
        daemon.order("restart", match="glob", name="*")
        self.assertEqual(daemon.call("status")["statuses"]["Bad One"], "stopped")
        daemon.order("add", name="Bad One", cmd="sleep 1000", start=True)
        self.assertEqual(len(daemon.wire.pids("Bad One")), 1)
        self.assertNotIn("Bad One", daemon.call("status")["reasons"])
        daemon.order("rm", name="Bad One")
        self.assertEqual(set(daemon.call("status")["statuses"]), {"good", "plugin:broken"})
        daemon.order("quit")
        warnings = [text for level, text in self.told(daemon) if level == "WARNING"]
        self.assertIn(f"Bad One is left out: {bad}", warnings)
        self.assertEqual(len([text for text in warnings if " is left out: " in text]), 3)

    def told(self, daemon) -> list[tuple[str, str]]:
        daemon.ended()
        return daemon.told()

    def test_nothing_is_left(self) -> None:
        daemon = self.daemon("[watcher:a]\ncmd = sleep 1000\nnumprocesses = x\n", up=False)
        log = daemon.ended(1)
        self.assertEqual(len(log), 1, log)
        self.assertIn("[watcher:a] numprocesses: 'x' is not a whole number", log[0])


if __name__ == "__main__":
    unittest.main()
