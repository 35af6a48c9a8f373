"""The options of the daemon: the `[circus]` section."""

from __future__ import annotations

from cvec_circus.exc import OptionError
from cvec_circus.options.stream import HISTORY, MOST_HISTORY
from cvec_circus.options.table import Option, OptionTable

CHECK_DELAY_IN_FILES = 5.0
"""A file without `check_delay` has this one; `Arbiter` and `get_arbiter` have the table's."""

PROC_NAME = "cvec_circusd"

_WEB = "there is no web console here; the daemon runs without it"
_GONE = "nothing here needs it; leave it out"
_LEVELS = ("debug", "info", "warning", "error", "critical")

ARBITER_OPTIONS = OptionTable(
    [
        Option("endpoint", "endpoint", "tcp://127.0.0.1:5555"),
        Option("allow_remote", "boolean", False),
        Option("endpoint_mode", "umask", 0o600),
        Option("endpoint_owner", "account", None),
        Option("pubsub_endpoint", "endpoint", "tcp://127.0.0.1:5556"),
        Option("stats_endpoint", "endpoint", "tcp://127.0.0.1:5557"),
        Option("statsd", "boolean", False),
        Option("check_delay", "seconds", 1.0, low=-1),
        Option("warmup_delay", "number", 0, low=0),
        Option("priority_timeout", "seconds", 60.0, low=0),
        Option("shutdown_timeout", "seconds", None, low=0),
        Option("max_processes", "integer", 10_000, low=1),
        Option("cgroup", "cgroup", "off"),
        Option("event_history", "integer", 10_000, low=0, high=1_000_000),
        Option(HISTORY, "size", None, low=0, high=MOST_HISTORY),
        Option("umask", "umask", None),
        Option("pidfile", "text", None),
        Option("schedule_file", "text", None),
        Option("name", "state_name", None),
        Option("state_dir", "text", None),
        Option("adopt", "adoption", True),
        Option("loglevel", "choice", "info", choices=_LEVELS),
        Option("logoutput", "log", "-"),
        Option("include", "text", ""),
        Option("include_dir", "text", ""),
        Option("fqdn_prefix", "text", None),
        Option("loggerconfig", "logging", None),
        Option("debug", "boolean", False),
        Option("debug_gc", "boolean", False),
        Option("proc_name", "text", PROC_NAME),
        Option("httpd", "boolean", False, warning=_WEB),
        Option("httpd_host", "text", "localhost"),
        Option("httpd_port", "integer", 8080),
        Option("httpd_close_outputs", "boolean", False),
        Option("statsd_close_outputs", "boolean", False),
        Option("multicast_endpoint", "text", None, warning=_GONE),
        Option("stream_backend", "text", None, warning=_GONE),
        Option("check_flapping", "text", None, warning=_GONE),
        Option("refresh_time", "text", None, warning=_GONE),
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
