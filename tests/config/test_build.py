"""From a file to a configuration: types, defaults, and everything that is wrong at once."""

from __future__ import annotations

import time
import unittest

from cvec_circus.config.configuration import FORGOTTEN
from cvec_circus.config.section import Place
from cvec_circus.options.arbiter import ARBITER_OPTIONS
from cvec_circus.options.socket import SOCKET_OPTIONS
from cvec_circus.options.stream_classes import STREAM_CLASSES
from cvec_circus.options.watcher import WATCHER_OPTIONS
from tests.config.support import ConfigTestCase


class TestWatchers(ConfigTestCase):
    def test_types_and_defaults(self) -> None:
        watcher = self.watcher(
            "[watcher:My App]\ncmd = sleep 10\nnumprocesses = 2\ngraceful_timeout = 2.5\n"
            "singleton = off\nstop_signal = QUIT\nmax_retry = -1\nargs = a  'b c'\nbackoff = 0\n"
            "flapping.max_retry = 3\nown_thing = 1\nuid =\nworking_dir =\n"
        )
        self.assertEqual(watcher.name, "My App")
        expected = {
            **WATCHER_OPTIONS.defaults(),
            "cmd": "sleep 10",
            "numprocesses": 2,
            "graceful_timeout": 2.5,
            "stop_signal": 3,
            "max_retry": -1,
            "args": "a  'b c'",
            "backoff": False,
            "flapping.max_retry": "3",
            "own_thing": "1",
        }
        self.assertEqual(watcher.options, expected)
        self.assertEqual(watcher.section.place(), Place("main.ini", 1))
        self.assertEqual(str(watcher.section.place("graceful_timeout")), "main.ini:4")
        self.assertEqual(str(watcher.section.place("priority")), "main.ini:1")

    def test_streams(self) -> None:
        watcher = self.watcher(
            "[watcher:w]\ncmd = x\nstdout_stream.filename = /x.log\nstdout_stream.max_bytes = 10\n"
            "stderr_stream.class = FileStream\nstderr_stream.filename = /y.log\n"
            "stderr_stream.time_format = %H:%M:%S\n"
        )
        self.assertEqual(
            watcher.options["stdout_stream"],
            {"class": "FileStream", "filename": "/x.log", "max_bytes": 10},
        )
        self.assertEqual(
            watcher.options["stderr_stream"],
            {"class": "FileStream", "filename": "/y.log", "time_format": "%H:%M:%S"},
        )
        self.assertFalse([key for key in watcher.options if key.startswith("stdout_stream.")])

    def test_in_the_order_of_the_file(self) -> None:
        text = "".join(f"[watcher:{name}]\ncmd = x\n" for name in "bca")
        self.assertEqual([w.name for w in self.load(text).watchers], list("bca"))

    def test_warnings(self) -> None:
        configuration = self.load(
            "[watcher:w]\ncmd = x $WID\nsignleton = true\nanything = 1\nplug.in = 1\n"
            "[watcer:x]\na = 1\n[Env]\n[nonsense]\n"
        )
        self.assertEqual(
            configuration.warnings,
            [
                "main.ini:2: [watcher:w] cmd: $WID is not replaced here; write $(circus.wid)",
                "main.ini:3: [watcher:w] signleton: unknown option; did you mean "
                "singleton? (kept for hooks and plugins)",
                "main.ini:9: [nonsense] unknown section, ignored",
                "main.ini:8: [Env] unknown section; did you mean [env]?",
            ],
        )
        problem = "main.ini:6: [watcer:x] unknown section; did you mean [watcher:x]?"
        self.assertEqual(configuration.left_out, [("watcer:x", [problem])])

    def test_a_misspelt_section_alone(self) -> None:
        for header, meant in (
            ("watchr:web", "watcher:web"),
            ("Watcher: a b", "watcher:a b"),
            ("watcher", "watcher:NAME"),
            ("plugins:p", "plugin:p"),
            ("sockets", "socket:NAME"),
            ("circuss", "circus"),
            ("circus:x", "circus"),
            ("envs:web", "env:web"),
            ("default", "DEFAULT"),
            ("Defualt", "DEFAULT"),
            ("[watcher:web]", "watcher:web"),
            ("watcher = web", "watcher:web"),
            ("wacher::web", "watcher:web"),
            ("sockets:", "socket:NAME"),
            ("envs:web[0-9]", "env:web[0-9]"),
        ):
            said = f"main.ini:1: [{header}] unknown section; did you mean [{meant}]?"
            self.assertEqual(self.problems(f"[{header}]\ncmd = x\n"), [said])
        self.load("[uwsgi]\nx = 1\n[program:web]\ncommand = x\n[watcher:w]\ncmd = x\n")


class TestPlaces(ConfigTestCase):
    def test_they_can_be_forgotten(self) -> None:
        text = "[watcher:w]\ncmd = x\n[socket:s]\nport = 1\n[plugin:p]\nuse = a.B\n"
        configuration, complete = self.load(text), self.load(text)
        configuration.forget_places()
        for kind in ("watchers", "sockets", "plugins"):
            [without], [one] = getattr(configuration, kind), getattr(complete, kind)
            self.assertIs(without.section, FORGOTTEN)
            self.assertEqual(without, one._replace(section=FORGOTTEN))


class TestCircus(ConfigTestCase):
    def test_defaults(self) -> None:
        for text in ("[circus]\n[env]\n", "[circus]\n", "[watcher:w]\ncmd = x\n"):
            configuration = self.load(text)
            expected = {**ARBITER_OPTIONS.defaults(), "check_delay": 5.0}
            self.assertEqual(configuration.circus, expected)
            self.assertEqual(configuration.warnings, [])

    def test_types(self) -> None:
        circus = self.load(
            "[circus]\ncheck_delay = 2\numask = 027\nloglevel = DEBUG\npidfile = /run/x\n"
            "logoutput = /x.log\nwarmup_delay = 1\nevent_history = 5\nloggerconfig =\n"
            "debug_gc = no\nendpoint = ipc:///run/y\n"
        ).circus
        expected = {
            **ARBITER_OPTIONS.defaults(),
            "check_delay": 2.0,
            "umask": 0o27,
            "loglevel": "debug",
            "pidfile": "/run/x",
            "logoutput": "/x.log",
            "warmup_delay": 1,
            "event_history": 5,
            "endpoint": "ipc:///run/y",
        }
        self.assertEqual(circus, expected)

    def test_what_comes_later_or_not_at_all_warns(self) -> None:
        configuration = self.load(
            "[circus]\nstatsd = true\nstats_endpoint = tcp://127.0.0.1:5557\nhttpd = true\n"
            "httpd_port = 80\ncheck_flapping = x\nrefresh_time = 1\nchek_delay = 1\n"
            "stream_backend = thread\n"
        )
        gone = "nothing here needs it; leave it out"
        self.assertEqual(
            configuration.warnings,
            [
                "main.ini:4: [circus] httpd: there is no web console here; the daemon runs "
                "without it",
                f"main.ini:6: [circus] check_flapping: {gone}",
                f"main.ini:7: [circus] refresh_time: {gone}",
                "main.ini:8: [circus] chek_delay: unknown option, ignored; "
                "did you mean check_delay?",
                f"main.ini:9: [circus] stream_backend: {gone}",
            ],
        )

    def test_a_stats_endpoint_implies_statistics(self) -> None:
        configuration = self.load("[circus]\nstats_endpoint = tcp://127.0.0.1:5557\nstatsd = 0\n")
        self.assertIs(configuration.circus["statsd"], True)
        self.assertEqual(configuration.warnings, [])

    def test_the_name_of_the_statistics_is_taken(self) -> None:
        section = "[watcher:circusd-stats]\ncmd = sleep 1\n"
        self.assertEqual(len(self.load(section).watchers), 1)
        (problem,) = self.problems(f"[circus]\nstatsd = 1\n{section}")
        self.assertIn("cannot tell this name from circusd-stats", problem)

    def test_refused(self) -> None:
        self.assertEqual(
            self.problems(
                "[circus]\nfqdn_prefix = x\nloggerconfig = x\numask = rwx\n"
                "endpoint_owner = -1\ncheck_delay =\nendpoint = 5555\nloglevel = loud\n"
            ),
            [
                "main.ini:4: [circus] umask: 'rwx' is not an octal mask from 0 to 777",
                "main.ini:5: [circus] endpoint_owner: -1 is less than 0",
                "main.ini:6: [circus] check_delay: '' is not a time: write 30, 30s, 5m or 1h",
                "main.ini:7: [circus] endpoint: '5555': not an endpoint; write tcp://HOST:PORT or ipc://FILE",
                "main.ini:8: [circus] loglevel: 'loud' is not one of debug, info, warning, error, "
                "critical",
            ],
        )


class TestSockets(ConfigTestCase):
    def test_options(self) -> None:
        configuration = self.load(
            "[socket:web]\nport = 8080\n"
            "[socket:api]\nhost = ::1\nport = 0\nfamily = af_inet6\nbacklog = 5\n"
        )
        web, api = configuration.sockets
        self.assertEqual(
            web.options,
            {
                "host": "localhost",
                "port": 8080,
                "family": "AF_INET",
                "type": "SOCK_STREAM",
                "backlog": 2048,
                "blocking": False,
                "path": None,
                "umask": 0o010,
                "owner": None,
                "replace": False,
                "interface": None,
                "proto": 0,
                "so_reuseport": False,
            },
        )
        self.assertEqual(
            api.options,
            {**web.options, "host": "::1", "port": 0, "family": "AF_INET6", "backlog": 5},
        )
        self.assertEqual((web.name, api.name), ("web", "api"))

    def test_refused(self) -> None:
        self.assertEqual(
            self.problems(
                "[socket:s]\nport = 65536\nfamily = AF_X25\nproto = tpc\n[socket:S]\nport = 1\n"
            ),
            [
                "main.ini:2: [socket:s] port: 65536 is more than 65535",
                "main.ini:3: [socket:s] family: 'AF_X25' is not one of AF_INET, AF_INET6, AF_UNIX",
                "main.ini:4: [socket:s] proto: 'tpc' is not a protocol: a number, or one of ip, "
                "icmp, tcp, udp, ipv6-icmp, sctp, udplite, raw, mptcp",
                "main.ini:5: [socket:S] commands and events cannot tell this name from s; "
                "rename one of them",
            ],
        )

    def test_what_waits_in_vain(self) -> None:
        text = "[socket:s]\nport = 1\n[socket:r]\nport = 2\nso_reuseport = True\n[watcher:w]\n"
        text += "on_demand = True\nuse_sockets = True\ncmd = x "
        none = "the command refers to no socket, so it is never started"
        many = "socket r has so_reuseport, so no client can connect to it before there is a process"
        for rest, said in (
            ("", f"{none}; write $(circus.sockets.NAME)"),
            ("\nshell_args = $(circus.sockets.s)", f"{none}; write $(circus.sockets.NAME)"),
            ("$(circus.sockets.r)", many),
            ("$(circus.sockets.s)", ""),
            ("\nstdin_socket = s", ""),
        ):
            found = [one for one in self.load(text + rest + "\n").warnings if "on_demand" in one]
            expected = [f"main.ini:7: [watcher:w] on_demand: {said}"] if said else []
            self.assertEqual(found, expected)
        self.assertNotIn("on_demand:", str(self.problems(f"{text}\nshell = x\n")))

    def test_unknown_keys_warn(self) -> None:
        self.assertEqual(
            self.load("[socket:s]\nprot = 80\n").warnings,
            ["main.ini:2: [socket:s] prot: unknown option, ignored; did you mean port?"],
        )
        self.assertIsNone(SOCKET_OPTIONS.find("prot"))


class TestPlugins(ConfigTestCase):
    def test_config_is_the_text_that_is_written(self) -> None:
        [plugin] = self.load(
            "[plugin:My Logger]\nuse = my.plugins.Logger\nfilename = /a b:c/é.log\n"
            "quoted = \"x; y\", 'z'\nlines = 1\n  2\n  # 3\n"
            "names = $(circus.env.FOO) $HOME %(x)s $(circus.wid)\n"
            "priority = 07\nactive = yes\nflapping.x = 1\nempty =\ncmd = own\nnumprocesses = many\n"
            "stdout_stream.filename = /x\n"
        ).plugins
        self.assertEqual(plugin.name, "plugin:My Logger")
        self.assertEqual(plugin.use, "my.plugins.Logger")
        self.assertEqual(
            plugin.config,
            {
                "filename": "/a b:c/é.log",
                "quoted": "\"x; y\", 'z'",
                "lines": "1\n2\n# 3",
                "names": "foo $HOME %(x)s $(circus.wid)",
                "priority": "07",
                "active": "yes",
                "flapping.x": "1",
                "empty": "",
                "cmd": "own",
                "numprocesses": "many",
                "stdout_stream.filename": "/x",
            },
        )
        self.assertEqual(
            plugin.options,
            {
                **WATCHER_OPTIONS.defaults(),
                "singleton": True,
                "priority": 7,
                "copy_env": True,
                "stdout_stream": {"class": "FileStream", "filename": "/x"},
            },
        )
        self.assertIs(plugin.active, True)

    def test_the_environment_is_replaced_for_the_plugin_and_its_watcher(self) -> None:
        [plugin] = self.load("[plugin:p]\nuse = a.B\nworking_dir = /$(circus.env.FOO)\n").plugins
        self.assertEqual(plugin.options["working_dir"], "/foo")
        self.assertEqual(plugin.config, {"working_dir": "/foo"})
        self.assertEqual(plugin.options["priority"], 1)

    def test_inactive(self) -> None:
        [plugin] = self.load("[plugin:p]\nuse = a.B\nactive = False\n").plugins
        self.assertIs(plugin.active, False)

    def test_refused(self) -> None:
        self.assertEqual(
            self.problems("[plugin:p]\nx = 1\nmax_retry = x\n[plugin:]\nuse = a.B\n"),
            [
                "main.ini:1: [plugin:p] use: missing; say which class to run, such as "
                "myproject.plugins.Logger",
                "main.ini:3: [plugin:p] max_retry: 'x' is not a whole number",
                "main.ini:4: [plugin:] the name is missing; write [plugin:NAME]",
            ],
        )


class TestProblems(ConfigTestCase):
    def test_all_at_once(self) -> None:
        self.write("more.ini", "[watcher:c]\nuid = nobodys\nnumprocesses = -1\n")
        self.assertEqual(
            self.problems(
                "x = 1\n[circus]\ninclude = more.ini\n"
                "[watcher:a]\nnumprocesses = two\nrlimit_nofiles =\nhooks.before_strt = a.b\n"
                "stdout_stream.class = NoStream\nno separator\n"
                "[watcher:b]\ncmd = x\nsingleton = true\nnumprocesses = 2\nnumprocesses = 3\n"
            ),
            [
                "main.ini:1: not an INI file: line 1 is outside any [section]",
                "main.ini:4: [watcher:a] cmd: missing; say which program to run",
                "main.ini:5: [watcher:a] numprocesses: 'two' is not a whole number",
                "main.ini:6: [watcher:a] rlimit_nofiles: there is no such limit; did you mean "
                "rlimit_nofile?",
                "main.ini:7: [watcher:a] hooks.before_strt: there is no such hook; did you mean "
                "before_start?",
                "main.ini:8: [watcher:a] stdout_stream.class: 'NoStream' is none of "
                f"{', '.join(STREAM_CLASSES)}, and no package.Class",
                "main.ini:9: this is neither KEY = VALUE nor a section header",
                "main.ini:13: [watcher:b] numprocesses: a singleton has one process at most",
                "more.ini:1: [watcher:c] cmd: missing; say which program to run",
                "more.ini:2: [watcher:c] uid: there is no user nobodys",
                "more.ini:3: [watcher:c] numprocesses: -1 is less than 0",
            ],
        )

    def test_names_that_fold_to_one(self) -> None:
        said = "commands and events cannot tell this name from {}; rename one of them"
        configuration = self.load(
            "[watcher:a b]\ncmd = x\n[watcher:A_B]\ncmd = x\n[plugin:p]\nuse = a.B\n"
            "[watcher:plugin:P]\ncmd = x\n[watcher:c]\ncmd = x\n[watcher: c]\ncmd = x\n"
        )
        self.assertEqual(
            configuration.left_out,
            [
                ("A_B", ["main.ini:3: [watcher:A_B] " + said.format("a b")]),
                ("c", ["main.ini:11: [watcher: c] " + said.format("c")]),
                ("plugin:P", ["main.ini:7: [watcher:plugin:P] " + said.format("plugin:p")]),
            ],
        )
        self.assertEqual([watcher.name for watcher in configuration.watchers], ["a b", "c"])

    def test_an_empty_command_or_name(self) -> None:
        self.assertEqual(
            self.problems('[watcher:]\ncmd = x\n[watcher:a]\ncmd = ""\n'),
            [
                "main.ini:1: [watcher:] the name is missing; write [watcher:NAME]",
                "main.ini:4: [watcher:a] cmd: missing; say which program to run",
            ],
        )


class TestSpeed(ConfigTestCase):
    def test_a_thousand_watchers(self) -> None:
        text = "".join(
            f"[watcher:w{number}]\ncmd = /usr/bin/app --id $(circus.wid) {number}\n"
            "numprocesses = 2\ncopy_env = True\nworking_dir = /srv\npriority = 3\n"
            f"stdout_stream.filename = /var/log/w{number}.log\nmax_retry = -1\nx.y = 3\n"
            for number in range(1000)
        )
        begin = time.process_time()
        self.assertEqual(len(self.load(text).watchers), 1000)
        self.assertLess(time.process_time() - begin, 1.0)  # 0.11 s on a quiet machine


if __name__ == "__main__":
    unittest.main()
