"""From a watcher's options to a process: the command line, the environment, the rights."""

from __future__ import annotations

import functools
import os
import shlex
import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus import exc
from cvec_circus.options import rights
from cvec_circus.options.expand import expand, has_names, watcher_values
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.options.words import split
from cvec_circus.sockets.registry import Loan
from cvec_circus.system.launch import MARK, LaunchSpec

if TYPE_CHECKING:
    from cvec_circus.system.accounts import Identity

SHELL = "/bin/sh"

LISTEN_FIRST = 3
"""Where programs look for the sockets they are given: see sd_listen_fds(3)."""


class Template:
    """What the processes of a watcher have in common as long as its options stay the same.

    Making one takes 20 us, and more the more names its command has; what is left to do for each
    process takes 6. Owned by the thread that starts them.

    Args:
        name: The watcher's name.
        options: All its options.
        run: The id of the daemon's life.
        withheld: Variables of the daemon's own environment that its processes do not get.
        nofile: The soft limit of open files that processes get; None for ours.

    Attributes:
        options: As given.
        withheld: As given.
        spec: What is the same for each process; without argv, env and files.
        is_lasting: Whether it may be used again. It may not be where it depends on folders, in
            which something may be installed at any time.

    Raises:
        OSError: The Python environment that its processes are to have cannot be read.
        ValueError: It is none, or the user or group does not exist.
    """

    def __init__(
        self,
        name: str,
        options: WatcherOptions,
        run: str,
        withheld: Collection[str] = (),
        nofile: int | None = None,
    ) -> None:
        self.options = options
        self.withheld = withheld
        self.is_lasting = not (options.virtualenv or options.copy_path)
        self._name = name
        self._run = run
        self._env = _environment(options, withheld)
        self._written = texts(options)
        self._has_names = any(has_names(text) for text in self._written)
        self._values: dict[str, str] | None = None
        self._words: list[str] | None = None
        limits = rights.limits(options.extra)
        self.spec = LaunchSpec(
            (),
            cwd=options.working_dir,
            executable=options.executable,
            umask=-1 if options.umask is None else options.umask,
            identity=identity(options),
            limits=limits,
            nofile=None if "nofile" in limits else nofile,
        )

    def environment(self, wid: int) -> dict[str, str]:
        """Return the whole environment of the process in that slot, in a dict of its own."""
        return {**self._env, MARK: f"{self._run}:{self._name}:{wid}"}

    def sockets(self, sockets: Loan) -> dict[str, int]:
        """Return the listening sockets that the command refers to, by their names.

        Raises:
            ValueError: It names an unknown one.
            OSError: The process cannot get one of its own.
        """
        if not self.options.use_sockets:
            return {}
        try:
            return sockets.used_by("\n".join(self._written))
        except exc.OptionError as error:
            raise ValueError(error.reason) from error

    def argv(self, env: Mapping[str, str], wid: int, sockets: Loan) -> list[str]:
        """Return the words of the command.

        With `shell`, the words are quoted for the shell that gets them, as Circus does it: what
        they say can never be more than words.

        Args:
            env: The environment of the process, as `environment` has returned it.
            wid: Its slot.
            sockets: What `$(circus.sockets.NAME)` stands for.

        Raises:
            ValueError: The command cannot be split into words, or is empty.
        """
        if not self._has_names:
            if self._words is None:
                self._words = _command(self.options, {})
            return self._words
        if self._values is None:
            self._values = watcher_values(self.options, env, {}, name=self._name)
        values = {**self._values, "wid": str(wid), f"env.{MARK.lower()}": env[MARK]}
        if self.options.use_sockets:
            values.update({f"sockets.{n.lower()}": str(fd) for n, fd in sockets.fds().items()})
        return _command(self.options, values)


def _environment(options: WatcherOptions, withheld: Collection[str]) -> dict[str, str]:
    """Return the environment of a watcher's processes, without the mark."""
    env = dict(os.environ) if options.copy_env else {}
    for name in withheld:
        env.pop(name, None)
    if options.copy_path:
        env["PYTHONPATH"] = os.pathsep.join(sys.path)
    env.update(options.env)
    if options.virtualenv:
        from cvec_circus.system import virtualenv

        env.update(virtualenv.variables(env, options.virtualenv, options.virtualenv_py_ver))
    return env


def identity(options: WatcherOptions) -> Identity | None:
    """Return the user and groups that processes with these options run as; None for the daemon's.

    Raises:
        ValueError: There is no such user or group.
    """
    uid, gid = options.uid, options.gid
    if uid is None and gid is None:
        return None
    from cvec_circus.system import accounts

    return accounts.identity(uid, gid)


def texts(options: WatcherOptions) -> list[str]:
    """Return what a command is made of, as it is written."""
    given = [options.cmd, options.args]
    if options.shell:
        given.append(options.shell_args)
    return [text for one in given for text in _texts(one)]


def listening(fds: Mapping[str, int]) -> tuple[list[int], dict[str, str]]:
    """Return sockets in the order in which systemd's protocol gives them, and its variables.

    The protocol has them at 3, 4, ... A socket that has such a number of its own stays there,
    because the command names that number.
    """
    first, end = LISTEN_FIRST, LISTEN_FIRST + len(fds)
    names = {fd: name for name, fd in fds.items()}
    others = iter([fd for fd in names if not first <= fd < end])
    order = [number if number in names else next(others) for number in range(first, end)]
    shown = ":".join(names[fd].replace(":", "_") for fd in order)
    return order, {"LISTEN_FDS": str(len(order)), "LISTEN_FDNAMES": shown}


def stdin_socket(name: str, sockets: Loan) -> int:
    """Return the socket of that name, which is a process' standard input.

    Raises:
        ValueError: There is no socket of that name.
    """
    try:
        return sockets.fd("stdin_socket", name)
    except exc.OptionError as error:
        raise ValueError(f"stdin_socket: {error.reason}") from error


def _command(options: WatcherOptions, values: Mapping[str, str]) -> list[str]:
    """Return the words of a command with the names in it replaced."""
    words = [*_expanded(options, "cmd", values), *_expanded(options, "args", values)]
    if not words:
        raise ValueError("cmd is empty")
    if options.shell:
        shell = options.executable or SHELL
        words = [shell, "-c", shlex.join(words), *_expanded(options, "shell_args", values)]
    return words


def _texts(given: Any) -> list[str]:
    return [given] if isinstance(given, str) else [str(word) for word in given or ()]


def _expanded(options: WatcherOptions, name: str, values: Mapping[str, str]) -> list[str]:
    """Return the words of an option, with the names in it replaced."""
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
    return tuple(split(text))
