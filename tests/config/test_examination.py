"""What `--check` warns of: everything that Circus swallows without a word."""

from __future__ import annotations

import unittest

from cvec_circus.config.examination import NOTHING, There, examine
from cvec_circus.options.stream import PARTS
from cvec_circus.options.stream_classes import STREAM_CLASSES
from tests.config.support import ENVIRON, ConfigTestCase

WEB = "[watcher:web]\ncmd = sleep 10\n"


class SlipsCase(ConfigTestCase):
    def found(self, text: str, there: There = NOTHING) -> list[str]:
        """Return what is said of a main file, without its name."""
        self.write("main.ini", text)
        findings = examine("main.ini", ENVIRON, str(self.folder), there).build.findings
        said = [
            f"{'! ' if one.is_problem else ''}{one.line.replace('main.ini:', '')}"
            for one in findings.everything()
        ]
        for line in said:
            self.assertNotIn("\n", line)
        return said

    def says(self, text: str, *expected: str) -> None:
        self.assertEqual(self.found(text), list(expected))

    def silent(self, *texts: str) -> None:
        for text in texts:
            with self.subTest(text):
                self.assertEqual(self.found(text), [])


class TestStreams(SlipsCase):
    def test_parts_that_the_class_does_not_use(self) -> None:
        log = "stdout_stream.filename = /tmp/x.log\n"
        self.says(
            f"{WEB}{log}stdout_stream.rotate_when = D\nstdout_stream.max_bytes = 5\n",
            "4: [watcher:web] stdout_stream.rotate_when: a FileStream does not use it, only a "
            "TimedRotatingFileStream",
            "5: [watcher:web] stdout_stream.max_bytes: without stdout_stream.backup_count nothing "
            "is rotated",
        )
        self.says(
            f"{WEB}stderr_stream.class = StdoutStream\nstderr_stream.color = red\n"
            "stderr_stream.json = True\n",
            "4: [watcher:web] stderr_stream.color: a StdoutStream does not use it, only a "
            "FancyStdoutStream",
            "5: [watcher:web] stderr_stream.json: a StdoutStream does not use it, only a "
            "FileStream or WatchedFileStream or TimedRotatingFileStream",
        )
        self.says(
            f"{WEB}{log}close_child_stdout = True\n",
            "4: [watcher:web] close_child_stdout: nothing comes to stdout_stream then",
        )
        self.silent(
            f"{WEB}{log}stdout_stream.max_bytes = 5\nstdout_stream.backup_count = 1\n",
            f"{WEB}stdout_stream.class = SyslogStream\nstdout_stream.facility = LOCAL0\n",
            f"{WEB}stdout_stream.class = mine.Stream\nstdout_stream.max_bytes = 5\n",
            f"[DEFAULT]\nstdout_stream.color = red\n{WEB}{log}",
        )

    def test_relative_names(self) -> None:
        log = "stdout_stream.filename"
        said = "begins in the folder that the daemon starts in, not in working_dir; "
        said += "write the whole path"
        self.says(
            f"{WEB}working_dir = /srv\n{log} = logs/x\ncopy_env = 1\nvirtualenv = venv\n",
            f"4: [watcher:web] {log}: {said}",
            f"6: [watcher:web] virtualenv: {said}",
        )
        self.silent(
            f"{WEB}{log} = logs/x\n",
            f"{WEB}working_dir = /srv\n{log} = /srv/logs/x\n",
            f"{WEB}working_dir = /srv\nstdout_stream.class = a.B\n{log} = x\n",
        )

    def test_what_is_never_rotated(self) -> None:
        log = f"{WEB}stdout_stream.filename = /dev/stdout\n"
        said = "/dev/stdout is not a file of its own, so it is never rotated"
        self.says(
            f"{log}stdout_stream.max_bytes = 5\nstdout_stream.backup_count = 2\n",
            f"3: [watcher:web] stdout_stream.filename: {said}",
        )
        self.silent(log)

    def test_parts_of_each_class(self) -> None:
        for name, row in STREAM_CLASSES.items():
            for part in {*row.parts, *row.needs}:
                self.assertIn(part, PARTS, name)
        known = set(PARTS) - {"class", "refresh_time", "stream"}
        self.assertEqual(known, set().union(*(row.parts for row in STREAM_CLASSES.values())))


class TestLines(SlipsCase):
    def test_indented_options(self) -> None:
        self.says(
            f"{WEB}  numprocesses = 3\n\n# note\n\tstdout_stream.filename: /x\n",
            "3: [watcher:web] numprocesses: indented, so a part of cmd above; begin numprocesses "
            "at the margin",
            "6: [watcher:web] stdout_stream.filename: indented, so a part of cmd above; begin "
            "stdout_stream.filename at the margin",
        )
        self.says(
            f"{WEB}[env]\nA = 1\n  B_C = 2\n",
            "5: [env] B_C: indented, so a part of A above; begin B_C at the margin",
        )
        self.silent(
            f"{WEB}args = a\n  --numprocesses=3\n  b = c\n",
            "[watcher:web]\n  cmd = sleep 10\n",
            f"{WEB}[env]\nA = 1\n  b = 2\n",
            f"{WEB}[plugin:p]\nuse = a.B\nrules =\n  all = 1\n",
        )

    def test_twice(self) -> None:
        self.says(
            f"{WEB}priority = 1\npriority = 2\n{WEB}",
            "4: [watcher:web] priority: given in line 3 already; this one is ignored",
            "5: [watcher:web] begun in line 1 already; both are read as one section",
            "6: [watcher:web] cmd: given in line 2 already; this one is ignored",
        )

    def test_twice_over_files(self) -> None:
        self.write("more.ini", f"{WEB}priority = 3\n")
        text = f"[circus]\ninclude = more.ini\n{WEB}"
        self.says(
            text,
            "more.ini:2: [watcher:web] cmd: given in 4 already; this one is ignored",
        )
        self.assertEqual(self.load(text).warnings, [])

    def test_unknown_sections(self) -> None:
        self.says(
            f"{WEB}[watchers:x]\ncmd = x\n",
            "! 3: [watchers:x] unknown section; did you mean [watcher:x]?",
        )

    def test_nothing_to_run(self) -> None:
        said = " nothing is to run; write a [watcher:NAME] with a cmd"
        self.says("[circus]\n[socket:s]\nport = 1\n", said)
        self.silent("[plugin:p]\nuse = a.B\n")


class TestBesideWhatIsRefused(SlipsCase):
    """What follows from a default in place of a refused value is not said."""

    def test_streams(self) -> None:
        said = "'x' is not a whole number"
        log = "stdout_stream.filename = /x\nstdout_stream.max_bytes = 5\n"
        self.says(
            f"{WEB}{log}stdout_stream.backup_count = x\n",
            f"! 5: [watcher:web] stdout_stream.backup_count: {said}",
        )
        (said,) = self.found(f"{WEB}{log}stdout_stream.class = Filestream\n")
        self.assertIn("5: [watcher:web] stdout_stream.class: 'Filestream' is none of", said)
        (said,) = self.found(f"{WEB}{log}stdout_stream.backup_count = 2\nuid = no-such\n")
        self.assertEqual(said, "! 6: [watcher:web] uid: there is no user no-such")

    def test_other_options(self) -> None:
        said = "'x' is neither true nor false"
        self.says(
            f"{WEB}use_sockets = x\non_demand = True\nlisten_fds = True\ncopy_env = x\n"
            "copy_path = True\nvirtualenv = /x\nshell = x\nshell_args = a\nargs = a | b\n"
            "singleton = x\nnumprocesses = 3\n",
            f"! 3: [watcher:web] use_sockets: {said}",
            f"! 6: [watcher:web] copy_env: {said}",
            f"! 9: [watcher:web] shell: {said}",
            f"! 12: [watcher:web] singleton: {said}",
        )
        self.says(
            f"{WEB}uid = 54321987\ngid = a b\n",
            "! 4: [watcher:web] gid: 'a b' is not the name of a user or group",
        )


class TestValues(SlipsCase):
    def test_quotes_around_a_command(self) -> None:
        said = "the quotes make this one word, the name of a program; leave them out"
        said = f"2: [watcher:w] cmd: {said}"
        self.says('[watcher:w]\ncmd = "sleep 10"\n', said)
        self.says("[watcher:w]\ncmd = 'sleep 10'\n", said)
        self.silent(
            '[watcher:w]\ncmd = "/opt/my app" "b"\n',
            '[watcher:w]\ncmd = "sleep" 10\n',
            "[watcher:w]\ncmd = 'sleep'\n",
            "[watcher:w]\ncmd = echo\nargs = 'a b'\n",
        )

    def test_quotes_around_other_values(self) -> None:
        said = "the quotes are a part of the value; leave them out"
        self.says(
            f'{WEB}working_dir = "/x"\nplug.in = \'y\'\n[env]\nA = "1"\n'
            "[circus]\npidfile = 'z'\n",
            f"3: [watcher:web] working_dir: {said}",
            f"4: [watcher:web] plug.in: {said}",
            f"6: [env] A: {said}",
            f"8: [circus] pidfile: {said}",
        )
        self.silent(f"{WEB}working_dir = a'b'\nx.y = \"\"\n")

    def test_hashes(self) -> None:
        said = "# begins no comment here, it is in the value; give the comment a line of its own"
        self.says(f"{WEB}x.y = 1 # 2\n", f"3: [watcher:web] x.y: {said}")
        self.says("[watcher:w]\ncmd = sleep 10\t# note\n", f"2: [watcher:w] cmd: {said}")
        self.says(
            f"{WEB}priority = 1 # note\n[watcher:x]\ncmd = x\n",
            "! 3: [watcher:web] priority: '1 # note' is not a whole number",
            f"3: [watcher:web] priority: {said}",
        )
        self.silent(f"{WEB}x.y = a#b #fff\n[env]\nPASSWORD = #x# #y\n")

    def test_variables(self) -> None:
        self.says(
            f"{WEB}working_dir = ${{HOME:-/y}}/x\n"
            "[circus]\nlogoutput = $HOME/y\n[socket:s]\nhost = $H\n",
            "3: [watcher:web] working_dir: ${HOME} is not replaced anywhere; write "
            "$(circus.env.HOME)",
            "5: [circus] logoutput: $HOME is not replaced here; write $(circus.env.HOME)",
            "7: [socket:s] host: $H is not replaced here; write $(circus.env.H)",
        )
        self.says(
            '[watcher:w]\ncmd = echo $FOO "$FOO"\nargs = $N\n',
            "2: [watcher:w] cmd: $FOO is not replaced here; write $(circus.env.FOO)",
            "3: [watcher:w] args: $N is not replaced here; write $(circus.env.N)",
        )
        self.silent(
            "[watcher:w]\ncmd = bash -lc 'echo $FOO | wc'\n",
            "[watcher:w]\ncmd = sh\nargs = -c 'echo $FOO'\n",
            f"{WEB}working_dir = /$(circus.env.FOO)/$5\nplug.in = $FOO\n",
            f"{WEB}[env]\nA = $FOO:$N\n[plugin:p]\nuse = a.B\nx = $FOO\n",
        )

    def test_names(self) -> None:
        self.says(
            "[watcher:w]\ncmd = a $(circus.wdi) ((circus.numprocess))\n"
            "working_dir = /((circus.wid))\nargs = $(circus.env.NOPE) $(circus.own)\nown = 1\n",
            "2: [watcher:w] cmd: $(circus.wdi) means nothing and stays as it is; did you mean wid?",
            "2: [watcher:w] cmd: $(circus.numprocess) means nothing and stays as it is; did you "
            "mean numprocesses?",
            "3: [watcher:w] working_dir: $(circus.wid) is replaced in cmd, args, shell_args only",
            "4: [watcher:w] args: there is no variable NOPE; give it a value in [env]",
        )
        self.says(
            f"{WEB}working_dir = $(circus.env.A)/$(circus.env.B)\n",
            "3: [watcher:web] working_dir: there is no variable A; give it a value in [env]",
            "3: [watcher:web] working_dir: there is no variable B; give it a value in [env]",
        )
        none = "there is no variable NOPE; give it a value in [env]"
        for key in ("uid", "numprocesses", "stdin_socket", "hooks.before_start", "rlimit_core"):
            self.says(f"{WEB}{key} = $(circus.env.NOPE)\n", f"! 3: [watcher:web] {key}: {none}")
        self.says(  # another problem of the same value stays
            "[watcher:w]\ncmd = a $(circus.env.NOPE) $(circus.sockets.s)\nuse_sockets = True\n",
            "! 2: [watcher:w] cmd: there is no [socket:s]",
            f"2: [watcher:w] cmd: {none}",
        )
        self.silent("[watcher:w]\ncmd = a $(CIRCUS.WID) $(circus.NAME) $(circus.env.foo)\n")

    def test_sockets(self) -> None:
        socket = "[socket:Web]\nport = 80\n"
        text = "[watcher:w]\ncmd = a $(circus.sockets.{})\n{}"
        self.silent(text.format("WEB", "use_sockets = 1\n") + socket)
        self.says(
            text.format("web", "") + socket,
            "2: [watcher:w] cmd: refers to a socket; add use_sockets = True",
        )
        self.says(
            text.format("webb", "use_sockets = 1\n") + socket,
            "! 2: [watcher:w] cmd: there is no [socket:webb]; did you mean web?",
        )
        text = "[watcher:w]\ncmd = a\n{}\n"
        self.silent(text.format("stdin_socket = WEB") + socket)
        self.says(
            text.format("stdin_socket = webb") + socket,
            "! 3: [watcher:w] stdin_socket: there is no [socket:webb]; did you mean web?",
        )
        self.says(
            text.format("listen_fds = yes"),
            "3: [watcher:w] listen_fds: gives nothing without use_sockets = True",
        )

    def test_old_wid(self) -> None:
        self.says(
            "[watcher:w]\ncmd = a ${WID}\n",
            "2: [watcher:w] cmd: $WID is not replaced here; write $(circus.wid)",
        )


class TestCommands(SlipsCase):
    def test_what_cannot_be_split(self) -> None:
        said = "cannot be split into words: no closing quotation"
        self.says(
            "[watcher:w]\ncmd = it's\nargs = \"\nshell = True\nshell_args = 'a\n",
            f"! 2: [watcher:w] cmd: {said}; close the quotes",
            f"! 3: [watcher:w] args: {said}; close the quotes",
            f"! 5: [watcher:w] shell_args: {said}; close the quotes",
        )
        self.says(
            "[watcher:w]\ncmd = sh -c 'a ; b'\n",
            f"! 2: [watcher:w] cmd: {said}; close the quotes",
            '2: [watcher:w] cmd: "; b\'" was cut off as a comment',
        )
        self.silent("[watcher:w]\ncmd = sh -c 'a; b'\n", "[watcher:w]\ncmd = a ; it's a note\n")

    def test_a_broken_watcher_is_looked_at_too(self) -> None:
        self.says(
            "[watcher:w]\ncmd = it's\nsingleton = 1\nnumprocesses = 2\n[watcher:x]\ncmd = x\n",
            "! 2: [watcher:w] cmd: cannot be split into words: no closing quotation; close the "
            "quotes",
            "! 4: [watcher:w] numprocesses: a singleton has one process at most",
        )

    def test_shell_syntax(self) -> None:
        for cmd, operator in (
            ("a | b", "|"),
            ("a && b", "&&"),
            ("a; b", "a;"),
            ("a > /b", ">"),
            ("a 2>&1", "2>&1"),
            ("a &", "&"),
        ):
            said = f"{operator} means nothing without a shell; write cmd = sh -c '...'"
            self.says(f"[watcher:w]\ncmd = {cmd}\n", f"2: [watcher:w] cmd: {said}")
            said = f"{operator} is quoted for the shell; write cmd = sh -c '...', no shell"
            self.says(f"[watcher:w]\ncmd = {cmd}\nshell = 1\n", f"2: [watcher:w] cmd: {said}")
        said = "| means nothing without a shell; write cmd = sh -c '...'"
        self.says("[watcher:w]\ncmd = sh -c 'a; $B' | c\n", f"2: [watcher:w] cmd: {said}")
        self.silent(
            "[watcher:w]\ncmd = sh -c 'a | b && c'\n",
            "[watcher:w]\ncmd = perl -e 'print $x' \\$y \"\\$z\"\n",
            "[watcher:w]\ncmd = a http://x/?b&c=d e=f>g\n",
            '[watcher:w]\ncmd = a -g "daemon off;"\n',
            "[watcher:w]\ncmd = a . -exec ls {} \\;\n",
            "[watcher:w]\ncmd = a '&&' ';' \"|\"\nshell = 1\n",
            "[watcher:w]\ncmd = a\nshell = 1\nshell_args = b\n",
        )

    def test_shell_args_alone(self) -> None:
        said = "3: [watcher:web] shell_args: of no use without a shell; add shell = True"
        self.says(f"{WEB}shell_args = a\n", said)


class TestChecks(SlipsCase):
    def test_one_that_says_nothing(self) -> None:
        said = "says nothing, so there is no such check"
        self.says(
            "[watcher:w]\ncmd = a\nready.a =\nlive.b =\n",
            f"3: [watcher:w] ready.a: {said}",
            f"4: [watcher:w] live.b: {said}",
        )
        self.silent("[watcher:v]\ncmd = a\nready.a = fd:3\n[watcher:w]\nextends = v\nready.a =\n")


class TestWholes(SlipsCase):
    def test_a_pause(self) -> None:
        said = "this delays no respawn; for a pause, give the watcher a respawn_delay"
        self.says(f"[circus]\ncheck_delay = 6\n{WEB}", f"2: [circus] check_delay: {said}")
        self.silent(f"[circus]\ncheck_delay = 5\n{WEB}", f"[circus]\ncheck_delay = 0.1\n{WEB}")

    def test_what_circus_needed(self) -> None:
        said = "nothing here needs it; leave it out"
        text = f"{WEB}check_flapping = True\n"
        self.says(text, f"3: [watcher:web] check_flapping: {said}")
        self.assertEqual(len(self.load(text).warnings), 1)

    def test_options_of_ones_own(self) -> None:
        self.says(
            f"{WEB}restart_on_error = True\nMALLOC_LIMIT = 9\nown.x = 1\n",
            "3: [watcher:web] restart_on_error: unknown option (kept for hooks and plugins)",
            "4: [watcher:web] MALLOC_LIMIT: an option of your own, no variable; that belongs in "
            "[env:web]",
        )
        self.silent("[watcher:w]\ncmd = x $(circus.port)\nport = 80\n")

    def test_environments_of_nobody(self) -> None:
        self.says(
            f"{WEB}[env:web,webs,x*]\nA = 1\n",
            "3: [env:web,webs,x*] no watcher is called webs; did you mean web?",
            "3: [env:web,webs,x*] no watcher is called x*",
        )
        self.silent(f"{WEB}[plugin:p]\nuse = a.B\n[env:plugin:p, w?b]\nA = 1\n")

    def test_a_pattern_that_is_none(self) -> None:
        """Older Pythons make a problem of it, newer ones see nobody that it fits."""
        [said] = self.found(f"{WEB}[env:[z-a]]\nA = 1\n")
        self.assertIn("3: [env:[z-a]] ", said)

    def test_a_daemon_hears_nothing_of_it(self) -> None:
        text = (
            "[circus]\ncheck_delay = 60\n[watcher:w]\ncmd = 'a | b' # c\n  priority = 1\n"
            'working_dir = $HOME\nx.y = "1"\n[watcher:w]\n[env:y]\nA = 1\n'
        )
        self.assertEqual(self.load(text).warnings, [])
        self.assertEqual(len(self.found(text)), 7)


if __name__ == "__main__":
    unittest.main()
