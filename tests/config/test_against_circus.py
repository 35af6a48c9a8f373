"""What files mean, compared with the published Circus 0.19 where that is installed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import unittest
from typing import Any

from cvec_circus.config.configuration import WatcherConfig
from tests.config.support import ENVIRON, ConfigTestCase

PUBLISHED = """
import json, logging, os, sys, warnings
warnings.simplefilter("ignore")
logging.disable()
from circus.config import get_config
from circus.util import parse_env_dict

found = {}
for path in sys.argv[1:]:
    try:
        config = get_config(path)
        for watcher in config["watchers"]:
            watcher["stop_signal"] = int(watcher["stop_signal"])
            watcher["env"] = parse_env_dict(watcher["env"])  # as its watchers do later
        wanted = ("watchers", "plugins", "sockets", "check_delay")
        found[path] = {key: config[key] for key in wanted}
    except Exception as error:
        found[path] = repr(error)
print(json.dumps(found))
"""

WEB = "[watcher:web]\ncmd = x\n"

MORE = " [y]" if sys.version_info >= (3, 10) else ""
"""What stands behind a header: Circus takes what configparser does, which has changed."""

SAME = {
    "comments": "# a\n; b\nrem c\nREM d = 1\n[watcher:w]\n#a = 1\ncmd = x\n;b = 2\nrem c = 3\n"
    "x.y = 1\n",
    "separators": "[watcher:w]\ncmd: a=b\nx.a = b:c\nx.b=c\nx.c  :  d\nx.d == e\nx.e :f=g\n",
    "keys": "[watcher:w]\ncmd = x\nKey.Case = 1\nx y.z = 2\n",
    "continuations": "[watcher:w]\ncmd = a\n  b\n\tc\n\n  # d\nargs =\n  e\n\n# note\n  f ; g\n",
    "notes": "[watcher:w]\ncmd = a ; note\nx.a = b; c\nx.b = a;b ;c\nx.c = ;d\n"
    "x.d = a\t;b\nx.e = e ;\n",
    "hashes": "[watcher:w]\ncmd = a # b\nx.a = p#s\nx.b = #fff\n",
    "verbatim": "[watcher:w]\ncmd = 'a' \"b\"\nx.a = a, b,c\nx.b = %(x)s %d 100%\n"
    "x.c = \"q\"\nx.d = ''\n",
    "empty": '[watcher:w]\ncmd = x\nx.a = ""\nx.b =\nx.c:\n',
    "headers": f"[watcher:w] ; note\ncmd = x\n[env] # note\nA = 1\n[watcher:v]{MORE}\ncmd = y\n",
    "blanks": "[watcher:w]  \ncmd = x  \t\nx.a =   a  b  \n",
    "crlf": "[watcher:w]\r\ncmd = x\r\nx.a = 1\r\n  2\r\n",
    "twice": "[watcher:w]\ncmd = x\nx.a = 1\n[watcher:v]\ncmd = y\n[watcher:w]\nx.b = 2\n",
    "a key twice": "[watcher:w]\ncmd = x\nx.a = 1\nx.a = 2\n[watcher:w]\nx.a = 3\ncmd = y\n",
    "a key twice, continued": "[watcher:w]\ncmd = x\nx.a = 1\n  2\nx.a = 3\n  4\n[watcher:w]\n"
    "x.a = 5\n  6\n",
    "an empty socket": f"[socket:s]\n[socket:t]\nport = 1234\n{WEB}",
    "a negative check_delay": f"[circus]\ncheck_delay = -1\n{WEB}",
    "variables twice": f"[env]\nA = 1\nA = 2\n[env:w*]\nB = 1\nB = 2\n{WEB}",
    "includes": f"[circus]\ninclude = a.conf b*.conf nope.conf\n{WEB}x.y = main\n[env]\nA = main\n",
    "folders": f"[circus]\ninclude_dir = sub s*b2\n{WEB}",
    "includes by variables": f"[circus]\ninclude = $(circus.env.FOO).conf\n{WEB}",
    "includes over lines": f"[circus]\ninclude = a.conf\n  b1.conf\n{WEB}",
    "the environment copied": f"{WEB}copy_env = yes\n[env]\nA = $(circus.env.FOO)\nFOO = bar\n",
    "variables": f"{WEB}x.y = $FOO\n[env]\nA = $FOO:${{HOME}}\nB = $NOPE $A $$FOO $\n[env:web]\n"
    "C = $N$Mixed ${N}x $foo $_X $HOMEx $HOME_ $A1 a:$UNSET\n",
    "default": "[DEFAULT]\nmax_retry = -1\nx.y = 1\ncmd = d\n[watcher:w]\nmax_retry = 3\n"
    "[watcher:v]\ncmd = v\n[env]\nA = 1\n",
    "booleans": "".join(
        f"[watcher:{number}]\ncmd = x\nsingleton = {word}\nrespawn = {word}\n"
        for number, word in enumerate("true True TRUE yes on 1 false False no off 0 Off".split())
    ),
    "numbers": "[watcher:w]\ncmd = x\nnumprocesses = 3\nwarmup_delay = 2\nmax_retry = -1\n"
    "graceful_timeout = 2.5\npriority = -7\n",
    "signals": "".join(
        f"[watcher:{word}]\ncmd = x\nstop_signal = {word}\n"
        for word in "QUIT SIGQUIT 9 int".split()
    ),
    "numbers from the environment": "[watcher:w]\ncmd = x\nnumprocesses = $(circus.env.N)\n"
    "max_retry = ((circus.env.n))\n[env]\nOWN = 5\n[watcher:v]\ncmd = x\n"
    "numprocesses = $(circus.env.own)\n",
    "names": "[watcher:w]\ncmd = $(circus.env.FOO) ((circus.env.foo)) $(CIRCUS.ENV.Foo) "
    "$(circus.wid) $(circus.env.NOPE) ((circus.sockets.web)) $(other.x) $(circus.env.DOLLAR)\n"
    "args = $FOO ${FOO} $WID\nworking_dir = /$(circus.env.Mixed)/$HOME\nx.y = $(circus.env.FOO)\n",
    "names of own variables": "[watcher:w]\ncmd = $(circus.env.A) $(circus.env.B) $(circus.env.C)\n"
    "[env]\nA = 1\nB = 2\n[env:w]\nB = 3\n[env:v]\nC = 4\n",
    "patterns": "[env:w*]\nA = 1\nB = 1\n[env:web, wob]\nB = 2\n[env:w?b,x]\nC = 3\n"
    f"[env:WEB]\nD = 4\n[env]\nA = 0\nE = 5\n{WEB}[watcher:wob]\ncmd = x\n[watcher:x]\ncmd = x\n",
    "streams": f"{WEB}stdout_stream.class = FileStream\nstdout_stream.filename = /x.log\n"
    "stderr_stream.filename = /$(circus.env.FOO).log\n",
    "freeform": f"{WEB}own = 1\nown.two = a, b\nflapping.max_retry = 3\n",
    "shell": f"{WEB}shell = yes\nexecutable = /bin/bash\nshell_args = a b\n",
    "plugins": f"[plugin:p]\nuse = a.B\nx = $(circus.env.FOO) $HOME $(circus.wid)\ny = 1 ; 2\n"
    f"z = a\n  b\n{WEB}",
    "sockets": f"[socket:web]\nhost = 127.0.0.1\nport = 8000\n[socket:api]\n"
    f"host = $(circus.env.FOO)\n{WEB}",
    "no circus section": WEB,
    "check_delay": f"[circus]\ncheck_delay = 0.5\n{WEB}",
    "unknown sections": f"[other]\na = 1\n{WEB}",
    "colons in names": "[watcher:a:b]\ncmd = x\n[watcher:a.b c]\ncmd = x\n",
}


DIFFERENT: dict[str, tuple[str, str, object, object]] = {
    "names in [env:NAME] are replaced": (
        f"{WEB}[env:web]\nA = $(circus.env.FOO)\n",
        "env.A",
        "foo",
        "$(circus.env.FOO)",
    ),
    "an empty folder is none": (f"{WEB}working_dir =\n", "working_dir", None, ""),
    "a fraction is a number of seconds": (f"{WEB}warmup_delay = 0.5\n", "warmup_delay", 0.5, "!"),
    "a byte order mark is no text": (f"\ufeff{WEB}", "cmd", "x", "!"),
    "an indented first key is a key": ("[watcher:web]\n  cmd = x\n", "cmd", "x", ""),
}
"""What we read otherwise: a text, an option, and what it is here and there; "!" is refused."""


def circus(path: str, *paths: str, environ: dict[str, str]) -> dict[str, Any]:
    """Return what Circus makes of files."""
    done = subprocess.run(
        [sys.executable, "-c", PUBLISHED, path, *paths],
        capture_output=True,
        text=True,
        check=True,
        env=environ,
    )
    return json.loads(done.stdout)


def without_name(mapping: dict[str, Any]) -> dict[str, Any]:
    """Return a mapping without what leaks into those of Circus."""
    return {key: value for key, value in mapping.items() if key != "__name__"}


@unittest.skipUnless(importlib.util.find_spec("circus"), "Circus is not installed")
class TestAgainstCircus(ConfigTestCase):
    maxDiff = None

    def compare_watcher(self, ours: WatcherConfig, theirs: dict[str, Any]) -> None:
        options = ours.options
        self.assertEqual(ours.name, theirs.pop("name"))
        env = without_name(theirs.pop("env"))
        self.assertEqual(options["env"], {key: env[key] for key in options["env"]})
        if not options["copy_env"]:
            self.assertEqual(options["env"], env)
        for stream in ("stdout_stream", "stderr_stream"):
            conf = {key: str(value) for key, value in options[stream].items()}
            if "class" not in theirs[stream]:
                conf.pop("class", None)
            self.assertEqual(conf, theirs.pop(stream))
        for name in ("rlimits", "hooks"):
            self.assertEqual(theirs.pop(name), {})
        for key, value in without_name(theirs).items():
            self.assertEqual(options.get(key), value, key)

    def test_the_same(self) -> None:
        self.write("a.conf", "[watcher:web]\nx.y = a\nx.z = a\n[env]\nA = a\nB = a\n")
        self.write("b1.conf", "[watcher:web]\nx.z = b1\n[watcher:b1]\ncmd = b\n")
        self.write("b2.conf", "[watcher:web]\nx.w = b2\n[watcher:b1]\ncmd = b2\n")
        self.write("foo.conf", "[watcher:foo]\ncmd = foo\n")
        for name in "cd":
            self.write(f"sub/{name}.ini", f"[watcher:{name}]\ncmd = x\n")
        self.write("sub/e.txt", "[watcher:e]\ncmd = x\n")
        self.write("sub2/f.ini", "[watcher:f]\ncmd = x\n")
        paths = {}
        for number, (name, text) in enumerate(SAME.items()):
            self.write(f"{number}.ini", text)
            paths[name] = str(self.folder / f"{number}.ini")
        found = circus(*paths.values(), environ=ENVIRON)
        for name, text in SAME.items():
            with self.subTest(name):
                theirs = found[paths[name]]
                self.assertIsInstance(theirs, dict, theirs)
                self.compare(text, theirs)

    def test_the_differences(self) -> None:
        paths = []
        for number, (text, *_) in enumerate(DIFFERENT.values()):
            self.write(f"{number}.ini", text)
            paths.append(str(self.folder / f"{number}.ini"))
        found = circus(*paths, environ=ENVIRON)
        for path, (name, (text, key, ours, theirs)) in zip(paths, DIFFERENT.items()):
            with self.subTest(name):
                options = self.watcher(text).options
                said = found[path]
                watcher = said["watchers"][0] if isinstance(said, dict) else {}
                part, _, variable = key.partition(".")
                if part == "env":
                    options, watcher, key = options["env"], watcher.get("env", {}), variable
                self.assertEqual(options[key], ours)
                self.assertEqual(watcher.get(key, "!"), theirs)

    def compare(self, text: str, theirs: dict[str, Any]) -> None:
        ours = self.load(text)
        self.assertEqual(ours.left_out, [])
        self.assertEqual(ours.circus["check_delay"], theirs["check_delay"])
        watchers = sorted(ours.watchers, key=lambda watcher: watcher.name)
        self.assertEqual([w.name for w in watchers], [w["name"] for w in theirs["watchers"]])
        for watcher, other in zip(watchers, theirs["watchers"]):
            self.compare_watcher(watcher, other)
        for plugin, other in zip(ours.plugins, theirs["plugins"]):
            config = {**plugin.config, "use": plugin.use, "name": plugin.name}
            self.assertEqual(config, without_name(other))
        self.assertEqual(len(ours.plugins), len(theirs["plugins"]))
        sockets = sorted(ours.sockets, key=lambda one: one.name)
        for socket, other in zip(sockets, theirs["sockets"]):
            self.assertEqual(socket.name, other["name"])
            for key in other.keys() & {"host", "port"}:
                self.assertEqual(str(socket.options[key]), other[key])
        self.assertEqual(len(sockets), len(theirs["sockets"]))


if __name__ == "__main__":
    unittest.main()
