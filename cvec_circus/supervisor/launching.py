"""From a watcher's options to a process: the command line, the environment, the files it gets."""

from __future__ import annotations

import functools
import os
import shlex
import subprocess
import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus import exc
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.expand import expand, has_names, watcher_values
from cvec_circus.options.stream import history_size
from cvec_circus.sockets.registry import Loan

if TYPE_CHECKING:
    from cvec_circus.system.accounts import Identity

MARK = "CVEC_CIRCUS_MARK"
"""The variable that names what a dead daemon, or a double fork, has left: run:watcher:wid."""

SHELL = "/bin/sh"

LISTEN_FIRST = 3
"""Where programs look for the sockets they are given: see sd_listen_fds(3)."""

OUTPUTS = (("stdout", "stdout_stream"), ("stderr", "stderr_stream"))


def environment(
    watcher: Watcher, process: ManagedProcess, run: str, withheld: Collection[str] = ()
) -> dict[str, str]:
    """Returns the whole environment of a process. Called on the supervisor thread.

    Args:
        watcher: Whose process it is.
        process: Its slot.
        run: The id of the daemon's life.
        withheld: What it does not get of the daemon's own.

    Raises:
        OSError: The Python environment that it is to have cannot be read.
        ValueError: It is none.
    """
    options = watcher.options
    env = dict(os.environ) if options["copy_env"] else {}
    for name in withheld:
        env.pop(name, None)
    if options["copy_path"]:
        env["PYTHONPATH"] = os.pathsep.join(sys.path)
    env.update(options["env"])
    if options["virtualenv"]:
        from cvec_circus.system import virtualenv

        env.update(virtualenv.variables(env, options["virtualenv"], options["virtualenv_py_ver"]))
    env[MARK] = f"{run}:{watcher.name}:{process.wid}"
    return env


def umask(watcher: Watcher) -> int:
    """Returns the file mode mask of a watcher's processes, -1 for the daemon's own."""
    mask: int | None = watcher.options["umask"]
    return -1 if mask is None else mask


def identity(watcher: Watcher) -> Identity | None:
    """Returns whom a watcher's processes become; None for whoever the daemon is.

    Raises:
        ValueError: There is no such user or group.
    """
    uid, gid = watcher.options["uid"], watcher.options["gid"]
    if uid is None and gid is None:
        return None
    from cvec_circus.system import accounts

    return accounts.identity(uid, gid)


def command_line(
    watcher: Watcher, process: ManagedProcess, env: Mapping[str, str], sockets: Loan
) -> tuple[list[str], dict[str, int]]:
    """Returns the words of the command and the listening sockets it refers to, by their names.

    With `shell`, the words are quoted for the shell that gets them, as Circus does it: what they
    say can never be more than words.

    Raises:
        ValueError: The command cannot be split into words, is empty, or names an unknown socket.
    """
    options = watcher.options
    words_given = texts(options)
    fds: dict[str, int] = {}
    if options["use_sockets"]:
        try:
            fds = sockets.used_by("\n".join(words_given))
        except exc.OptionError as error:
            raise ValueError(error.reason) from error
    values: dict[str, str] = {}
    if any(has_names(text) for text in words_given):
        shown = sockets.fds() if options["use_sockets"] else {}
        values = watcher_values(options, env, shown, name=watcher.name, wid=process.wid)
    words = [*_expanded(options, "cmd", values), *_expanded(options, "args", values)]
    if not words:
        raise ValueError("cmd is empty")
    if options["shell"]:
        shell = options["executable"] or SHELL
        words = [shell, "-c", shlex.join(words), *_expanded(options, "shell_args", values)]
    return words, fds


def texts(options: Mapping[str, Any]) -> list[str]:
    """Returns what a command is made of, as it is written."""
    given = [options["cmd"], options["args"]]
    if options["shell"]:
        given.append(options["shell_args"])
    return [text for one in given for text in _texts(one)]


def listening(fds: Mapping[str, int]) -> tuple[list[int], dict[str, str]]:
    """Returns sockets in the order in which systemd's protocol gives them, and its variables.

    The protocol has them at 3, 4, ... A socket that has such a number of its own stays there,
    because the command has been told that number.
    """
    first, end = LISTEN_FIRST, LISTEN_FIRST + len(fds)
    names = {fd: name for name, fd in fds.items()}
    others = iter([fd for fd in names if not first <= fd < end])
    order = [number if number in names else next(others) for number in range(first, end)]
    shown = ":".join(names[fd].replace(":", "_") for fd in order)
    return order, {"LISTEN_FDS": str(len(order)), "LISTEN_FDNAMES": shown}


def stdin_socket(watcher: Watcher, sockets: Loan) -> int:
    """Returns the socket that is a process' standard input.

    Raises:
        ValueError: There is no socket of that name.
    """
    try:
        return sockets.fd("stdin_socket", watcher.options["stdin_socket"])
    except exc.OptionError as error:
        raise ValueError(f"stdin_socket: {error.reason}") from error


def _texts(given: Any) -> list[str]:
    return [given] if isinstance(given, str) else [str(word) for word in given or ()]


def _expanded(options: Mapping[str, Any], name: str, values: Mapping[str, str]) -> list[str]:
    """The words of an option, with the names in it replaced."""
    if isinstance(options[name], str):
        return _split(expand(options[name], values), name)
    return [expand(word, values) for word in _texts(options[name])]


def _split(text: str, name: str) -> list[str]:
    try:
        return list(_words(text))
    except ValueError as error:
        raise ValueError(f"{name} cannot be split into words: {error}: {text!r}") from error


@functools.lru_cache(maxsize=1024)
def _words(text: str) -> tuple[str, ...]:
    """Remembered: a process is often started again, and this takes longer than all the rest."""
    return tuple(shlex.split(text))


class Outputs:
    """The standard files of a process to be. Owned by the supervisor thread.

    Use it as a context: whatever happens, the ends that belong to the child are closed here, and so
    are ours unless `take` has handed them on.

    Args:
        watcher: Whose options decide.
        inherited: The file that a helper writes to, the daemon's own log; None for ours.
    """

    def __init__(self, watcher: Watcher, inherited: int | None) -> None:
        self._watcher = watcher
        self._inherited = inherited
        self._theirs: list[int] = []
        self._ours: dict[str, int] = {}
        self.files: dict[str, int | None] = {}

    def __enter__(self) -> Outputs:
        options = self._watcher.options
        try:
            self.files["stdin"] = subprocess.DEVNULL if options["close_child_stdin"] else None
            for name, stream in OUTPUTS:
                is_captured = options[stream] or history_size(options, name)
                self.files[name] = self._open(name, bool(is_captured))
        except OSError:
            self._close()
            raise
        return self

    def _open(self, name: str, is_captured: bool) -> int | None:
        if self._watcher.options[f"close_child_{name}"]:
            return subprocess.DEVNULL
        if not is_captured:
            return self._inherited
        ours, theirs = os.pipe()
        self._ours[name] = ours
        self._theirs.append(theirs)
        return theirs

    def take(self) -> dict[str, int]:
        """Returns the read ends by name; they are the caller's now."""
        taken, self._ours = self._ours, {}
        return taken

    def __exit__(self, *details: object) -> None:
        self._close()

    def _close(self) -> None:
        for fd in [*self._theirs, *self._ours.values()]:
            os.close(fd)
        self._theirs.clear()
        self._ours.clear()
