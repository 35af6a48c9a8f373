"""A configuration from Python mappings."""

from __future__ import annotations

import socket
import unittest
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cvec_circus.config.readers.mapping import from_mappings
from cvec_circus.exc import ConfigError
from cvec_circus.options.arbiter import ARBITER_OPTIONS
from cvec_circus.options.watcher import WATCHER_OPTIONS


class TestFromMappings(unittest.TestCase):
    def problems(self, **given: Any) -> list[str]:
        with self.assertRaises(ConfigError) as caught:
            from_mappings(**given)
        return caught.exception.problems

    def test_nothing(self) -> None:
        configuration = from_mappings()
        self.assertEqual(configuration.circus, ARBITER_OPTIONS.defaults())
        self.assertEqual(configuration.circus["check_delay"], 1.0)
        self.assertEqual(configuration.watchers, [])

    def test_watchers(self) -> None:
        given = MappingProxyType(
            {
                "cmd": ["/bin/sleep", "10"],
                "name": "nap",
                "numprocesses": "2",
                "working_dir": Path("/srv"),
                "env": {"N": 1},
                "stdout_stream": {"filename": "/x"},
                "own": [1],
                "flapping.x": 2,
            }
        )
        [watcher] = from_mappings((given,)).watchers
        self.assertEqual(watcher.name, "nap")
        self.assertEqual(
            watcher.options,
            {
                **WATCHER_OPTIONS.defaults(),
                "cmd": "/bin/sleep 10",
                "numprocesses": 2,
                "working_dir": "/srv",
                "env": {"N": "1"},
                "stdout_stream": {"class": "FileStream", "filename": "/x"},
                "own": [1],
                "flapping.x": 2,
            },
        )

    def test_a_nameless_watcher_is_called_like_its_program(self) -> None:
        for cmd, name in (
            ("/bin/sleep 10", "sleep"),
            (["/usr/bin/a b", "c"], "a b"),
            ("'/opt/my app/run' x", "run"),
        ):
            [watcher] = from_mappings([{"cmd": cmd}]).watchers
            self.assertEqual(watcher.name, name)

    def test_plugins(self) -> None:
        configuration = from_mappings(
            plugins=[
                {"use": "a.B", "name": "log", "x": [1, {"y": None}], "priority": 5},
                {"use": "c.D", "active": False},
                {"use": "e.F", "name": "plugin:f"},
            ]
        )
        log, nameless, prefixed = configuration.plugins
        self.assertEqual((log.name, log.use), ("log", "a.B"))
        self.assertEqual(log.config, {"x": [1, {"y": None}], "priority": 5})
        self.assertEqual(log.options["priority"], 5)
        self.assertIs(log.options["singleton"], True)
        self.assertEqual((nameless.name, nameless.active), ("c.D", False))
        self.assertEqual(prefixed.name, "plugin:f")

    def test_sockets(self) -> None:
        [web] = from_mappings(
            sockets=[{"name": "web", "port": "80", "family": socket.AF_INET6}]
        ).sockets
        self.assertEqual(web.name, "web")
        self.assertEqual((web.options["port"], web.options["family"]), (80, "AF_INET6"))

    def test_circus(self) -> None:
        circus = from_mappings(circus={"endpoint": "ipc:///x", "check_delay": None}).circus
        self.assertEqual((circus["endpoint"], circus["check_delay"]), ("ipc:///x", 1.0))

    def test_all_problems_at_once(self) -> None:
        self.assertEqual(
            self.problems(
                watchers=[{}, {"cmd": "x", "hooks": {"a": "b"}}, {"cmd": 5}, 5],
                plugins=[{}, {"use": "a.B", "x": {1}}, {"use": "a.B"}],
                sockets=[{"prt": 1}],
                circus={"chek_delay": 1, "endpoint": "x"},
            ),
            [
                "[watcher 4] this is not a mapping of names to values",
                "[circus] chek_delay: unknown option; did you mean check_delay?",
                "[circus] endpoint: 'x': not an endpoint; write tcp://HOST:PORT or ipc://FILE",
                "[socket:] prt: unknown option; did you mean port?",
                "[socket:] the name is missing; write [socket:NAME]",
                "[watcher:] the name is missing; write [watcher:NAME]",
                "[watcher:] cmd: missing; say which program to run",
                "[watcher:x] hooks: there is no hook 'a'",
                "[watcher:] cmd: 5 is not text",
                "[watcher:] the name is missing; write [watcher:NAME]",
                "[plugin:] the name is missing; write [plugin:NAME]",
                "[plugin:] use: missing; say which class to run, such as myproject.plugins.Logger",
                "[plugin:a.B] its options cannot travel as JSON: Object of type set is not JSON "
                "serializable",
                "[plugin:a.B] commands and events cannot tell this name from a.B; "
                "rename one of them",
            ],
        )

    def test_near_misses_warn(self) -> None:
        self.assertEqual(
            from_mappings([{"cmd": "x", "signleton": True}]).warnings,
            [
                "[watcher:x] signleton: unknown option; did you mean singleton? "
                "(kept for hooks and plugins)",
            ],
        )


if __name__ == "__main__":
    unittest.main()
