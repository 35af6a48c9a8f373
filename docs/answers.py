"""What each command answers, beside `status`, `time` and `id`: for the page of commands.

A test gives every command to a daemon and compares the fields, so nothing here can be out of date.
"""

from __future__ import annotations

GAP = (
    "With `waiting`, if any: the watchers that had no process for a moment, because the old "
    "ones were stopped first."
)
MOVED = "With `waiting`: the pids of processes that were `started`, and of those `kept`."

SIZED = {
    "numprocesses": "With `waiting`, and for singletons: the new number of processes. For "
    "several, a number for each, by watcher.",
    "singleton": "True for a singleton, whose number is fixed.",
    "singletons": "For several: the names of the singletons, whose number is fixed.",
}

ANSWERS: dict[str, dict[str, str]] = {
    "add": {
        "started": "With `start` and `waiting`: the pids of its processes.",
        "kept": "With `start` and `waiting`: the pids of processes that were kept.",
        "warnings": "If there are any: lines about properties that were ignored, and about what "
        "`depends_on`, `part_of` and hooks name, and is not there.",
    },
    "decr": SIZED,
    "doctor": {
        "checks": "For each check, an object with `name`, `ok`, `found`, and, if something is "
        "lacking, `lack`, the consequence, and `remedy`, how to grant it."
    },
    "dstats": {"info": "The figures of the daemon's process: see below."},
    "events": {
        "events": "The events, oldest first: pairs of topic and payload, both as text.",
        "earlier": "How many earlier events are kept; only without `since`.",
        "more": "Whether there are more than `limit`.",
        "lost": "How many of them the daemon no longer has.",
        "seq": "The number of the latest event.",
        "run": "Which life of the daemon this is.",
    },
    "get": {
        "options": "With one `name`: the requested options, by name.",
        "watchers": "For several: an object with `options` for each, by watcher.",
    },
    "globaloptions": {"options": "The options, by name."},
    "graph": {
        "watchers": "For each watcher, by name: its `phase`; `depends_on`, the condition by the "
        "name of each; `part_of`, names; and `waits_for`, a sentence if it waits for anything."
    },
    "incr": SIZED,
    "is-active": {
        "active": "Whether all of them are up; a rollout under way counts as up.",
        "phases": "The phase of each, by name.",
    },
    "kill": {},
    "list": {
        "watchers": "Without `name`: the names of all watchers, in lower case and in order.",
        "pids": "With `name`: the pids of its processes. For several, a list for each, by watcher.",
    },
    "listsockets": {
        "sockets": "For each socket an object with `fd`, `name` and `backlog`; with `host` and "
        "`port`, or with `path`.",
        "leaving": "Likewise: sockets that were replaced or removed but are still served by "
        "old processes.",
    },
    "logs": {
        "name": "With one `name`: that name.",
        "stream": "With one `name`: which output it is.",
        "lines": "The lines, oldest first: objects with `time`, `pid` and `text`, and for "
        "several watchers `watcher`, `stream` and `wid`: see :ref:`logs`.",
        "next": "Where to continue, for `since`.",
        "more": "Whether there are more lines than fit in one answer.",
        "missed": "With `since`: how many bytes after that place are lost; for several, for "
        "each output that has lost some.",
        "several": "For several: the watchers that have more than one process.",
        "unkept": "Why nothing is kept, for several by watcher; only where that is so.",
    },
    "numprocesses": {
        "numprocesses": "How many processes there are.",
        "watcher_name": "With one `name`: that name.",
    },
    "numwatchers": {"numwatchers": "How many watchers there are."},
    "options": {
        "options": "With one `name`: every option, by name, including your own.",
        "watchers": "For several: an object with `options` for each, by watcher.",
    },
    "ping": {
        "pid": "The daemon's.",
        "version": "The daemon's.",
        "run": "Which life of the daemon this is: the same word as in its events.",
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
        "`unavailable`, `may_retry` (once more with the old one stopped first), `one_shot` (its "
        "processes are not replaced when they end), "
        "`ready` (checks by name), `seconds` (to become ready, or to live without a check) and "
        "`goes_back`, whether the old ones stay if one fails.",
    },
    "reloadconfig": {
        "gap": GAP,
        "file": "The file that was read.",
        "dry_run": "Whether nothing was changed.",
        "plan": "What changes, in the form that :doc:`reloading` has.",
        "warnings": "A line for each warning about the file.",
        "removes": "With `dry_run`, and in the error: the names of the running watchers that "
        "would be removed, if that needs `force`.",
        "running": "With `removes`: how many watchers run.",
        "info": "With `waiting`: the pids of processes that were `stopped`, `started` and "
        "`kept`, in the watchers that it changed.",
    },
    "reopen": {},
    "restart": {
        "info": "With `waiting`: pids of processes that were `stopped`, that were `started`, and "
        "that were there and still are: `kept`."
    },
    "rm": {
        "parts": "The names of watchers that are part of them and also stop, if any.",
        "dependants": "The names of watchers that depend on them and keep running, if any. They "
        "cannot start again until a watcher of that name is added.",
    },
    "set": {
        "gap": GAP,
        "warnings": "A line for each name in `depends_on` and `part_of` that no watcher has, for "
        "each hook that cannot be found, and for a `schedule` of what is stopped.",
    },
    "signal": {},
    "start": {"info": MOVED},
    "stats": {
        "infos": "Without `name`, and for several: the figures of the processes, by watcher "
        "and pid: see below.",
        "name": "With one `name`: that name.",
        "info": "With one `name`: the figures of its processes, by pid. With `process`: those "
        "of that process.",
        "process": "With `process`: that pid.",
    },
    "status": {
        "statuses": "Without `name`, and for several: the state of each watcher: active, "
        "stopped, starting or stopping. With one `name`, `status` itself is the state.",
        "phases": "Without `name`, and for several: the phase of each watcher, by name: see "
        ":ref:`phases`.",
        "phase": "With one `name`: its phase.",
        "rollout": "With one `name`, in phase `reloading`: how far it is, as in `why`.",
        "reasons": "Without `name`, and for several: a sentence for each watcher that is not "
        "simply running.",
        "reason": "With one `name`: that sentence, if there is one.",
        "watchers": "With `details`, and for several: more about each watcher, by name: see below.",
        "watcher": "With `details` and one `name`: more about that one.",
    },
    "stop": {
        "info": "With `waiting`: null.",
        "parts": "The names of watchers that are part of them and also stop, if any.",
        "dependants": "The names of watchers that depend on them and keep running, if any.",
        "stopped": "With `with_dependants` and `name`: the names of the watchers that stop, in "
        "order: each before what it depends on.",
    },
    "upgrade": {
        "version": "The daemon's new version.",
        "python": "Its Python version.",
        "path": "The path of that Python.",
        "previous_version": "The daemon's previous version.",
        "previous_python": "Its previous Python version.",
        "pause": "How many seconds the daemon did not answer clients.",
    },
    "wait": {"phases": "The phase of each, by name; empty for `gone`."},
    "why": {
        "watchers": "For several: an object with all of the following for each, by watcher.",
        "name": "The watcher's name.",
        "state": "Its state, as in `status`.",
        "phase": "Its phase.",
        "sentence": "Its state, and why.",
        "deaths": "Its last 20 deaths, the latest first: see :ref:`why`.",
        "waits_for": "What it waits for, and what that waits for in turn: objects with "
        "`watcher` and `why`; for a dependency also `waits_for`, `need` and `phase`.",
        "rollout": "The rollout that is under way: `replaced`, `total`, `cause`, `actor` and `for` "
        "(seconds); or null.",
        "failed_rollout": "How the last rollout failed, until the next order, or until none of "
        "the processes it kept is left.",
        "checks": "The checks of its processes, by pid.",
        "signals": "The last signal that clients sent to each running process: `pid`, `wid`, "
        "`signum`, `actor`, `why`, `age` (seconds), and `refusal`, if `before_signal` blocked "
        "it.",
        "strays": "What its processes left behind: `pid` and `command` of each.",
        "unkept": "Why no output of its processes is kept, and how to change that; empty if it "
        "is kept.",
        "lost": "Why `stdout` or `stderr` is lost now, by its name; empty if neither is.",
    },
}

FIGURES = {
    "pid": "its pid",
    "cmdline": "the base name of its program",
    "command": "its usual name: the script or module that an interpreter runs",
    "username": "its user",
    "nice": "its niceness",
    "cpu": "per cent of one processor since the previous query",
    "mem": "per cent of the machine's memory",
    "mem_info1": "its resident memory (RSS), as text: ``1.45M``",
    "mem_info2": "its virtual memory (VMS), as text",
    "ctime": "the processor time it has used, as text: ``0:00.10``",
    "create_time": "when it was created, in seconds since 1970",
    "age": "its age in seconds",
    "children": "the same figures for its children",
    "started": "when the daemon started it, in seconds since 1970; not for children",
    "wid": "the number of its slot; not for children",
}
"""What `stats` and `dstats` say of a process. Any of them may be "N/A"."""
