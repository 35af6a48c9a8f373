"""The options of the daemon: the `[circus]` section."""

from __future__ import annotations

from typing import Any

from cvec_circus.exc import OptionError
from cvec_circus.options.option import Option
from cvec_circus.options.table import OptionTable

CHECK_DELAY_IN_FILES = 5.0
"""A file without `check_delay` has this one; `Arbiter` and `get_arbiter` have the table's."""

PROC_NAME = "cvec_circusd"

_WEB = "there is no web console here; the daemon runs without it"
_GONE = "nothing here needs it; leave it out"


def _row(name: str, kind: str, default: Any, doc: str, **rest: Any) -> Option:
    return Option(name, kind, default, doc, live=False, **rest)


ARBITER_OPTIONS = OptionTable(
    [
        _row(
            "endpoint",
            "endpoint",
            "tcp://127.0.0.1:5555",
            "Where the daemon takes commands. Whoever can connect can run programs, so one that "
            "is neither `ipc://PATH` nor on 127.0.0.1 is refused without `allow_remote`.",
        ),
        _row(
            "allow_remote",
            "boolean",
            False,
            "Whether `endpoint` may be one that other machines can reach. It is not encrypted and "
            "knows no passwords: `ssh -L` is the better way.",
        ),
        _row(
            "endpoint_mode",
            "umask",
            0o600,
            "The mode, in octal, of the files of ipc endpoints: who may connect.",
        ),
        _row(
            "endpoint_owner",
            "account",
            None,
            "The user, by name or number, who owns the files of ipc endpoints. Watchers that are "
            "added through the endpoint must then have that `uid`, no `gid` of a group that the "
            "user is not in, and nothing that happens inside the daemon (hooks, stream classes of "
            "one's own, files for output). What programs are run, and how, cannot be set.",
        ),
        _row(
            "pubsub_endpoint",
            "endpoint",
            "tcp://127.0.0.1:5556",
            "Where the daemon publishes events.",
        ),
        _row(
            "stats_endpoint",
            "endpoint",
            "tcp://127.0.0.1:5557",
            "Where statistics are published. Given, it implies `statsd`.",
        ),
        _row(
            "statsd",
            "boolean",
            False,
            "Whether to publish statistics: every second, what every process uses.",
        ),
        _row(
            "check_delay",
            "seconds",
            1.0,
            "Handed to plugins. It drives nothing else: deaths are seen when they happen. In a "
            "file the default is 5.",
            low=0,
        ),
        _row(
            "warmup_delay",
            "number",
            0,
            "Seconds between the starts of two watchers of the same priority.",
            low=0,
        ),
        _row(
            "priority_timeout",
            "seconds",
            60.0,
            "Seconds without movement after which watchers of a lower priority no longer wait for "
            "those of a higher one.",
            low=0,
        ),
        _row(
            "shutdown_timeout",
            "seconds",
            None,
            "Seconds after which the plugins are asked to stop though other watchers have not "
            "stopped. Without it, the longest `graceful_timeout` and 5 s.",
            low=0,
        ),
        _row(
            "max_processes",
            "integer",
            10_000,
            "How many processes a watcher may have at most: a slip in `numprocesses` must not "
            "bring the machine down.",
            low=1,
        ),
        _row(
            "event_history",
            "integer",
            10_000,
            "How many past events the daemon keeps for those who ask later.",
            low=0,
            high=1_000_000,
        ),
        _row(
            "umask",
            "umask",
            None,
            "The file mode mask of the daemon and its processes, in octal.",
        ),
        _row("pidfile", "text", None, "The file that holds the daemon's pid while it runs."),
        _row(
            "loglevel",
            "choice",
            "info",
            "From which level on the daemon's log has a line.",
            choices=("debug", "info", "warning", "error", "critical"),
        ),
        _row(
            "logoutput",
            "text",
            "-",
            "The daemon's log: a file, which may be moved away any time; `-` for standard error; "
            "`syslog://HOST[:PORT]?FACILITY` or `syslog:///dev/log?FACILITY` (`user` without one).",
        ),
        _row(
            "include",
            "text",
            "",
            "More files to read, separated by blanks: paths or patterns (`*.ini`), relative to "
            "the main file. What the main file says comes first.",
        ),
        _row(
            "include_dir",
            "text",
            "",
            "Folders whose `*.ini` files are read, as with `include`.",
        ),
        _row("fqdn_prefix", "text", None, "What the daemon's name begins with."),
        _row(
            "loggerconfig",
            "logging",
            None,
            "A configuration of Python's `logging`: a file that ends in `.ini`, `.json` or `.yaml` "
            "(with PyYAML installed); a mapping when embedding. The logger is `cvec_circus`. "
            "`loglevel` and `logoutput` say nothing then.",
        ),
        _row(
            "debug",
            "boolean",
            False,
            "Log from level debug on, unless the command line names a level.",
        ),
        _row(
            "debug_gc",
            "boolean",
            False,
            "Whether the daemon logs each of its garbage collections: large ones as info, small "
            "ones as debug.",
        ),
        _row(
            "proc_name",
            "text",
            PROC_NAME,
            "What the daemon is called in `ps -o comm`, `top` and `pgrep`, up to 15 bytes of it. "
            "Another one than the default replaces the command line in `ps`, too, where "
            "setproctitle is installed.",
        ),
        _row("papa_endpoint", "text", None, "The papa kernel's address.", available=False),
        _row("httpd", "boolean", False, "Circus' web console.", warning=_WEB),
        _row("httpd_host", "text", "localhost", "Where the web console listens."),
        _row("httpd_port", "text", "8080", "Where the web console listens."),
        _row("httpd_close_outputs", "boolean", False, "Silences the web console."),
        _row(
            "statsd_close_outputs",
            "boolean",
            False,
            "Whether what the statistics process writes to its "
            "standard output and error goes nowhere.",
        ),
        _row("multicast_endpoint", "text", None, "Discovery by multicast.", warning=_GONE),
        _row("stream_backend", "text", None, "How Circus read streams.", warning=_GONE),
        _row("check_flapping", "text", None, "Circus' old flapping detection.", warning=_GONE),
        _row("refresh_time", "text", None, "An old name of check_delay.", warning=_GONE),
    ]
)
"""Everything that can be configured of the daemon."""


def check_size(numprocesses: int, most: int) -> None:
    """Refuse more processes than a watcher may have.

    Args:
        numprocesses: What is wanted.
        most: The daemon's `max_processes`.

    Raises:
        OptionError: With a sentence that names the limit.
    """
    if numprocesses > most:
        reason = (
            f"{numprocesses} is more than max_processes allows ({most}); "
            "raise [circus] max_processes"
        )
        raise OptionError("numprocesses", reason)
