"""A watcher and its processes, as the program that embeds them sees them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from cvec_circus.base.calling import in_order
from cvec_circus.base.overrides import require_plain, warn_of_overrides
from cvec_circus.compat import gone
from cvec_circus.compat.signatures import WATCHER_CALLS, WATCHER_FURTHER
from cvec_circus.compat.values import get_working_dir
from cvec_circus.config.environment import with_named_env
from cvec_circus.core import watcher as core
from cvec_circus.embedding.calls import OWN_LOOP
from cvec_circus.embedding.promise import Promise
from cvec_circus.embedding.reach import Reach, Snapshot, not_running
from cvec_circus.embedding.watched import WatchedProcess
from cvec_circus.exc import ConflictError, NoProcessError
from cvec_circus.options.rights import LIMIT
from cvec_circus.options.watcher import WATCHER_OPTIONS, public
from cvec_circus.wire.topics import fold

Fields = dict[str, Any]


class Watcher:
    """A command and its processes. Safe from any thread.

    While its arbiter does not run, it holds options: each is an attribute that can be read and
    set, and `env` is a dict that can be changed. While the arbiter runs, attributes show the state
    of this moment, and `env` is a copy; to set one is to order that, as `set_options` does.

    Methods that give an order return a promise at once, and its `result()` waits for the end:
    `watcher.stop()` begins to stop it, `watcher.stop().result()` returns when nothing of it is
    left. An order that makes no sense raises at once. On the supervisor thread, which is where
    callbacks of promises run, everything works but waiting; that raises RuntimeError.
    """

    prereload_fn: Callable[[Watcher], object] | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        warn_of_overrides(cls, WATCHER_CALLS, "the supervisor runs them; write hooks or a plugin")

    @in_order(WATCHER_FURTHER)
    def __init__(
        self,
        name: str,
        cmd: str,
        args: Any = None,
        numprocesses: int = 1,
        warmup_delay: float = 0.0,
        working_dir: str | None = None,
        *,
        env: Mapping[str, str] | None = None,
        prereload_fn: Callable[[Watcher], object] | None = None,
        rlimits: Mapping[str, Any] | None = None,
        loop: None = None,
        **options: Any,
    ) -> None:
        """Describe a watcher.

        Args:
            name: Its name.
            cmd, args, numprocesses, warmup_delay, working_dir, env: As in the options reference;
                `args` is text or a list.
            prereload_fn: Called with this object before a reload, on a thread of its own, so it
                may take its time. If it raises, nothing is reloaded.
            rlimits: Resource limits by their names.
            loop: None; an arbiter takes no other loop.
            **options: Any other option; None stands for "not given".

        Raises:
            OptionError: An option does not take the value, or contradicts another one.
            TypeError: A loop was given.
        """
        if loop is not None:
            raise TypeError(OWN_LOOP)
        given = {
            "cmd": cmd,
            "args": args,
            "numprocesses": numprocesses,
            "warmup_delay": warmup_delay,
            "working_dir": working_dir,
            **{f"rlimit_{key}": value for key, value in (rlimits or {}).items()},
            **options,
        }
        self._name = name
        self._reach: Reach | None = None
        self._subject: str | core.Watcher = name  # what a snapshot is taken of
        self._given = {
            key: WATCHER_OPTIONS.convert_one(key, value)
            for key, value in given.items()
            if value is not None
        }
        if cmd:
            WATCHER_OPTIONS.complete(self._given)
        copied = dict(os.environ) if self._given.get("copy_env") else {}
        self._env = {**copied, **WATCHER_OPTIONS.convert_one("env", env or {})}
        self.prereload_fn = require_plain("prereload_fn", prereload_fn)

    @classmethod
    def load_from_config(cls, config: Mapping[str, Any]) -> Watcher:
        """Describe a watcher by a mapping of options; `$NAME` in its `env` is replaced."""
        return cls(**with_named_env(config))

    @classmethod
    def of(cls, reach: Reach, name: str, options: Mapping[str, Any] | None = None) -> Watcher:
        """Return an arbiter's watcher by its name, with the typed options of its configuration."""
        watcher = cls(name, "")
        watcher._given = dict(options or {})
        watcher._env = dict(watcher._given.get("env", {}))
        watcher.bind(reach)
        return watcher

    def bind(self, reach: Reach) -> None:
        """Join an arbiter. Called by the arbiter.

        Raises:
            ConflictError: It belongs to another one, which is running.
        """
        if self._reach not in (None, reach) and self._reach.is_open:
            raise ConflictError(f"{self._name} belongs to another arbiter, which is running")
        self._reach = reach

    def __repr__(self) -> str:
        return f"<watcher {self._name}>"

    @property
    def _is_at_rest(self) -> bool:
        """Whether it has options only: no arbiter has it, or not one that runs."""
        return self._reach is None or not self._reach.is_open

    # -- options

    @property
    def name(self) -> str:
        """Its name as written."""
        return self._name

    @property
    def res_name(self) -> str:
        """Its name in topics."""
        return fold(self._name)

    @property
    def arbiter(self) -> Any:
        """The arbiter that it belongs to; None if it is in none yet."""
        return None if self._reach is None else self._reach.arbiter

    @property
    def _options(self) -> Fields:
        """Its freeform options, under the name that hooks for Circus read them by."""
        now = self._now()
        options = self._described() if now is None else now.options
        return {key: options[key] for key in options if WATCHER_OPTIONS.find(key) is None}

    @property
    def env(self) -> dict[str, str]:
        """Its environment, on top of the program's own if `copy_env` is set.

        Changes made while the arbiter does not run reach the processes.
        """
        now = self._now()
        if now is None:
            return self._env
        env = now.options["env"]
        return {**os.environ, **env} if now.options["copy_env"] else dict(env)

    @env.setter
    def env(self, env: Mapping[str, str] | None) -> None:
        if self._is_at_rest:
            self._env = WATCHER_OPTIONS.convert_one("env", env or {})
        else:
            self.set_options(env=env or {})

    def __getattr__(self, key: str) -> Any:
        """Return the value of an option."""
        if key.startswith("_"):
            raise AttributeError(key)
        now = self._now()
        options = self._described() if now is None else now.options
        for known in (key, key.replace("_stream_conf", "_stream")):
            if known in options:
                value = options[known]
                value = value.copy() if isinstance(value, (dict, list)) else value
                return get_working_dir() if known == "working_dir" and value is None else value
        if key == "rlimits":
            return {one[len(LIMIT) :]: options[one] for one in options if one.startswith(LIMIT)}
        gone.refuse("watcher.Watcher", key)
        raise AttributeError(f"{self._name}: a watcher has no attribute and no option {key}")

    def __setattr__(self, key: str, value: Any) -> None:
        """Set the value of an option: while its arbiter runs, by an order that is not waited for.

        Any other attribute is the program's own then, such as what a hook keeps for the next one.
        """
        if key.startswith("_") or hasattr(type(self), key):
            super().__setattr__(key, value)
        elif self._is_at_rest:
            self._given[key] = WATCHER_OPTIONS.convert_one(key, value)
        elif WATCHER_OPTIONS.find(key) is None:
            super().__setattr__(key, value)
        else:
            self.set_options(**{key: value})

    def mapping(self) -> Fields:
        """Return its name and its given options, for a configuration."""
        # What the program's own environment has anyway need not be shown to clients.
        copied = os.environ if self._given.get("copy_env") else {}
        env = {key: value for key, value in self._env.items() if copied.get(key) != value}
        return {"name": self._name, **self._given, "env": env}

    def options(self, *args: str) -> list[tuple[str, Any]]:
        """List its options by name as the wire shows them; only those given if there are any."""
        now = self._now()
        shown = public(self._described(), None) if now is None else now.shown
        return sorted((key, value) for key, value in shown.items() if not args or key in args)

    def _described(self) -> Fields:
        return {**WATCHER_OPTIONS.complete(self._given), "env": self._env}

    # -- state

    def _now(self) -> Snapshot | None:
        """Take a snapshot; None while the arbiter does not run."""
        return None if self._reach is None else self._reach.look(self._subject)

    def status(self) -> str:
        """Return its state: stopped, starting, active or stopping."""
        now = self._now()
        return "stopped" if now is None else now.state

    def is_active(self) -> bool:
        """Tell whether all its processes have been started."""
        return self.status() == "active"

    def is_stopped(self) -> bool:
        """Tell whether nothing of it runs."""
        return self.status() == "stopped"

    def is_stopping(self) -> bool:
        """Tell whether its processes are being stopped."""
        return self.status() == "stopping"

    @property
    def processes(self) -> dict[int, WatchedProcess]:
        """Its processes by pid, in order of their wids."""
        now = self._now()
        if now is None:
            return {}
        return {one[0]: WatchedProcess(self, *one, now.typed) for one in now.processes}

    @property
    def pids(self) -> list[int]:
        """The pids of its processes, in order of their wids."""
        now = self._now()
        return [] if now is None else [pid for pid, *_ in now.processes]

    def get_active_pids(self) -> list[int]:
        """Return `pids`."""
        return self.pids

    def get_active_processes(self) -> list[WatchedProcess]:
        """List its processes, in order of their wids."""
        return list(self.processes.values())

    def exit_code(self, pid: int) -> int | None:
        """Return the exit code of one of its processes that has ended, negative for a signal.

        None for one that runs, and for one that it does not remember.
        """
        return None if self._reach is None else self._reach.exit_code(self._subject, pid)

    def __len__(self) -> int:
        return len(self.pids)

    def __bool__(self) -> bool:
        return True  # without processes, too

    def info(self, extended: bool = False) -> dict[int, Fields]:
        """Return what `stats` reports of its processes, by pid.

        Args:
            extended: Whether to ask its hook `extended_stats`, too, but on the supervisor thread,
                which measures there and then.
        """
        if self._reach is None or not self._reach.is_open:
            return {}
        if self._reach.on_owner():
            return self._reach.measure(self._subject)
        found = self._order("stats", "info", extended=extended).result()
        return {int(pid): info for pid, info in found.items()}

    def process_info(self, pid: int, extended: bool = False) -> Fields:
        """Return what `stats` reports of one of its processes; NoProcessError if it is none."""
        if pid in self.pids and self._reach is not None and self._reach.on_owner():
            return self.info().get(pid, {})
        found: Fields = self._order("stats", "info", process=pid, extended=extended).result()
        return found

    # -- orders

    def start(self) -> Promise:
        """Start it. The result has the pids that were `started`, and those that were `kept`."""
        return self._order("start", "info", waiting=True)

    def stop(self) -> Promise:
        """Stop it."""
        return self._order("stop", waiting=True)

    def restart(self) -> Promise:
        """Stop it, then start it. The result has the pids `started`, `stopped` and `kept`."""
        return self._order("restart", "info", waiting=True)

    def reload(self, graceful: bool = True, sequential: bool = False) -> Promise:
        """Replace its processes, new ones first. The result is that of `restart`.

        Args:
            graceful: False makes it a `restart`.
            sequential: Whether to replace one process after the other.
        """
        kind = {"graceful": graceful, "sequential": sequential}
        return self._order("reload", "info", waiting=True, **kind)

    def incr(self, nb: int = 1) -> Promise:
        """Add processes. The result is their number, which a singleton does not change."""
        if self._is_at_rest:
            return self._count(0 if self.singleton else nb)
        return self._order("incr", "numprocesses", nb=nb, waiting=True)

    def decr(self, nb: int = 1) -> Promise:
        """Remove processes. The result is that of `incr`."""
        if self._is_at_rest:
            return self._count(-nb)
        return self._order("decr", "numprocesses", nb=nb, waiting=True)

    def _count(self, more: int) -> Promise:
        number = max(0, int(self._described()["numprocesses"]) + more)
        self.set_numprocesses(number)
        return Promise.kept(number)

    def set_numprocesses(self, np: int) -> Promise:
        """Set the number of processes."""
        return self.set_options(numprocesses=np)

    def set_opt(self, key: str, val: Any) -> Promise:
        """Change one option; see `set_options`."""
        return self.set_options(**{key: val})

    def set_options(self, **options: Any) -> Promise:
        """Change options; while it runs, processes are replaced where that is needed."""
        if self._is_at_rest:
            for key, value in WATCHER_OPTIONS.convert(options).items():
                setattr(self, key, value)
            return Promise.kept(None)
        return self._order("set", options=options, waiting=True)

    def kill_processes(
        self, stop_signal: int | str | None = None, graceful_timeout: float | None = None
    ) -> Promise:
        """End its processes; new ones take their places.

        Args:
            stop_signal: The first signal, in place of its own.
            graceful_timeout: Seconds until SIGKILL, in place of its own.
        """
        if self._is_at_rest:
            return Promise.kept(None)
        return self._order(
            "kill", signum=stop_signal, graceful_timeout=graceful_timeout, waiting=True
        )

    def send_signal(self, pid: int, signum: int | str) -> None:
        """Send a signal, by number or name, to one of its processes, if there are any.

        Raises:
            MessageError: There is no such signal; or no such process, a NoProcessError.
        """
        if not self._is_at_rest:
            self._order("signal", pid=pid, signum=signum)

    def send_signal_child(self, pid: int, child_id: int, signum: int | str) -> None:
        """Send a signal to a child of one of its processes."""
        self._order("signal", pid=pid, childpid=child_id, signum=signum)

    def send_signal_children(self, pid: int, signum: int | str, recursive: bool = False) -> None:
        """Send a signal to the children of one of its processes; `recursive`: and below them."""
        self._order("signal", pid=pid, signum=signum, children=True, recursive=recursive)

    def _order(self, command: str, field: str = "", **properties: Any) -> Promise:
        """Give an order to this watcher; see `Reach.order`."""
        pid = properties.get("pid", properties.get("process"))
        if pid is not None and self._is_at_rest:
            raise NoProcessError(f"process {pid} not found in {self._name}")
        if self._reach is None:
            raise not_running(command, f"{self._name} is in no arbiter")
        return self._reach.order(command, field, name=self._name, **properties)
