"""The options of a watcher: the rows, and what they mean together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus.exc import OptionError
from cvec_circus.options.keeping import KEEPING
from cvec_circus.options.kinds import to_stream
from cvec_circus.options.option import Option
from cvec_circus.options.rights import (
    LIMIT,
    RIGHTS,
    why_no_limit,
)
from cvec_circus.options.stream import (
    HISTORY_ROW,
    STREAMS,
    shown_stream,
    stream_problems,
    stream_rows,
    take_parts,
)
from cvec_circus.options.table import OptionTable
from cvec_circus.options.typed import WatcherOptions, as_dict

_COMMAND = [
    Option(
        "cmd",
        "command",
        None,
        "The program to run, with its arguments. `$(circus.wid)`, `$(circus.env.NAME)`, "
        "`$(circus.sockets.NAME)` and `$(circus.OPTION)` are replaced. Mandatory.",
        reloads=True,
    ),
    Option(
        "args",
        "args",
        "",
        "More arguments: text, split as a shell would, or a list of words. "
        "The same names are replaced as in `cmd`.",
        reloads=True,
    ),
    Option(
        "shell",
        "boolean",
        False,
        "Have `/bin/sh -c` run the command. Its words are quoted for the shell, as in Circus, so "
        "`|`, `;` and `$HOME` mean themselves; where they are to mean something, write "
        "`cmd = sh -c '...'` without `shell`.",
        reloads=True,
    ),
    Option(
        "shell_args",
        "args",
        None,
        "What that shell gets after the command, as `$0`, `$1` and so on. Only with `shell`. "
        "The same names are replaced as in `cmd`.",
        reloads=True,
    ),
    Option(
        "executable",
        "text",
        None,
        "The program file to run instead of the first word of `cmd`, which stays the name that the "
        "program is called by. With `shell`, the shell to use.",
        reloads=True,
    ),
    Option(
        "working_dir",
        "text",
        None,
        "The folder that the processes start in; without it, the one the daemon was started in.",
        reloads=True,
    ),
    Option(
        "env",
        "environment",
        {},
        "Environment variables of the processes. In a file they stand in `[env]` and "
        "`[env:NAME]` sections.",
        reloads=True,
    ),
    Option(
        "copy_env",
        "boolean",
        False,
        "Whether the processes also get the daemon's environment, under `env`.",
        reloads=True,
    ),
    Option(
        "copy_path",
        "boolean",
        False,
        "Whether the processes get the daemon's Python path, as PYTHONPATH; one in `env` wins. "
        "Only with `copy_env`.",
        reloads=True,
    ),
    Option(
        "virtualenv",
        "text",
        None,
        "The folder of a Python environment: its programs come first in PATH, and its packages "
        "are in PYTHONPATH. Only with `copy_env`.",
        reloads=True,
    ),
    Option(
        "virtualenv_py_ver",
        "text",
        None,
        "The version of Python in `virtualenv`, such as `3.11`; without it, the daemon's own.",
        reloads=True,
    ),
]

_STOPPING = [
    Option(
        "stop_signal",
        "signal",
        15,
        "The signal that asks a process to stop: a number or a name.",
    ),
    Option(
        "stop_children",
        "boolean",
        False,
        "Whether the children of a process get the stop signal with it.",
    ),
    Option(
        "graceful_timeout",
        "seconds",
        30.0,
        "Seconds that a process has to stop before it gets SIGKILL.",
        low=0,
    ),
    Option(
        "leftover_timeout",
        "seconds",
        5.0,
        "Seconds that what a dead process left in its process group has between SIGTERM and "
        "SIGKILL, `graceful_timeout` at most. What is still there 5 s after SIGKILL is named a "
        "stray, and the next process starts.",
        low=0,
    ),
    Option(
        "strays",
        "choice",
        "report",
        "What happens to processes that one of the watcher's processes started in a session of "
        "their own and left behind: `report` names them in the answer of `stop`, in the status and "
        "in the log; `kill` ends them; `ignore` does neither.",
        choices=("report", "kill", "ignore"),
    ),
    Option(
        "send_hup",
        "boolean",
        False,
        "Whether a reload sends SIGHUP to the processes instead of replacing them.",
    ),
]

_FILES = [
    *stream_rows("stdout_stream", "standard output"),
    *stream_rows("stderr_stream", "standard error"),
    HISTORY_ROW,
    Option(
        "close_child_stdin",
        "boolean",
        True,
        "Whether standard input is /dev/null instead of the daemon's.",
        reloads=True,
    ),
    Option(
        "close_child_stdout",
        "boolean",
        False,
        "Whether standard output goes to /dev/null; wins over `stdout_stream`.",
        reloads=True,
    ),
    Option(
        "close_child_stderr",
        "boolean",
        False,
        "Whether standard error goes to /dev/null; wins over `stderr_stream`.",
        reloads=True,
    ),
    Option(
        "use_sockets",
        "boolean",
        False,
        "Whether the processes inherit the daemon's sockets that their command refers to.",
        reloads=True,
    ),
    Option(
        "listen_fds",
        "boolean",
        False,
        "Whether the sockets that `use_sockets` gives are given in systemd's way, too: at the "
        "numbers 3, 4 and so on, with `LISTEN_FDS`, `LISTEN_FDNAMES` and `LISTEN_PID`. Each "
        "process then starts some 15 ms later. Servers that know this way, such as gunicorn, "
        "listen on nothing else then.",
        reloads=True,
    ),
    Option(
        "stdin_socket",
        "text",
        None,
        "The name of a socket of the daemon that the processes get as their standard input, as "
        "inetd does it. It comes before `close_child_stdin`.",
        reloads=True,
    ),
    Option(
        "use_papa", "boolean", False, "Run under the papa kernel.", reloads=True, available=False
    ),
]

_HOOKS = [
    Option(
        "hooks",
        "hooks",
        {},
        "What is called at certain moments in the life of the watcher and its processes, by the "
        "name of the moment. In a file each hook is a key of its own, "
        "`hooks.before_start = myproject.hooks.check`.",
    ),
    Option(
        "hooks.*",
        "hook",
        None,
        "One hook: the dotted name of a function, with `,True` behind it if a failure is to be "
        "ignored; or `exec:COMMAND`, a program. Nothing takes a hook away.",
    ),
    Option(
        "hook_timeout",
        "seconds",
        None,
        "Seconds that a hook may take; then it has failed. Without it there is a warning every "
        "60 s.",
        low=0.001,
    ),
]

_HOOK = "hooks."


class WatcherTable(OptionTable):
    """The options of a watcher. Immutable.

    A stream is one option whose value is a mapping, and each of its parts can be given by itself:
    `stdout_stream.filename`. A full set of options has the mapping only.
    """

    def convert_one(self, key: str, value: Any) -> Any:
        """Return one value as its option's kind wants it, the parts of a stream too."""
        reason = why_no_limit(key) if key.startswith(LIMIT) else ""
        if reason:
            raise OptionError(key, reason)
        if key.startswith(_HOOK):
            _hooks().require_name(key)
        if key not in STREAMS:
            return super().convert_one(key, value)
        try:
            parts = to_stream(value)
        except ValueError as error:
            raise OptionError(key, str(error)) from None
        return {part: self.convert_one(f"{key}.{part}", text) for part, text in parts.items()}

    def complete(  # type: ignore[override]  # a dict will not do: these never change
        self, given: Mapping[str, Any], current: Mapping[str, Any] | None = None
    ) -> WatcherOptions:
        """Return a full set of options; a part of a stream changes the stream.

        Whether there are such users and groups is not asked here: see `rights.judge`.

        Raises:
            OptionError: The options do not go together.
        """
        return WatcherOptions(self._full(given, None if current is None else as_dict(current)))

    def changes(self, given: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
        """Return what of a full set of options other ones change; see `complete`.

        Raises:
            OptionError: The options would not go together.
        """
        before = as_dict(current)
        full = self._full(given, before)
        return {n: full[n] for n in full if n not in before or before[n] != full[n]}

    def _full(self, given: Mapping[str, Any], current: dict[str, Any] | None) -> dict[str, Any]:
        full = self.merged(given, current)
        take_parts(full, given)
        if given.get("hooks") or any(key.startswith(_HOOK) for key in given):
            _hooks().take_hooks(full, current)
        elif current is not None:
            full["hooks"] = current["hooks"]
        for key, reason in contradictions(full):
            raise OptionError(key, reason)
        return full


def contradictions(full: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what does not go together in a full set of options, as pairs of key and reason."""
    found = []
    if full["singleton"] and full["numprocesses"] > 1:
        found.append(("numprocesses", "a singleton has one process at most"))
    if full["on_demand"] and not (full["use_sockets"] or full["stdin_socket"]):
        found.append(("on_demand", "only with use_sockets = True or a stdin_socket"))
    for key in ("copy_path", "virtualenv"):
        if full[key] and not full["copy_env"]:
            found.append((key, "only with copy_env = True"))
    for stream in STREAMS:
        found += stream_problems(stream, full[stream])
    return found


def public(full: Mapping[str, Any], working_dir: str | None = None) -> dict[str, Any]:
    """Return a full set of options as the wire shows it.

    Args:
        full: The options.
        working_dir: What to show for a watcher without a folder of its own: the daemon's.
    """
    shown = {f"{key}_conf" if key in STREAMS else key: value for key, value in full.items()}
    shown.update({f"{stream}_conf": shown_stream(full[stream]) for stream in STREAMS})
    shown["working_dir"] = full["working_dir"] or working_dir
    if full["hooks"]:
        shown["hooks"] = _hooks().shown_hooks(full["hooks"])
    return shown


def _hooks() -> Any:
    """The module that knows hooks, which most daemons have no use for."""
    from cvec_circus.options import hooks

    return hooks


WATCHER_OPTIONS = WatcherTable([*_COMMAND, *RIGHTS, *KEEPING, *_STOPPING, *_FILES, *_HOOKS])
"""Everything that can be configured of a watcher."""


def needs_fresh(name: str) -> bool:
    """Return whether a change of that option takes effect with fresh processes only."""
    option = WATCHER_OPTIONS.find(name)
    return option is not None and option.reloads
