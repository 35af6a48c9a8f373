"""The options that say how many processes a watcher keeps running, from when on, and how."""

from __future__ import annotations

from cvec_circus.options.option import Option

KEEPING = [
    Option("numprocesses", "integer", 1, "How many processes to keep running.", low=0),
    Option(
        "singleton",
        "boolean",
        False,
        "Never more than one process: `incr` and `numprocesses` above 1 are refused, and a reload "
        "stops the old process before it starts the new one.",
    ),
    Option("autostart", "boolean", True, "Whether the watcher starts with the daemon."),
    Option(
        "priority",
        "integer",
        0,
        "Watchers with a higher number start first. Equal ones start together, by name.",
    ),
    Option(
        "warmup_delay",
        "number",
        0,
        "Seconds between the starts of two processes of this watcher.",
        low=0,
    ),
    Option("respawn", "boolean", True, "Whether a process that ended is replaced."),
    Option(
        "max_retry",
        "integer",
        5,
        "How many starts in a row may fail before the watcher gives up; -1 for never.",
        low=-1,
    ),
    Option(
        "max_age",
        "number",
        0,
        "Seconds after which a process is replaced by a fresh one; 0 for never.",
        low=0,
    ),
    Option(
        "max_age_variance",
        "number",
        30,
        "Up to so many seconds, drawn anew for each process, are added to `max_age`, so that not "
        "all are replaced at once.",
        low=0,
    ),
    Option(
        "min_uptime",
        "seconds",
        1.0,
        "A process that lived so many seconds is replaced at once; shorter lives back off.",
        low=0,
    ),
    Option(
        "respawn_delay",
        "seconds",
        0.0,
        "Seconds to wait before a process that lived long enough is replaced.",
        low=0,
    ),
    Option(
        "backoff",
        "boolean",
        True,
        "Whether processes that die soon are replaced after growing waits (0, 50, 100 ms ...).",
    ),
    Option("backoff_max", "seconds", 1.0, "The longest of these waits, in seconds.", low=0),
    Option(
        "backoff_reset",
        "seconds",
        10.0,
        "A life of so many seconds clears what earlier deaths have added to the wait.",
        low=0,
    ),
    Option(
        "on_demand",
        "boolean",
        False,
        "Whether the processes start when somebody connects to one of their sockets, and not "
        "before. One that ends is not replaced; when all have ended, the next connection starts "
        "them again. Needs `use_sockets` or `stdin_socket`.",
    ),
]
