"""What each option does, for the pages of reference."""

from __future__ import annotations

DAEMON = {
    "endpoint": "Where the daemon takes commands. Any client that can connect can run programs, "
    "so an address that is neither `ipc://PATH` nor on 127.0.0.1 is refused without "
    "`allow_remote`.",
    "allow_remote": "Whether other machines may reach `endpoint`. It has neither encryption nor "
    "passwords: `ssh -L` is the better way.",
    "endpoint_mode": "The mode, in octal, of the files of ipc endpoints: who may connect.",
    "endpoint_owner": "The user, by name or number, who owns the files of ipc endpoints. Watchers "
    "that are added through the endpoint must then have that `uid`, no `gid` of a group that "
    "the user is not in, and nothing that happens inside the daemon (hooks, custom stream "
    "classes, files for output). Which programs run, and how, cannot be set.",
    "pubsub_endpoint": "Where the daemon publishes events.",
    "stats_endpoint": "Where statistics are published. Given, it implies `statsd`.",
    "statsd": "Whether to publish statistics: every second, what every process uses.",
    "check_delay": "Handed to plugins. It has no other effect: deaths are seen when they happen. "
    "In a file the default is 5.",
    "warmup_delay": "Seconds between the starts of two watchers of the same priority.",
    "priority_timeout": "Seconds without movement after which watchers of a lower priority no "
    "longer wait for those of a higher one.",
    "shutdown_timeout": "Seconds after which the plugins are stopped even if other watchers have "
    "not stopped. Without it, the longest `graceful_timeout` plus 5 s.",
    "max_processes": "The largest `numprocesses` of a watcher: a slip there must not bring the "
    "machine down.",
    "cgroup": "Whether each watcher has a cgroup (version 2) of its own, and where. `auto` makes "
    "them below the cgroup that the daemon is in, which needs `Delegate=yes` in its unit, or root. "
    "A path is that of another cgroup, such as `/sys/fs/cgroup/workers`, which is made if need be. "
    "Without cgroups there are no `memory_limit`, `cpu_limit` and `pids_limit`.",
    "event_history": "How many past events the daemon keeps for clients that ask later.",
    "log_history": "The `log_history` of all watchers that have none of their own, but for "
    "plugins. 0 keeps nothing; not given, 65536 of each output that has a stream are kept.",
    "umask": "The file mode mask of the daemon and its processes, in octal.",
    "pidfile": "The file that holds the daemon's pid while it runs.",
    "schedule_file": "Where the daemon writes down when each job with a `schedule` runs next, so "
    "that it can say at its next start which runs were missed while it was down.",
    "name": "What the daemon is called in the path of its `state_dir`. Without it that is derived "
    "from the path of the configuration; daemons that share one need a name each.",
    "state_dir": "The folder with the lock of the daemon, and with what one that comes after a "
    "crash has to know. Without it `/run/cvec_circus/NAME` for root, else "
    "`$XDG_STATE_HOME/cvec_circus/NAME`. Nobody else may write to it. It is gone when the daemon "
    "has stopped in order.",
    "adopt": "What becomes of the processes of a daemon that was killed: `True` takes them over, "
    "`stop` stops them in order and then starts them anew, `False` leaves them alone and starts "
    "others beside them.",
    "loglevel": "The lowest level of the lines in the daemon's log.",
    "logoutput": "The daemon's log: a file, which may be moved away at any time; `-` for standard "
    "error; `syslog://HOST[:PORT]?FACILITY` or `syslog:///dev/log?FACILITY` (`user` without "
    "one).",
    "include": "More files to read, separated by blanks: paths or patterns (`*.ini`), relative to "
    "the main file. Those that end in `.toml` are read as TOML. What the main file says comes "
    "first.",
    "include_dir": "Folders whose `*.ini` files are read, as with `include`.",
    "fqdn_prefix": "What the daemon's name begins with.",
    "loggerconfig": "A configuration of Python's `logging`: a file that ends in `.ini`, `.json` "
    "or `.yaml` (with PyYAML installed); a mapping when embedding. The logger is `cvec_circus`. "
    "`loglevel` and `logoutput` have no effect then.",
    "debug": "Log from level debug on, unless the command line names a level.",
    "debug_gc": "Whether the daemon logs each of its garbage collections: large ones as info, "
    "small ones as debug.",
    "proc_name": "The name of the daemon in `ps -o comm`, `top` and `pgrep`, up to 15 bytes of "
    "it. A name other than the default also replaces the command line in `ps` if setproctitle "
    "is installed.",
    "httpd_host": "Where the web console listens.",
    "httpd_port": "Where the web console listens.",
    "httpd_close_outputs": "Silences the web console.",
    "statsd_close_outputs": "Whether to discard what the statistics process writes to its "
    "standard output and error.",
}

WATCHER = {
    "extends": "Another watcher, whose options this one has if it does not say them itself: see "
    ":ref:`extends`.",
    "env_file": "Files of variables in the form of dotenv, with commas between them: see "
    ":ref:`env_files`.",
    "cmd": "The program to run, with its arguments. `$(circus.wid)`, `$(circus.env.NAME)`, "
    "`$(circus.sockets.NAME)` and `$(circus.OPTION)` are replaced. Mandatory.",
    "args": "More arguments: text, split as a shell would, or a list of words. The same names are "
    "replaced as in `cmd`.",
    "shell": "Run the command by `/bin/sh -c`. Its words are quoted for the shell, as in Circus, "
    "so `|`, `;` and `$HOME` have no special meaning; if you need one, write `cmd = sh -c "
    "'...'` without `shell`.",
    "shell_args": "What the shell gets after the command, as `$0`, `$1` and so on. Only with "
    "`shell`. The same names are replaced as in `cmd`.",
    "executable": "The program file to run instead of the first word of `cmd`, which stays the "
    "program's `argv[0]`. With `shell`, the shell to use.",
    "working_dir": "The folder that the processes start in; without it, the one the daemon was "
    "started in.",
    "env": "Environment variables of the processes. In a file they stand in `[env]` and "
    "`[env:NAME]` sections.",
    "copy_env": "Whether the processes also get the daemon's environment, under `env`.",
    "copy_path": "Whether the processes get the daemon's Python path, as PYTHONPATH; one in `env` "
    "wins. Only with `copy_env`.",
    "virtualenv": "The folder of a Python environment: its programs come first in PATH, and its "
    "packages are in PYTHONPATH. Only with `copy_env`. A relative path begins in the folder that "
    "the daemon was started in.",
    "virtualenv_py_ver": "The version of Python in `virtualenv`, such as `3.11`; without it, the "
    "daemon's own.",
    "uid": "The user that the processes run as, with all of its groups. Only a daemon that runs "
    "as root can set it. The files of a stream still belong to the daemon. HOME and USER are "
    "set only by `env`. A number need not be in passwd, as in a container; then `gid` is needed "
    "too, and is the only group.",
    "gid": "The group that the processes run as; without it, the first one of `uid`. A number "
    "need not have a name.",
    "umask": "The file mode mask of the processes, such as `027`; without it, the daemon's.",
    "rlimit_*": "A resource limit, soft and hard, such as `rlimit_nofile` (open files), "
    "`rlimit_core` or `rlimit_as`: see setrlimit(2) for their names and units. Empty, or -1, "
    "for none. A limit costs each start about 15 ms, because a separate Python sets it. If it "
    "cannot be set, the start has failed.",
    "numprocesses": "How many processes to keep running.",
    "singleton": "Never more than one process: `incr` and `numprocesses` above 1 are refused, and "
    "a reload stops the old process before it starts the new one.",
    "autostart": "Whether the watcher starts with the daemon.",
    "priority": "Watchers with a higher number start first. Equal ones start together, by name.",
    "warmup_delay": "Seconds between the starts of two processes of this watcher.",
    "respawn": "Whether a process that ended is replaced.",
    "max_retry": "How many starts in a row may fail before the watcher gives up; -1 for never.",
    "max_age": "Seconds after which a process is replaced by a fresh one; 0 for never.",
    "max_age_variance": "The largest number of random seconds that each process gets on top of "
    "`max_age`, so that not all are replaced at once.",
    "min_uptime": "A process that lived so many seconds is replaced at once; shorter lives back "
    "off.",
    "respawn_delay": "Seconds to wait before a process that lived long enough is replaced.",
    "backoff": "Whether processes that die soon are replaced after growing waits (0, 50, 100 ms "
    "...).",
    "backoff_max": "The longest of these waits, in seconds.",
    "backoff_reset": "A life of so many seconds clears what earlier deaths have added to the wait.",
    "on_demand": "Whether the processes start only when a client connects to one of their "
    "sockets. One that ends is not replaced; when all have ended, the next connection starts "
    "them again. Needs `use_sockets` or `stdin_socket`.",
    "schedule": "When the processes run, as a line of cron: `0 3 * * MON-FRI`. They do their work "
    "and end; the watcher waits between the runs, and `start` runs it at once. See :doc:`jobs`.",
    "overlap": "What happens when the next run comes before the last one has ended: it is left "
    "out (`skip`), begins after that (`queue`, one at most), or takes its place (`replace`).",
    "essential": "Whether the daemon ends with this watcher: when its last process has ended and "
    "is not replaced (`respawn = False`), or it has given up, everything stops, and the daemon "
    "exits with that process' code: 0 to 255, 128 and the number for a signal, 1 where none could "
    "be started. An order to stop it does not count. If the file has it wrong, the daemon does not "
    "start.",
    "ready.*": "A check that a new process must pass to count as ready; `*` is a name of your "
    "own, and all of them must hold. `notify`: it sends READY=1 as with sd_notify(3). `fd:N`: it "
    "writes a line to that descriptor. `log:TEXT`: it writes a line with that text. "
    "`tcp://HOST:PORT`, `unix:///PATH`: it accepts connections there. `http://…`, `https://…`: "
    "it answers with a status from 200 to 399. `exec:COMMAND`: the command ends with 0. "
    "`$(circus.wid)` and `$(circus.pid)` are replaced. Without a check, a process is ready when "
    "it has lived `min_uptime`.",
    "ready": "The checks of `ready.*` together, as a mapping of names to checks.",
    "ready_timeout": "Seconds that a new process has to become ready.",
    "ready_interval": "Seconds between two runs of a check of `ready`.",
    "live.*": "A check that a process must keep passing once it is ready: like `ready.*`, but "
    "neither `fd` nor `log`; `notify` expects WATCHDOG=1.",
    "live": "The checks of `live.*` together.",
    "live_interval": "Seconds between two runs of a check of `live`.",
    "live_timeout": "Seconds that one run of a check of `live` may take.",
    "live_failures": "How many runs in a row must fail before the process counts as not alive.",
    "live_action": "What happens then: `restart` replaces the process, `report` only says so.",
    "depends_on": "Watchers that must be there before this one starts: `db, migrate:succeeded`. "
    "Conditions are `started`, `ready`, `completed` and `succeeded`; without one, `succeeded` of "
    "a watcher with `respawn = False`, `ready` of others. It wins over `priority`.",
    "part_of": "Watchers that this one belongs to: it depends on them, stops and restarts when an "
    "order stops or restarts them, and starts again when they are back.",
    "rollout": "How a reload replaces processes. `surge`: the new one first; the old one stops "
    "when the new one is ready. `recreate`: the old one first, one place at a time. `auto`: "
    "`surge`, and once more by `recreate` if the new process exits before it is ready and could "
    "not run beside the old one (no `use_sockets` and no `ready.*`). `recreate` from the start if "
    "the old process would answer all `ready.*` for the new one.",
    "max_surge": "How many processes may run beside the old ones in a rollout: a number or a "
    "share such as `25%`. Without it, all.",
    "max_unavailable": "How many places may be without a ready process in a rollout: a number or "
    "a share. Without it, none.",
    "stop_signal": "The signal that asks a process to stop: a number or a name.",
    "stop_children": "Whether the children of a process get the stop signal with it.",
    "graceful_timeout": "Seconds that a process has to stop before it gets SIGKILL. Where the "
    "daemon is process 1, as in a container, the default is 8: containers are killed after 10.",
    "leftover_timeout": "Seconds between SIGTERM and SIGKILL for what a dead process left in its "
    "process group, `graceful_timeout` at most. What is still there 5 s after SIGKILL is "
    "reported as a stray, and the next process starts.",
    "strays": "What happens to processes that a process of the watcher started in another session "
    "and left behind: `report` names them in the answer of `stop`, in the status and in the "
    "log; `kill` ends them; `ignore` does neither.",
    "memory_limit": "How much memory all processes of the watcher together may use, with what "
    "they started. Beyond that the kernel ends one of them, and `why` says so. It takes effect at "
    "once, as do the next two, and all three need `cgroup` in `[circus]`.",
    "cpu_limit": "How many processors they may keep busy together.",
    "pids_limit": "How many processes and threads there may be of them together; beyond that none "
    "can be started.",
    "die_with_daemon": "Whether its processes get SIGKILL when the daemon dies, however that "
    "happens. Not in a program that embeds an arbiter.",
    "send_hup": "Whether a reload sends SIGHUP to the processes instead of replacing them.",
    "log_history": "How many bytes of each output of the processes are kept in memory for "
    "`cvec_circusctl logs`, the last ones. Not given: the `log_history` of `[circus]`; without "
    "that, 65536 of an output that has a stream, nothing of others. Given, outputs without a "
    "stream are kept too, and passed on to the daemon's own standard output and error; of a "
    "process that runs already, only if its output was kept or had a stream at its start. 0 keeps "
    "nothing.",
    "close_child_stdin": "Whether standard input is /dev/null instead of the daemon's.",
    "close_child_stdout": "Whether standard output goes to /dev/null; wins over `stdout_stream`.",
    "close_child_stderr": "Whether standard error goes to /dev/null; wins over `stderr_stream`.",
    "use_sockets": "Whether the processes inherit the daemon's sockets that their command refers "
    "to.",
    "listen_fds": "Whether the sockets that `use_sockets` gives are passed in systemd's way, too: "
    "at the numbers 3, 4 and so on, with `LISTEN_FDS`, `LISTEN_FDNAMES` and `LISTEN_PID`. Each "
    "process then starts about 15 ms later. Servers that support this, such as gunicorn, then "
    "listen on nothing else.",
    "stdin_socket": "The name of a socket of the daemon that the processes get as their standard "
    "input, as inetd does. It wins over `close_child_stdin`.",
    "hooks": "What to call at certain moments in the life of the watcher and its processes, by "
    "the name of the moment. In a file each hook is a key of its own, `hooks.before_start = "
    "myproject.hooks.check`.",
    "hooks.*": "One hook: the dotted name of a function, with `,True` behind it if a failure is "
    "to be ignored; or `exec:COMMAND`, a program. An empty value removes the hook.",
    "hook_timeout": "Seconds after which a hook has failed. Without it there is a warning every "
    "60 s.",
}

STREAM = {  # by the part: `class` for `stdout_stream.class`
    "": "Where the processes' {channel} goes; without it, where the daemon's own goes. In a file "
    "each part is a key of its own, `{stream}.filename = ...`. Parts that the class does not know "
    "are ignored.",
    "class": "What writes the output: FileStream, a file; WatchedFileStream, a file that "
    "something else rotates, followed at once; TimedRotatingFileStream, a file for each hour, "
    "day or week; StdoutStream, the daemon's own standard output; FancyStdoutStream, the same "
    "in colour, with times; SyslogStream, a syslog; package.module.Class, a custom class, which "
    "is called on a thread of its own.",
    "filename": "The file, which is appended to. A FileStream needs one. A relative path begins "
    "in the folder that the daemon was started in, not in `working_dir`. Of a symbolic link, the "
    "file that it leads to is rotated, in its own folder; what is not a file, or one that the "
    "daemon has open already (`/dev/stdout`), never is.",
    "max_bytes": "The size in bytes that a FileStream does not pass; 0 for no limit. Takes effect "
    "together with `backup_count`.",
    "backup_count": "How many full files are kept, as FILE.1, FILE.2 and so on. With 0 the file "
    "is not rotated, so nothing is ever discarded.",
    "time_format": "A strftime format. With it each line begins `<time> [<pid>] | `.",
    "compress": "Whether rotated files are compressed by gzip, after a moment: FILE.1.gz.",
    "json": "Whether each line that goes to a file becomes a JSON object with `time`, `watcher`, "
    "`stream` (stdout or stderr), `pid` and `text`. The time is in seconds since 1970, or as "
    "`time_format` says.",
    "rotate_when": "When a TimedRotatingFileStream begins a new file: after so many seconds (S), "
    "minutes (M), hours (H) or days (D), at midnight, or at the midnight that begins a Monday "
    "(W0) to Sunday (W6). It must be given. The old file gets the time as FILE.YYYYMMDDHHMMSS, "
    "without the parts that are not needed.",
    "rotate_interval": "How many of these units a file lasts.",
    "utc": "Whether days begin, and files are named, in UTC.",
    "color": "The colour of a FancyStdoutStream: red, green, yellow, blue, magenta, cyan or "
    "white; anything else is one of these by chance.",
    "address": "Where a SyslogStream finds its syslog: the path of a socket, `HOST` or "
    "`HOST:PORT`.",
    "facility": "The syslog facility of a SyslogStream.",
    "level": "The syslog severity of a SyslogStream.",
    "ident": "The name before the pid in the messages of a SyslogStream; without it, the "
    "watcher's name.",
    "stream": "A stream that a program has made, such as a QueueStream, instead of a class.",
    "*": "An argument of a custom class, as it is given.",
}

SOCKET = {
    "host": "The address or host name to listen on; nothing for every address.",
    "port": "The port to listen on; 0 for any free one.",
    "family": "The kind of address. AF_UNIX needs a `path`.",
    "type": "The kind of connection. Only SOCK_STREAM and SOCK_SEQPACKET listen.",
    "backlog": "How many connections may wait to be accepted.",
    "blocking": "Whether an accept waits. Of several processes that one connection wakes, all but "
    "one would then block in it.",
    "path": "The path of a unix socket; `family` is ignored then. The path must be free; it is "
    "removed when the daemon ends, unless another file has replaced it.",
    "umask": "The mask, in octal, of the mode that `path` has: 177 for one that only its owner "
    "can connect to. With the default all users can, as with Circus.",
    "owner": "The user, by name or number, who owns `path`; the daemon's own without it.",
    "replace": "Whether a socket that exists at `path` is removed first, if no process serves it "
    "any more. One that is served is refused, and the error names its processes; other files are "
    "never removed.",
    "interface": "The only network device, such as `eth0`, over which it can be reached.",
    "proto": "The protocol, by name (`tcp`, `udp`, `mptcp`, ...) or number; 0 for the usual one "
    "of the type.",
    "so_reuseport": "Whether every process gets a socket of its own on the same port, and the "
    "kernel distributes the connections. Connections that wait on the socket of a process that "
    "ends are lost.",
}

PLUGIN = {
    "use": "The full name of the plugin's class, such as `myproject.plugins.Logger`, or the short "
    "name of one that is installed, such as `flapping`. Mandatory.",
    "active": "Whether the plugin runs at all.",
}

TABLES = {
    "daemon-option": DAEMON,
    "watcher-option": WATCHER,
    "socket-option": SOCKET,
    "plugin-option": {**WATCHER, **PLUGIN},
}
CHANNELS = {"stdout_stream": "standard output", "stderr_stream": "standard error"}


def text_of(object_type: str, name: str) -> str:
    """Return what an option does.

    Args:
        object_type: What Sphinx calls it: see `reference_tables.OBJECT_TYPES`.
        name: Its name.
    """
    stream, _, part = name.partition(".")
    if stream not in CHANNELS:
        return TABLES[object_type][name]
    return STREAM[part] if part else STREAM[""].format(stream=stream, channel=CHANNELS[stream])
