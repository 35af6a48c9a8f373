"""From a watcher's options to what starts its processes: command line, environment, rights."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cvec_circus import exc
from cvec_circus.options import rights
from cvec_circus.options.expand import expand, expand_words, has_names, names_in, watcher_values
from cvec_circus.options.references import command_texts, texts
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.options.words import split
from cvec_circus.sockets.registry import Loan
from cvec_circus.supervisor.ending.walker import OF_CHECK
from cvec_circus.system.launch import MARK, LaunchSpec

if TYPE_CHECKING:
    from cvec_circus.core.process import ManagedProcess
    from cvec_circus.core.watcher import Watcher
    from cvec_circus.system.accounts import Identity

SHELL = "/bin/sh"

LISTEN_FIRST = 3
"""Where programs look for the sockets they are given: see sd_listen_fds(3)."""

MOST_KEPT = 64
"""Templates that are kept. Those of a thousand watchers, which seldom start a process, would take
a megabyte."""


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
        is_embedded: Whether the daemon is a thread of another program.

    Raises:
        OSError: The Python environment for its processes cannot be read.
        ValueError: `virtualenv` is not a Python environment, the user or group does not exist, or
            `die_with_daemon` is not possible.
    """

    def __init__(
        self,
        name: str,
        options: WatcherOptions,
        run: str,
        withheld: Collection[str] = (),
        nofile: int | None = None,
        is_embedded: bool = False,
    ) -> None:
        if options.die_with_daemon and is_embedded:
            raise ValueError("die_with_daemon: only in cvec_circusd, whose main thread is the last")
        self.options, self.withheld = options, withheld
        # Not reusable where it depends on folders: something may be installed there at any time.
        self.is_reusable = not (options.virtualenv or options.copy_path)
        self._name, self._run, self._nofile = name, run, nofile
        self._env = environment(options, os.environ, withheld)
        self._texts = command_texts(options)
        self._has_names = any(map(has_names, self._texts))
        self._values: dict[str, str] | None = None
        self._words: list[str] | None = None
        limits = rights.limits(options.extra)
        self._spec = LaunchSpec(
            (),
            cwd=options.working_dir,
            executable=options.executable,
            umask=-1 if options.umask is None else options.umask,
            identity=_identity(options),
            limits=limits,
            nofile=None if "nofile" in limits else nofile,
            scores=_scores(options),
            pdeathsig=signal.SIGKILL if options.die_with_daemon else 0,
            shown="" if options.executable or options.shell else written(options.cmd or ""),
        )

    @property
    def uid(self) -> int | None:
        """The user that the processes become; None for ours."""
        return None if self._spec.identity is None else self._spec.identity.uid

    def spec(
        self,
        wid: int | str,
        sockets: Loan,
        env: Mapping[str, str] = {},
        fds: Collection[int] = (),
        places: Mapping[int, int] = {},
        standard: Mapping[str, Any] = {},
        cgroup: str | None = None,
    ) -> LaunchSpec:
        """Return what starts the process in a slot.

        Args:
            wid: The slot; or what a program calls a process of its own.
            sockets: Lends the listening sockets that the command refers to.
            env: Variables for this process beside those of the watcher.
            fds: Files for this process beside the sockets.
            places: More of them, by the number under which it finds each.
            standard: Its stdin, stdout and stderr; `stdin_socket` takes precedence.
            cgroup: The folder of the cgroup that it joins.

        Raises:
            ValueError: The command refers to an unknown socket, cannot be split into words, or is
                empty.
            OSError: The process cannot get a socket of its own.
        """
        options = self.options
        variables = {**self._env, MARK: self._mark(wid)}
        listening: dict[str, int] = {}
        try:
            if options.use_sockets:
                listening = sockets.used_by("\n".join(self._texts))
            argv = self._argv(variables, wid, sockets)
            if options.stdin_socket:
                stdin = sockets.fd("stdin_socket", options.stdin_socket)
                standard = {**standard, "stdin": stdin}
        except exc.OptionError as error:
            raise ValueError(str(error)) from error
        listen: list[int] = []
        if options.listen_fds and listening:
            listen, shown = listen_fds(listening)
            variables.update(shown)
        variables.update(env)
        taken = {fd: name for name, fd in listening.items()}
        taken.update({number: taken[fd] for number, fd in enumerate(listen, LISTEN_FIRST)})
        for number in places:
            if number in taken:
                raise ValueError(f"file descriptor {number} is that of socket {taken[number]}")
        return self._spec._replace(
            argv=argv,
            env=variables,
            pass_fds=(*listening.values(), *fds, *places.values()),
            listen=listen,
            places=places,
            cgroup=cgroup,
            **standard,
        )

    def names(self, process: ManagedProcess) -> dict[str, str]:
        """Return what the names in the checks of a process stand for, once it runs."""
        own = {"name": self._name, "wid": process.wid, "pid": process.pid}
        return watcher_values(self.options, self._env, {}, **own)

    def check_spec(
        self, wid: int, argv: Sequence[str], env: Mapping[str, str], shown: str = ""
    ) -> LaunchSpec:
        """Return what starts a program that checks a process: as its user, in its folder.

        Args:
            wid: The slot of the process. What the program leaves outside its group is a stray of
                that slot.
            argv: The program.
            env: Variables beside those of the watcher.
            shown: What messages call the program; "" for its name.
        """
        variables = {**self._env, **env, MARK: f"{self._mark(wid)}{OF_CHECK}"}
        nofile = self._nofile
        spec = self._spec._replace(argv=argv, env=variables, executable=None, shown=shown)
        return spec._replace(
            limits={}, scores={}, nofile=nofile, stdin=subprocess.DEVNULL, pdeathsig=0
        )

    def _mark(self, wid: int | str) -> str:
        return f"{self._run}:{self._name}:{wid}"

    def _argv(self, env: Mapping[str, str], wid: int | str, sockets: Loan) -> list[str]:
        """Return the words of the command.

        With `shell`, the words are quoted for the shell that gets them, as Circus does it: what
        they say can never be more than words.
        """
        if not self._has_names:
            if self._words is None:
                self._words = command(self.options, {})
            return self._words
        if self._values is None:
            self._values = watcher_values(self.options, env, {}, name=self._name)
        values = {**self._values, "wid": str(wid), f"env.{MARK.lower()}": env[MARK]}
        if self.options.use_sockets:
            values.update({f"sockets.{n.lower()}": str(fd) for n, fd in sockets.fds().items()})
        return command(self.options, values)


class Templates:
    """The templates of all watchers. Owned by the supervisor thread.

    Args:
        run: The id of the daemon's life.
        withheld: Tells which variables the hooks of a watcher have taken away.
        nofile, is_embedded: See `Template`.
    """

    def __init__(
        self,
        run: str,
        withheld: Callable[[Watcher], frozenset[str]],
        nofile: int | None = None,
        is_embedded: bool = False,
    ) -> None:
        self._run, self._withheld, self._nofile = run, withheld, nofile
        self._is_embedded = is_embedded
        self._kept: dict[Watcher, Template] = {}

    def of(self, watcher: Watcher) -> Template:
        """Return the template of a watcher as its options are now. Raises: see `Template`."""
        options, withheld = watcher.options, self._withheld(watcher)
        kept = self._kept.get(watcher)
        if kept is not None and kept.options is options and kept.withheld == withheld:
            return kept
        about = watcher.name, options, self._run, withheld, self._nofile
        made = Template(*about, self._is_embedded)
        if made.is_reusable:
            self._kept[watcher] = made
            if len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        return made

    def forget(self, watcher: Watcher) -> None:
        """Drop what is kept for a watcher that is gone for good; it may be called twice."""
        self._kept.pop(watcher, None)


def environment(
    options: WatcherOptions, ours: Mapping[str, str], withheld: Collection[str] = ()
) -> dict[str, str]:
    """Return the environment of a watcher's processes, without the mark.

    Args:
        options: All options of the watcher.
        ours: The environment of the daemon.
        withheld: Variables in it that the processes do not get.

    Raises:
        OSError: The `virtualenv` cannot be read.
        ValueError: It is not a Python environment.
    """
    env = dict(ours) if options.copy_env else {}
    for name in withheld:
        env.pop(name, None)
    if options.copy_path:
        env["PYTHONPATH"] = os.pathsep.join(sys.path)
    env.update(options.env)
    if options.virtualenv:
        from cvec_circus.system import virtualenv

        env.update(virtualenv.variables(env, options.virtualenv, options.virtualenv_py_ver))
    return env


def _identity(options: WatcherOptions) -> Identity | None:
    """Return the user and groups that processes run as; None for the daemon's."""
    if options.uid is None and options.gid is None:
        return None
    from cvec_circus.system import accounts

    return accounts.identity(options.uid, options.gid)


def _scores(options: WatcherOptions) -> dict[str, int]:
    """Return the scores that processes have set, by the names in `launch_shim.SCORES`."""
    value = options.oom_score_adj
    return {} if value is None else {"oom_score_adj": value}


def listen_fds(fds: Mapping[str, int]) -> tuple[list[int], dict[str, str]]:
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


def written(command: str | Sequence[str]) -> str:
    """Return the program of a command as it is written, if a variable is in it, whose value no
    message shows; "" otherwise."""
    words = [command] if isinstance(command, str) else command
    if not any(map(has_names, words)):
        return ""
    try:
        word = split(command)[0] if isinstance(command, str) else words[0]
    except (ValueError, IndexError):  # starting it says so
        return ""
    return word if any(name.lower().startswith("env.") for name in names_in(word)) else ""


def command(options: WatcherOptions, values: Mapping[str, str]) -> list[str]:
    """Return the words of a command with the names in it replaced.

    Raises:
        ValueError: There are none, or they cannot be split.
    """
    words = [*_expanded(options, "cmd", values), *_expanded(options, "args", values)]
    if not words:
        raise ValueError("cmd is empty")
    if options.shell:
        shell = options.executable or SHELL
        words = [shell, "-c", shlex.join(words), *_expanded(options, "shell_args", values)]
    return words


def _expanded(options: WatcherOptions, name: str, values: Mapping[str, str]) -> list[str]:
    """Return the words of an option, with the names in it replaced."""
    given: Any = options[name]
    if not isinstance(given, str):
        return [expand(word, values) for word in texts(given)]
    try:
        return split(expand_words(given, values))
    except ValueError as error:
        raise ValueError(f"{name} cannot be split into words: {error}") from error
