"""What each command answers, beside `status`, `time` and `id`: for the page of commands.

A test gives every command to a daemon and compares the fields, so nothing here can be out of date.
"""

from __future__ import annotations

GAP = (
    "With `waiting`, and if there are any: the watchers that were without a process for a moment, "
    "because what ran was stopped first."
)
MOVED = "With `waiting`: pids of the processes that were `started`, and that were there: `kept`."

SIZED = {
    "numprocesses": "With `waiting`, and of singletons: how many it is to have now. Of several, a "
    "number for each, by watcher.",
    "singleton": "True for a singleton, whose number does not change.",
    "singletons": "Of several: the names of those whose number does not change.",
}

ANSWERS: dict[str, dict[str, str]] = {
    "add": {
        "started": "With `start` and `waiting`: the pids of its processes.",
        "kept": "With `start` and `waiting`: pids of processes that were there.",
        "warnings": "If there are any: a line about properties that were ignored.",
    },
    "decr": SIZED,
    "doctor": {
        "checks": "For each thing that was looked at an object with `name`, `ok`, `found`, and, "
        "where something is lacking, `lack`, what follows from that, and `remedy`, what would "
        "grant it."
    },
    "dstats": {"info": "The figures of the daemon's process: see below."},
    "events": {
        "events": "The events, oldest first: pairs of topic and payload, both as text.",
        "earlier": "How many are kept from before these; only without `since`.",
        "more": "Whether there are more than `limit`.",
        "lost": "How many of them the daemon does not have any more.",
        "seq": "The number of the latest event of all.",
        "run": "Which life of the daemon this is.",
    },
    "get": {"options": "The options that were asked for, by name."},
    "globaloptions": {"options": "The options, by name."},
    "graph": {
        "watchers": "For each watcher, by name: its `phase`; `depends_on`, the condition by the "
        "name of each; `part_of`, names; and `waits_for`, a sentence if it waits for anything."
    },
    "incr": SIZED,
    "is-active": {
        "active": "Whether all of them are up; a rollout under way does not count against it.",
        "phases": "The phase of each, by name.",
    },
    "kill": {},
    "list": {
        "watchers": "Without `name`: the names of all watchers, in lower case and in order.",
        "pids": "With `name`: the pids of its processes. Of several, a list for each, by watcher.",
    },
    "listsockets": {
        "sockets": "For each socket an object with `fd`, `name` and `backlog`; with `host` and "
        "`port`, or with `path`.",
        "leaving": "Likewise: sockets that were replaced or removed, and that old processes still "
        "serve.",
    },
    "logs": {
        "name": "With one `name`: that name.",
        "stream": "With one `name`: which output it is.",
        "lines": "The lines, oldest first: objects with `time`, `pid` and `text`, and of several "
        "watchers `watcher`, `stream` and `wid`: see :ref:`logs`.",
        "next": "Where to continue, for `since`.",
        "more": "Whether there are more lines than an answer has.",
        "missed": "With `since`: how many bytes after that place are no longer there; of several, "
        "of each output that has lost some.",
        "several": "Of several: the watchers of these that have more than one process.",
        "unkept": "Why nothing is kept, of several by watcher; only where that is so.",
    },
    "numprocesses": {
        "numprocesses": "How many processes there are.",
        "watcher_name": "With one `name`: that name.",
    },
    "numwatchers": {"numwatchers": "How many watchers there are."},
    "options": {"options": "Every option, by name, those of your own too."},
    "ping": {
        "pid": "The daemon's.",
        "version": "The daemon's.",
        "run": "Which life of the daemon this is: the word that is in its events.",
        "uptime": "Seconds since its start.",
    },
    "quit": {},
    "reload": {
        "gap": GAP,
        "info": "With `waiting`: pids of processes that were `stopped`, that were `started`, and "
        "that were there and still are: `kept`.",
        "plan": "With `dry_run`: for each watcher its `name`; `action`, which is `start`, `hup`, "
        "`restart` or `replace`; the pids in `processes`, the oldest first; for the last two "
        "`gap`, whether none runs for a moment; and for `replace`: `surge` (null for all) and "
        "`unavailable`, `may_retry` (once more with the old one stopped first), "
        "`ready` (checks by name), `seconds` (to become ready, or to live without a check) and "
        "`goes_back`, whether the old ones stay if one fails.",
    },
    "reloadconfig": {
        "gap": GAP,
        "file": "The file that was read.",
        "dry_run": "Whether nothing was changed.",
        "plan": "What changes, in the form that :doc:`reloading` has.",
        "warnings": "A line for each thing that is odd in the file.",
        "removes": "With `dry_run`, and in the error: the names of the running watchers that are "
        "removed, if that takes `force`.",
        "running": "Beside `removes`: how many watchers run.",
        "info": "With `waiting`: pids of processes that were `stopped`, that were `started`, and "
        "that were there and still are, of the watchers that it changed: `kept`.",
    },
    "reopen": {},
    "restart": {
        "info": "With `waiting`: pids of processes that were `stopped`, that were `started`, and "
        "that were there and still are: `kept`."
    },
    "rm": {},
    "set": {"gap": GAP},
    "signal": {},
    "start": {"info": MOVED},
    "stats": {
        "infos": "Without `name`, and of several: the figures of the processes, by watcher and "
        "pid: see below.",
        "name": "With one `name`: that name.",
        "info": "With one `name`: the figures of its processes, by pid. With `process`: those of "
        "that one.",
        "process": "With `process`: that pid.",
    },
    "status": {
        "statuses": "Without `name`, and of several: the state of each watcher: active, stopped, "
        "starting or stopping. With one `name`, `status` itself is the state.",
        "phases": "Without `name`, and of several: the phase of each watcher, by name: see "
        ":ref:`phases`.",
        "phase": "With one `name`: its phase.",
        "rollout": "With one `name`, in phase `reloading`: how far it is, as in `why`.",
        "reasons": "Without `name`, and of several: a sentence for each watcher that is not simply "
        "running.",
        "reason": "With one `name`: that sentence, if there is one.",
        "watchers": "With `details`, and of several: more about each watcher, by name: see below.",
        "watcher": "With `details` and one `name`: more about that one.",
    },
    "stop": {
        "info": "With `waiting`: null.",
        "parts": "The names of watchers that are part of them and stop, too, if there are any.",
        "dependants": "The names of watchers that depend on them and go on, if there are any.",
    },
    "upgrade": {
        "version": "That of the daemon now.",
        "python": "The version of its Python.",
        "path": "That Python.",
        "previous_version": "That of the daemon before.",
        "previous_python": "The version of its Python before.",
        "pause": "Seconds for which no client was answered.",
    },
    "wait": {"phases": "The phase of each, by name; of none for `gone`."},
    "why": {
        "name": "The watcher's name.",
        "state": "Its state, as in `status`.",
        "phase": "Its phase.",
        "sentence": "Where it stands, and why.",
        "deaths": "Its last 20 deaths, the latest first: see :ref:`why`.",
        "waits_for": "What it waits for, and what that waits for in its turn: objects with "
        "`watcher` and `why`; of a dependency `waits_for`, `need` and `phase` as well.",
        "rollout": "The rollout that is under way: `replaced`, `total`, `cause`, `actor` and `for` "
        "(seconds); or null.",
        "failed_rollout": "How the last rollout has failed, until the next order, or until "
        "nothing is left of what it has kept.",
        "checks": "The checks of its processes, by pid.",
        "signals": "The last signal that clients have sent to each process that runs: `pid`, "
        "`wid`, `signum`, `actor`, `why`, `age` (seconds), and `refusal`, if `before_signal` has "
        "kept it from the process.",
        "strays": "What its processes left behind: `pid` and `command` of each.",
        "unkept": "Why nothing is kept of what its processes write, and how to change that; empty "
        "if it is kept.",
    },
}

FIGURES = {
    "pid": "its pid",
    "cmdline": "the base name of its program",
    "command": "what people call it: the script or module that an interpreter runs",
    "username": "whose it is",
    "nice": "its niceness",
    "cpu": "per cent of one processor since it was last asked about",
    "mem": "per cent of the machine's memory",
    "mem_info1": "what it has in memory (RSS), as text: ``1.45M``",
    "mem_info2": "what it has addresses for (VMS), as text",
    "ctime": "how long it has used a processor, as text: ``0:00.10``",
    "create_time": "when it was created, in seconds since 1970",
    "age": "for how long it has been there, in seconds",
    "children": "the same about the processes that it has started",
    "started": "when the daemon started it, in seconds since 1970; not of children",
    "wid": "the number of its slot; not of children",
}
"""What `stats` and `dstats` say of a process. Any of them may be "N/A"."""
