"""What each option does, for the pages of reference."""

from __future__ import annotations

DAEMON = {
    "endpoint": "The address where the daemon takes commands. Any client that can connect can "
    "run programs, so an address that is neither `ipc://PATH` nor on 127.0.0.1 is refused "
    "without `allow_remote`.",
    "allow_remote": "Whether other machines may reach `endpoint`. It has neither encryption "
    "nor authentication: prefer `ssh -L`.",
    "endpoint_mode": "The mode, in octal, of the files of ipc endpoints: who may connect.",
    "endpoint_owner": "The user, by name or number, who owns the files of ipc endpoints. "
    "Watchers added through the endpoint must then have that `uid`, no `gid` of a group that "
    "the user is not in, and nothing that runs inside the daemon (hooks, custom stream "
    "classes, output files). Which programs run, and how, cannot be set.",
    "pubsub_endpoint": "The address where the daemon publishes events.",
    "stats_endpoint": "The address where statistics are published. Setting it implies `statsd`.",
    "statsd": "Whether to publish the resource usage of every process each second.",
    "check_delay": "Passed to plugins. It has no other effect, because deaths are noticed at "
    "once. In a file the default is 5.",
    "warmup_delay": "Seconds between the starts of two watchers of the same priority.",
    "priority_timeout": "Seconds without progress after which watchers of a lower priority no "
    "longer wait for those of a higher one.",
    "shutdown_timeout": "Seconds after which plugins are stopped even if other watchers have "
    "not stopped. The default is the longest `graceful_timeout` plus 5 s.",
    "max_processes": "The largest `numprocesses` allowed for a watcher, so that a typing error "
    "cannot bring the machine down.",
    "cgroup": "Whether each watcher has its own cgroup (version 2), and where. `auto` creates "
    "them below the daemon's cgroup, which needs `Delegate=yes` in its unit, or root. A path "
    "names another cgroup, such as `/sys/fs/cgroup/workers`, which is created if needed. "
    "`memory_limit`, `cpu_limit` and `pids_limit` need cgroups.",
    "event_history": "How many past events the daemon keeps.",
    "log_history": "The default `log_history` of all watchers except plugins. 0 keeps nothing; "
    "if not set, 65536 bytes are kept of each output that has a stream.",
    "umask": "The file mode mask of the daemon and its processes, in octal.",
    "pidfile": "The file that contains the daemon's pid while it runs.",
    "schedule_file": "The file where the daemon records the next run of each job with a "
    "`schedule`, so that it can report at its next start which runs were missed.",
    "name": "The daemon's name in the path of its `state_dir`. By default it is derived from "
    "the path of the configuration file; daemons that share a file need different names.",
    "state_dir": "The folder for the daemon's lock and for the state that the next daemon "
    "needs after a crash. The default is `/run/cvec_circus/NAME` for root, else "
    "`$XDG_STATE_HOME/cvec_circus/NAME`. It must not be writable by others. An orderly stop "
    "removes it.",
    "adopt": "What happens to the processes of a daemon that was killed: `True` adopts them, "
    "`stop` stops them and then starts them anew, `False` leaves them alone and starts others "
    "beside them.",
    "loglevel": "The lowest level of messages in the daemon's log.",
    "logoutput": "The daemon's log: a file, which may be moved at any time; `-` for standard "
    "error; `syslog://HOST[:PORT]?FACILITY` or `syslog:///dev/log?FACILITY` (the default "
    "facility is `user`).",
    "include": "More files to read, separated by blanks: paths or patterns (`*.ini`), relative "
    "to the main file. Files that end in `.toml` are read as TOML. The main file takes "
    "precedence.",
    "include_dir": "Folders whose `*.ini` files are read, as with `include`.",
    "fqdn_prefix": "A prefix for the daemon's name.",
    "loggerconfig": "A configuration for Python's `logging`: a file that ends in `.ini`, "
    "`.json` or `.yaml` (with PyYAML installed), or a mapping when embedding. The logger is "
    "`cvec_circus`. It overrides `loglevel` and `logoutput`.",
    "debug": "Whether to log at level debug, unless the command line sets a level.",
    "debug_gc": "Whether the daemon logs each of its garbage collections: large ones as info, "
    "small ones as debug.",
    "proc_name": "The name of the daemon in `ps -o comm`, `top` and `pgrep`, truncated to 15 "
    "bytes. A name other than the default also replaces the command line in `ps` if "
    "setproctitle is installed.",
    "httpd_host": "Where the web console listens.",
    "httpd_port": "Where the web console listens.",
    "httpd_close_outputs": "Silences the web console.",
    "statsd_close_outputs": "Whether to discard the standard output and error of the "
    "statistics process.",
}

WATCHER = {
    "extends": "Another watcher from which this one inherits the options that it does not set "
    "itself: see :ref:`extends`.",
    "env_file": "Files of variables in dotenv format, separated by commas: see :ref:`env_files`.",
    "cmd": "The program to run, with its arguments. `$(circus.wid)`, `$(circus.env.NAME)`, "
    "`$(circus.sockets.NAME)` and `$(circus.OPTION)` are replaced. Mandatory.",
    "args": "More arguments: text, split as in a shell, or a list of words. The same names are "
    "replaced as in `cmd`.",
    "shell": "Whether to run the command with `/bin/sh -c`. Its words are quoted for the "
    "shell, as in Circus, so `|`, `;` and `$HOME` have no special meaning; to use them, write "
    "`cmd = sh -c '...'` without `shell`.",
    "shell_args": "Arguments for the shell after the command: `$0`, `$1` and so on. Only with "
    "`shell`. The same names are replaced as in `cmd`.",
    "executable": "The program file to run instead of the first word of `cmd`, which stays the "
    "program's `argv[0]`. With `shell`, the shell to use.",
    "working_dir": "The working directory of the processes; by default, the one that the "
    "daemon was started in.",
    "env": "Environment variables of the processes. In a file, use `[env]` and `[env:NAME]` "
    "sections.",
    "copy_env": "Whether the processes also get the daemon's environment; `env` overrides it.",
    "copy_path": "Whether the processes get the daemon's Python path as PYTHONPATH; one in "
    "`env` overrides it. Only with `copy_env`.",
    "virtualenv": "The folder of a Python virtual environment: its programs come first in "
    "PATH, and its packages are in PYTHONPATH. Only with `copy_env`. A relative path is "
    "resolved in the folder that the daemon was started in.",
    "virtualenv_py_ver": "The Python version of `virtualenv`, such as `3.11`; by default, the "
    "daemon's own.",
    "uid": "The user that the processes run as, with all of its groups. Only a daemon that "
    "runs as root can set it. The files of a stream still belong to the daemon's user. HOME "
    "and USER are set only by `env`. A number need not be in passwd, as in a container; then "
    "`gid` is required too, and is the only group.",
    "gid": "The group that the processes run as; by default, the primary group of `uid`. A "
    "number need not have a name.",
    "umask": "The file mode mask of the processes, such as `027`; by default, the daemon's.",
    "rlimit_*": "A resource limit, soft and hard, such as `rlimit_nofile` (open files), "
    "`rlimit_core` or `rlimit_as`: see setrlimit(2) for names and units. Empty or -1 means "
    "unlimited. A limit makes each start about 15 ms slower, because a separate Python sets "
    "it. If it cannot be set, the start fails.",
    "oom_score_adj": "How soon the kernel kills the processes when memory runs out: from -1000, "
    "never, to 1000, first. By default as the daemon. Only root may go below the daemon's own. It "
    "makes each start about 15 ms slower, as with `rlimit_*`.",
    "numprocesses": "How many processes to keep running.",
    "singleton": "Whether to allow at most one process: `incr` and `numprocesses` above 1 are "
    "refused, and a reload stops the old process before it starts the new one.",
    "autostart": "Whether the watcher starts with the daemon.",
    "priority": "The start order: watchers with a higher number start first, equal ones "
    "together, by name.",
    "warmup_delay": "Seconds between the starts of two processes of this watcher.",
    "respawn": "Whether to replace a process that ended.",
    "max_retry": "How many starts in a row may fail before the watcher gives up; -1 for no limit.",
    "max_age": "Seconds after which a process is replaced; 0 for never.",
    "max_age_variance": "The maximum of the random seconds added to `max_age` for each "
    "process, so that not all are replaced at once.",
    "min_uptime": "Seconds that a process must live to be replaced without backoff.",
    "respawn_delay": "Seconds to wait before a process that lived long enough is replaced.",
    "backoff": "Whether processes that die early are replaced after growing waits (0, 50, 100 "
    "ms ...).",
    "backoff_max": "The longest of these waits, in seconds.",
    "backoff_reset": "Seconds that a process must live to reset these waits.",
    "on_demand": "Whether the processes start only when a client connects to one of their "
    "sockets. One that ends is not replaced; when all have ended, the next connection starts "
    "them again. Needs `use_sockets` or `stdin_socket`.",
    "schedule": "When the processes run, in cron syntax: `0 3 * * MON-FRI`. They do their work "
    "and exit; the watcher waits between runs, and `start` runs it at once. See :doc:`jobs`.",
    "overlap": "What happens when a run is due before the last one has ended: `skip` it, "
    "`queue` it (one at most), or `replace` the old run.",
    "essential": "Whether the daemon ends with this watcher: when its last process has ended "
    "and is not replaced (`respawn = False`), or it has given up, everything stops, and the "
    "daemon exits with that process' code: 0 to 255, 128 plus the number for a signal, 1 if "
    "none could be started. An order to stop it does not count. If its section is invalid, the "
    "daemon does not start.",
    "ready.*": "A check that a new process must pass to count as ready; `*` is a name of your "
    "choice, and all checks must hold. `notify`: it sends READY=1 as with sd_notify(3). "
    "`fd:N`: it writes a line to that descriptor. `log:TEXT`: it writes a line containing "
    "TEXT. `tcp://HOST:PORT`, `unix:///PATH`: it accepts connections there. `http://…`, "
    "`https://…`: it answers with a status from 200 to 399. `exec:COMMAND`: the command exits "
    "with 0. `$(circus.wid)` and `$(circus.pid)` are replaced. Without a check, a process is "
    "ready after `min_uptime`.",
    "ready": "All `ready.*` checks, as a mapping of names to checks.",
    "ready_timeout": "Seconds that a new process has to become ready.",
    "ready_interval": "Seconds between two runs of a `ready` check.",
    "live.*": "A check that a process must keep passing once it is ready: like `ready.*`, but "
    "without `fd` and `log`; `notify` expects WATCHDOG=1.",
    "live": "All `live.*` checks, as a mapping of names to checks.",
    "live_interval": "Seconds between two runs of a `live` check.",
    "live_timeout": "Seconds that one run of a `live` check may take.",
    "live_failures": "How many runs in a row must fail before the process counts as not alive.",
    "live_action": "What to do when a process is not alive: `restart` replaces it, `report` "
    "only reports it.",
    "depends_on": "Watchers that this one waits for before it starts: `db, migrate:succeeded`. "
    "Conditions are `started`, `ready`, `completed` and `succeeded`; the default is "
    "`succeeded` for a watcher with `respawn = False`, otherwise `ready`. It overrides "
    "`priority`.",
    "part_of": "Watchers that this one belongs to: it depends on them, stops and restarts when an "
    "order stops or restarts them, and starts again when they are back.",
    "rollout": "How a reload replaces processes. `surge`: the new one starts first, and the "
    "old one stops when the new one is ready. `recreate`: the old one stops first, one place "
    "at a time. `auto`: `surge`, then once more by `recreate` if the new process exits before "
    "it is ready and could not run beside the old one (no `use_sockets` and no `ready.*`). It "
    "begins with `recreate` if the old process would answer all `ready.*` checks for the new "
    "one.",
    "max_surge": "How many new processes may run beside the old ones in a rollout: a number or "
    "a share such as `25%`. The default is all.",
    "max_unavailable": "How many places may be without a ready process in a rollout: a number "
    "or a share. The default is none.",
    "stop_signal": "The signal that asks a process to stop: a number or a name.",
    "stop_children": "Whether the stop signal is also sent to all descendants of a process.",
    "graceful_timeout": "Seconds that a process has to stop before it gets SIGKILL. If the "
    "daemon is process 1, as in a container, the default is 8: containers are killed after 10.",
    "leftover_timeout": "Seconds between SIGTERM and SIGKILL for what a dead process left in "
    "its process group, at most `graceful_timeout`. A leftover that is still there 5 s after "
    "SIGKILL is reported as a stray, and the next process starts.",
    "strays": "What happens to processes that a process of the watcher started in another "
    "session and left behind: `report` names them in the answer to `stop`, in the status and "
    "in the log; `kill` kills them; `ignore` does neither.",
    "memory_limit": "How much memory all processes of the watcher and their descendants may "
    "use together. Beyond that the kernel kills one of them, and `why` says so. This and the "
    "next two options take effect at once, and need `cgroup` in `[circus]`.",
    "cpu_limit": "How many processors they may use together.",
    "pids_limit": "How many processes and threads they may have together; beyond that none can "
    "be started.",
    "die_with_daemon": "Whether the processes get SIGKILL when the daemon dies in any way. Not "
    "available in a program that embeds an arbiter.",
    "send_hup": "Whether a reload sends SIGHUP to the processes instead of replacing them.",
    "log_history": "How many bytes of recent output are kept in memory for `cvec_circusctl "
    "logs`, for each output of the processes. The default is the `log_history` of `[circus]`; "
    "without that, 65536 for an output that has a stream, and nothing for others. If set, "
    "outputs without a stream are kept too, and passed on to the daemon's own standard output "
    "and error; for a process that already runs, only if its output was kept or had a stream "
    "at its start. 0 keeps nothing.",
    "close_child_stdin": "Whether standard input is /dev/null instead of the daemon's.",
    "close_child_stdout": "Whether standard output goes to /dev/null; overrides `stdout_stream`.",
    "close_child_stderr": "Whether standard error goes to /dev/null; overrides `stderr_stream`.",
    "use_sockets": "Whether the processes inherit the daemon's sockets that their command refers "
    "to.",
    "listen_fds": "Whether the sockets of `use_sockets` are also passed in systemd's way: as "
    "descriptors 3, 4 and so on, with `LISTEN_FDS`, `LISTEN_FDNAMES` and `LISTEN_PID`. Each "
    "start takes about 15 ms longer. Servers that support this, such as gunicorn, then listen "
    "on nothing else.",
    "stdin_socket": "The name of a daemon socket that the processes get as standard input, as "
    "with inetd. It overrides `close_child_stdin`.",
    "hooks": "Functions or programs to call at certain moments in the life of the watcher and "
    "its processes, by the name of the moment. In a file each hook is a key of its own, "
    "`hooks.before_start = myproject.hooks.check`.",
    "hooks.*": "One hook: the dotted name of a function, followed by `,True` to ignore its "
    "failure; or `exec:COMMAND`, a program. An empty value removes the hook.",
    "hook_timeout": "Seconds after which a hook counts as failed. Without it, a warning is "
    "logged every 60 s.",
}

STREAM = {  # by the part: `class` for `stdout_stream.class`
    "": "The destination of the processes' {channel}; by default, the daemon's own. In a file "
    "each part is a key of its own, `{stream}.filename = ...`. Parts that the class does not "
    "know are ignored.",
    "class": "The class that writes the output: FileStream, a file; WatchedFileStream, a file "
    "that another program rotates, reopened at once; TimedRotatingFileStream, a file for each "
    "hour, day or week; StdoutStream, the daemon's own standard output; FancyStdoutStream, the "
    "same in colour, with times; SyslogStream, a syslog; package.module.Class, a custom class, "
    "which is called on its own thread.",
    "filename": "The file to append to. A FileStream needs one. A relative path is resolved in "
    "the folder that the daemon was started in, not in `working_dir`. For a symbolic link, its "
    "target is rotated, in the target's folder; anything that is not a regular file, or that "
    "the daemon already has open (`/dev/stdout`), is never rotated.",
    "max_bytes": "The size in bytes at which a FileStream rotates; 0 for no limit. Only with "
    "`backup_count`.",
    "backup_count": "How many full files are kept, as FILE.1, FILE.2 and so on. With 0 the file "
    "is not rotated, so nothing is ever discarded.",
    "time_format": "A strftime format. If set, each line begins with `<time> [<pid>] | `.",
    "compress": "Whether rotated files are compressed with gzip, after a moment: FILE.1.gz.",
    "json": "Whether each line written to a file becomes a JSON object with `time`, `watcher`, "
    "`stream` (stdout or stderr), `pid` and `text`. The time is in seconds since 1970, or in "
    "the form of `time_format`.",
    "rotate_when": "When a TimedRotatingFileStream begins a new file: after a number of "
    "seconds (S), minutes (M), hours (H) or days (D), at midnight, or at the midnight that "
    "begins a Monday (W0) to Sunday (W6). Mandatory. The old file is renamed to "
    "FILE.YYYYMMDDHHMMSS, without the parts that are not needed.",
    "rotate_interval": "How many of these units each file covers.",
    "utc": "Whether days begin, and files are named, in UTC.",
    "color": "The colour of a FancyStdoutStream: red, green, yellow, blue, magenta, cyan or "
    "white; any other value picks one at random.",
    "address": "The address of the syslog: the path of a socket, `HOST` or `HOST:PORT`.",
    "facility": "The syslog facility of a SyslogStream.",
    "level": "The syslog severity of a SyslogStream.",
    "ident": "The name before the pid in the messages of a SyslogStream; by default, the "
    "watcher's name.",
    "stream": "A stream object that a program provides, such as a QueueStream, instead of a class.",
    "*": "An argument of a custom class, passed as written.",
}

SOCKET = {
    "host": "The address or host name to listen on; empty for every address.",
    "port": "The port to listen on; 0 for any free one.",
    "family": "The kind of address. AF_UNIX needs a `path`.",
    "type": "The kind of connection. Only SOCK_STREAM and SOCK_SEQPACKET listen.",
    "backlog": "How many connections may wait to be accepted.",
    "blocking": "Whether `accept` blocks. If one connection wakes several processes, all but "
    "one of them then block in it.",
    "path": "The path of a unix socket; `family` is then ignored. The path must be free; it is "
    "removed when the daemon ends, unless another file has replaced it.",
    "umask": "The mask, in octal, for the mode of `path`: 177 lets only its owner connect. "
    "With the default all users can connect, as with Circus.",
    "owner": "The user, by name or number, who owns `path`; by default, the daemon's own.",
    "replace": "Whether an existing socket at `path` is removed first, if no process serves it "
    "any longer. One that is served is refused, and the error names its processes; other files "
    "are never removed.",
    "interface": "The only network interface, such as `eth0`, on which it can be reached.",
    "proto": "The protocol, by name (`tcp`, `udp`, `mptcp`, ...) or number; 0 for the type's "
    "default.",
    "so_reuseport": "Whether every process gets its own socket on the same port, so that the "
    "kernel distributes the connections. When a process ends, the connections queued on its "
    "socket are lost.",
}

PLUGIN = {
    "use": "The full name of the plugin's class, such as `myproject.plugins.Logger`, or the "
    "short name of an installed one, such as `flapping`. Mandatory.",
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
