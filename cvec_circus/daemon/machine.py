"""What files say that is not so on this machine: programs, folders, modules.

`--check` warns of it, and no more: a file may be for another machine, and what is missing may be
there tomorrow. Nothing is run or imported, and each thing is looked at once.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cvec_circus.config.build import Build
from cvec_circus.config.configuration import PluginConfig, SocketConfig, WatcherConfig
from cvec_circus.config.inheritance import KEY as EXTENDS
from cvec_circus.config.section import Section
from cvec_circus.options.cgroup import LIMITS, OFF, limited
from cvec_circus.options.checks import FAMILIES
from cvec_circus.options.expand import has_names, watcher_values
from cvec_circus.options.references import command_texts
from cvec_circus.options.rights import LIMIT, limits
from cvec_circus.options.stream import STREAMS
from cvec_circus.options.stream_classes import FILES
from cvec_circus.options.syslog import SYSLOG, syslog_address
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.options.words import split
from cvec_circus.sockets import unix
from cvec_circus.stream.base import lane_of
from cvec_circus.supervisor.hook_calls import ADD, EXTENDED, GIVEN
from cvec_circus.supervisor.launching import command, environment
from cvec_circus.supervisor.reload.locating import FILES as FILES_OF_THE_DAEMON
from cvec_circus.supervisor.reload.locating import is_file
from cvec_circus.system import cgroup, executables, modules, paths, privileges, statedir, units
from cvec_circus.system.completion import PROGRAMS
from cvec_circus.system.launch import ONLY_HERE
from cvec_circus.system.launch_shim import too_high
from cvec_circus.system.paths import make_it
from cvec_circus.system.syslog import Sender

FIRST_WID = "1"

_IPC = "ipc://"

_MOST_BLANKS = 20
"""In a path that lacks its quotes."""

PROGRAM = "cvec_circusd"

KILLS_ALL = ("control-group", "mixed")
"""What `KillMode` says where systemd kills all processes of a service whose main one has died."""

NO_ADOPTION = (
    "{0.path} has KillMode={0.kill_mode}, so systemd kills all processes when the daemon crashes, "
    "before a new one can take them over; write KillMode=process into [Service] there, or "
    "adopt = False here"
)

NO_STATE = "without it, a daemon that comes after a crash takes nothing over"

NO_CGROUPS = "no effect without cgroups; write cgroup = auto into [circus]"


def look(build: Build, environ: Mapping[str, str], cwd: str, path: str) -> None:
    """Add what is missing on this machine to the findings of a build. It may block.

    Args:
        build: What a file says.
        environ: The environment that the daemon will have.
        cwd: The folder that it will run in.
        path: The main file.
    """
    found = _Machine(build, environ, cwd)
    found.look_at_units(os.path.join(cwd, path))
    found.look()


class _Machine:
    """This machine, as one file needs it. Owned by the thread that checks."""

    def __init__(self, build: Build, environ: Mapping[str, str], cwd: str) -> None:
        self._build = build
        self._environ = environ
        self._cwd = cwd
        self._known: dict[tuple[object, ...], str] = {}
        self._said: dict[tuple[str, str], list[Section]] = {}
        self._pythonpath: list[str] = []

    def look(self) -> None:
        everything = self._build.everything
        self._look_at_daemon(everything.circus)
        for socket in everything.sockets:
            self._look_at_listening(socket)
        runs: list[WatcherConfig | PluginConfig]
        runs = [*everything.watchers, *everything.plugins]
        envs = [self._environment(one.section, one.options) for one in runs]
        # What one watcher adds to the daemon's path is there for all.
        added = dict.fromkeys(
            env.get("PYTHONPATH", "") for one, env in zip(runs, envs) if _imports(one.options)
        )
        folders = [folder for path in added for folder in path.split(os.pathsep) if folder]
        self._pythonpath = [os.path.join(self._cwd, folder) for folder in [*folders, ""]]
        for one, env in zip(runs, envs):
            if EXTENDS not in one.section.lacks:
                self._look_at_watcher(one.section, one.name, one.options, env)
        for (key, text), sections in self._said.items():
            more = len({section.place(key) for section in sections}) - 1
            often = "once" if more == 1 else f"{more} times"
            said = f"{text} (the same {often} more)" if more else text
            self._build.findings.warn(sections[0], key, said)

    def look_at_units(self, path: str) -> None:
        """Look how systemd ends what a daemon leaves that is to be taken over."""
        if self._build.everything.circus["adopt"] is not True:
            return
        for unit in units.starting(PROGRAM, path, self._environ):
            if unit.kill_mode in KILLS_ALL:
                self._warn(self._build.circus, "adopt", NO_ADOPTION.format(unit))

    def _environment(self, section: Section, options: WatcherOptions) -> dict[str, str]:
        try:
            return environment(options, self._environ)
        except (OSError, ValueError) as error:
            self._warn(section, "virtualenv", f"{error}; {make_it(str(error))}")
            return environment(options.replace({"virtualenv": None}), self._environ)

    def _warn(self, section: Section, key: str, text: str) -> None:
        """Warn at the end, if there is a text: once, whatever the number of sections."""
        if text:
            self._said.setdefault((key, text), []).append(section)

    # -- the daemon

    def _look_at_daemon(self, circus: Mapping[str, Any]) -> None:
        section = self._build.circus
        for key in FILES_OF_THE_DAEMON:
            if is_file(circus[key]):
                path = os.path.join(self._cwd, circus[key])
                self._warn(section, key, self._once(_why_not_ours, path))
        if circus["adopt"] and circus["state_dir"]:
            path = os.path.join(self._cwd, circus["state_dir"])
            reason = self._once(statedir.why_none, path)
            self._warn(section, "state_dir", reason and f"{reason}; {NO_STATE}")
        if circus["cgroup"] != OFF:
            self._warn(section, "cgroup", self._once(cgroup.why_none, circus["cgroup"]))
        for key in ("endpoint", "pubsub_endpoint", "stats_endpoint"):
            if circus[key].startswith(_IPC):
                self._look_at_socket(section, key, circus[key][len(_IPC) :])
            elif (port := circus[key].rpartition(":")[2]).isdecimal():
                self._warn(section, key, self._once(privileges.why_no_port, int(port)))

    def _look_at_socket(self, section: Section, key: str, path: str) -> None:
        folder = os.path.dirname(os.path.join(self._cwd, path))
        if os.path.isdir(folder):
            self._warn(section, key, self._once(paths.why_not_within, folder))

    def _look_at_listening(self, socket: SocketConfig) -> None:
        section, options = socket.section, socket.options
        if not options["path"]:
            self._warn(section, "port", self._once(privileges.why_no_port, options["port"]))
            return
        self._look_at_socket(section, "path", options["path"])
        if (owner := options["owner"]) is not None:
            with contextlib.suppress(OSError):  # a problem that is reported
                reason = self._once(privileges.why_no_owner, unix.user(owner), str(owner))
                self._warn(section, "owner", reason)

    def _look_at_file(self, section: Section, key: str, path: str) -> None:
        self._warn(section, key, self._once(_why_not_written, os.path.join(self._cwd, path)))

    def _once(self, look: Callable[..., str], *about: Any) -> str:
        """Return what a look says, or said when it was the same."""
        key = (look, *about)
        if key not in self._known:
            self._known[key] = look(*about)
        return self._known[key]

    # -- what runs

    def _look_at_watcher(
        self, section: Section, name: str, options: WatcherOptions, env: dict[str, str]
    ) -> None:
        for key in limited(options):
            self._warn(section, key, self._once(self._why_no_limit, LIMITS[key]))
        for limit, value in limits(options.extra).items():
            self._warn(section, f"{LIMIT}{limit}", self._once(_why_too_high, limit, value))
        account = self._once(privileges.why_not_run_as, options.uid, options.gid)
        self._warn(section, "gid" if options.uid is None else "uid", account)
        if options.oom_score_adj is not None:
            reason = self._once(privileges.why_no_score, options.oom_score_adj)
            self._warn(section, "oom_score_adj", reason)
        folder = os.path.join(self._cwd, options.working_dir or "")
        trouble = self._once(paths.why_no_folder, folder)
        if not trouble and options.uid is None and options.gid is None:
            trouble = self._once(paths.why_not_entered, folder)
        self._warn(section, "working_dir", trouble)
        unknown = {"copy_env", "shell", "executable"} & self._build.refused[section.header]
        if not unknown:
            self._look_at_programs(section, name, options, env, folder, not trouble)
        for moment, hook in options.hooks.items():
            if not hook.command:
                given = () if moment == EXTENDED else GIVEN
                self._look_at_module(section, f"hooks.{moment}", hook.target, given)
            elif not trouble:  # it gets the daemon's environment too
                program = split(hook.command)[0]
                reason = self._why_not_run(program, {**self._environ, **env}, folder)
                hint = _unquoted(hook.command, folder) if reason else ""
                self._warn(section, f"hooks.{moment}", reason + hint)
        for stream in STREAMS:
            self._look_at_stream(section, stream, options[stream])

    def _why_no_limit(self, controller: str) -> str:
        """Return why a limit would have no effect, "" if it would have, or if there are no cgroups
        where `cgroup` of the daemon wants them, which is said there."""
        wanted = self._build.everything.circus["cgroup"]
        if wanted == OFF:
            return NO_CGROUPS
        reason = "" if cgroup.why_none(wanted) else cgroup.why_not(controller, wanted)
        return f"no effect: {reason}" if reason else ""

    def _look_at_programs(
        self,
        section: Section,
        name: str,
        options: WatcherOptions,
        env: dict[str, str],
        folder: str,
        is_there: bool,
    ) -> None:
        as_us = options.uid is None and options.gid is None
        for key, program, text in _programs(name, options, env):
            is_in_folder = "/" in program and not os.path.isabs(program)
            if has_names(program) or (is_in_folder and not is_there):
                continue
            reason = self._why_not_run(program, env, folder, as_us)
            if reason:
                inherited = {**env, "PATH": self._environ.get("PATH", os.defpath)}
                would_get = not options.copy_env and "PATH" not in options.env
                renamed = f"cvec_{os.path.basename(program)}"
                if renamed in PROGRAMS:
                    reason += f"; it is called {renamed} here"
                elif would_get and not self._why_not_run(program, inherited, folder, as_us):
                    reason += ONLY_HERE
                elif "/" not in program:
                    reason += "; install it, or write its path"
                else:
                    reason += _unquoted(text, folder)
            self._warn(section, key, reason)

    def _why_not_run(
        self, program: str, env: Mapping[str, str], folder: str, as_us: bool = True
    ) -> str:
        path = tuple(os.get_exec_path(dict(env)))
        return self._once(executables.why_not, program, path, folder, as_us)

    def _look_at_stream(self, section: Section, stream: str, conf: Mapping[str, Any]) -> None:
        cls = conf.get("class", "")
        if "." in cls:
            self._look_at_module(section, f"{stream}.class", cls)
        elif conf.get("filename") and lane_of(conf) == FILES:
            self._look_at_file(section, f"{stream}.filename", conf["filename"])
        elif cls == "SyslogStream":
            address = conf.get("address", SYSLOG)
            self._warn(section, f"{stream}.address", self._once(_why_no_syslog, address))

    def _look_at_module(
        self, section: Section, key: str, dotted: str, given: tuple[str, ...] | None = None
    ) -> None:
        reason = self._once(modules.why_not, dotted, tuple(self._pythonpath), given)
        if reason.startswith("there is no module"):
            reason += f" {ADD}"
        self._warn(section, key, reason)


def _imports(options: WatcherOptions) -> bool:
    """Tell whether the daemon imports anything for a watcher."""
    streams = (options[stream].get("class", "") for stream in STREAMS)
    hooks = options.hooks.values()
    return any("." in name for name in streams) or any(not hook.command for hook in hooks)


def _why_too_high(limit: str, value: int) -> str:
    """Return why a process cannot have a resource limit, "" if it can.

    Whether a hard limit can be raised shows by raising that of this process for a moment.
    """
    number = getattr(resource, f"RLIMIT_{limit.upper()}")
    soft, hard = resource.getrlimit(number)
    is_infinite = value == resource.RLIM_INFINITY
    if limit == "nofile" and is_infinite:  # as much as there can be
        return ""
    if hard == resource.RLIM_INFINITY or (value <= hard and not is_infinite):
        return ""
    try:
        resource.setrlimit(number, (soft, value))
    except ValueError:
        return f"{too_high(number, value)}; lower it, or raise the daemon's own"
    resource.setrlimit(number, (soft, hard))
    return ""


def _programs(
    name: str, options: WatcherOptions, env: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield what runs in the environment of a watcher: the key, the program, and its command."""
    values = {}
    if any(map(has_names, command_texts(options))):
        values = watcher_values(options, env, {}, name=name, wid=FIRST_WID)
    with contextlib.suppress(ValueError):  # there is no command, or a problem that is reported
        words = command(options, values) if options.cmd else [""]
        if options.executable:
            yield "executable", options.executable, ""
        elif words[0]:
            yield "cmd", words[0], str(options.cmd)
        if options.shell and options.cmd:
            # A word without a slash may be a command of the shell's own.
            first = split(words[2])[:1]
            yield from (("cmd", word, str(options.cmd)) for word in first if "/" in word)
    for family in FAMILIES:
        for check, one in options[family].items():
            if one.kind == "exec":
                yield f"{family}.{check}", split(one.target)[0], one.target


def _unquoted(text: str, folder: str) -> str:
    """Return the hint for a path with blanks that is not in quotes, or with a ~; "" for none."""
    if text.startswith("~"):
        return f"; {paths.NO_HOME}"
    words = text.split(" ", _MOST_BLANKS)
    for number in range(2, len(words) + 1):
        path = " ".join(words[:number])
        if os.path.isfile(os.path.join(folder, path)):
            return f"; put quotes around {path}, which has a blank"
    return ""


def _why_no_syslog(address: str) -> str:
    """Return why no syslog can be reached, "" if one can, or if that is no address."""
    try:
        sender = Sender(*syslog_address(address), 0)
        sender.open()
    except OSError as error:
        return f"cannot reach the syslog {address}: {error.strerror}"
    except ValueError:  # a problem that is reported
        return ""
    sender.close()
    return ""


def _why_not_written(path: str) -> str:
    """Return why a file cannot be written, "" if it can."""
    return paths.why_no_file(path) or _why_not_ours(path)


def _why_not_ours(path: str) -> str:
    """Return why this user cannot have what another one may, "" if it can."""
    return "" if paths.why_no_file(path) else paths.why_not_ours(path)
