"""A watcher, as the program that embeds it sees it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from cvec_circus.embedding.processes import WatchedProcess
from cvec_circus.embedding.promise import Promise
from cvec_circus.embedding.reach import Reach
from cvec_circus.embedding.snapshot import Snapshot, take
from cvec_circus.exc import ConflictError, SupervisorStopped
from cvec_circus.options.watcher import WATCHER_OPTIONS, public
from cvec_circus.wire.topics import fold

STOPPED, ACTIVE, STOPPING = "stopped", "active", "stopping"

Fields = dict[str, Any]


class Watcher:
    """A command and its processes. Safe from any thread.

    While its arbiter does not run, it holds options: each is an attribute that can be read and
    set, and `env` is a dict that can be changed. While the arbiter runs, attributes show what is
    so in this moment, and `env` is a copy; `set_options` changes them.

    Methods that give an order return a promise at once, and its `result()` waits for the end:
    `watcher.stop()` begins to stop it, `watcher.stop().result()` returns when nothing of it is
    left. An order that makes no sense raises at once. On the supervisor thread, which is where
    callbacks of promises run, everything works but waiting; that raises RuntimeError.
    """

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
            cmd: The command; see the reference of options for this one and the following.
            args: Its arguments, as text or as a list.
            numprocesses: How many processes.
            warmup_delay: Seconds between the starts of two of them.
            working_dir: Their working directory.
            env: Variables of their environment.
            prereload_fn: Called with this object before a reload. It may take its time: it has a
                thread of its own. If it raises, nothing is reloaded.
            rlimits: Limits of resources by their names.
            loop: None; there are no loops of others here.
            **options: Any other option; None stands for "not given".

        Raises:
            OptionError: An option does not take the value.
            TypeError: A loop was given.
        """
        if loop is not None:
            raise TypeError("loop: an arbiter turns its own loop, in the thread that starts it")
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
        self._given = {
            key: WATCHER_OPTIONS.convert_one(key, value)
            for key, value in given.items()
            if value is not None
        }
        copied = dict(os.environ) if self._given.get("copy_env") else {}
        self._env = {**copied, **WATCHER_OPTIONS.convert_one("env", env or {})}
        self._prereload_fn = prereload_fn

    @classmethod
    def load_from_config(cls, config: Mapping[str, Any]) -> Watcher:
        """Describe a watcher by a mapping of options."""
        return cls(**config)

    @classmethod
    def of(cls, reach: Reach, name: str, options: Mapping[str, Any] | None = None) -> Watcher:
        """Return the watcher that an arbiter has under a name, however it has come by it.

        Args:
            reach: The arbiter's.
            name: The name.
            options: Its typed options, as far as the arbiter was made with them.
        """
        watcher = cls(name, "")
        watcher._given = dict(options or {})
        watcher._env = dict(watcher._given.get("env", {}))
        watcher.bind(reach)
        return watcher

    def bind(self, reach: Reach) -> None:
        """Belong to an arbiter. Called by the arbiter.

        Raises:
            ConflictError: It belongs to another one, which runs.
        """
        if self._reach not in (None, reach) and self._reach.is_open:
            raise ConflictError(f"{self._name} is in another arbiter, which runs")
        self._reach = reach

    def __repr__(self) -> str:
        return f"<watcher {self._name}>"

    # -- what it is

    @property
    def name(self) -> str:
        """Its name as written."""
        return self._name

    @property
    def res_name(self) -> str:
        """Its name as topics have it."""
        return fold(self._name)

    @property
    def env(self) -> dict[str, str]:
        """Its environment, with all of the program's own under it if `copy_env` is set.

        What is changed in it while the arbiter does not run, the processes get.
        """
        now = self._now()
        if now is None:
            return self._env
        env = now.options["env"]
        return {**os.environ, **env} if now.options["copy_env"] else env

    @env.setter
    def env(self, env: Mapping[str, str] | None) -> None:
        self._refuse_if_running("env")
        self._env = WATCHER_OPTIONS.convert_one("env", env or {})

    @property
    def prereload_fn(self) -> Callable[[Watcher], object] | None:
        """What is called with this object before a reload; None for nothing."""
        return self._prereload_fn

    @prereload_fn.setter
    def prereload_fn(self, fn: Callable[[Watcher], object] | None) -> None:
        self._prereload_fn = fn

    def __getattr__(self, key: str) -> Any:
        """Return the value of an option."""
        if key.startswith("_"):
            raise AttributeError(key)
        now = self._now()
        options = self._described() if now is None else now.options
        for known in (key, key.replace("_stream_conf", "_stream")):
            if known in options:
                return options[known]
        raise AttributeError(f"a watcher has no {key}, and {self._name} no option of that name")

    def __setattr__(self, key: str, value: Any) -> None:
        """Set the value of an option."""
        if key.startswith("_") or hasattr(type(self), key):
            super().__setattr__(key, value)
            return
        self._refuse_if_running(key)
        self._given[key] = WATCHER_OPTIONS.convert_one(key, value)

    def mapping(self) -> Fields:
        """Return its name and what was given of its options, for a configuration."""
        # What the program's own environment has anyway need not be shown to whoever asks.
        copied = os.environ if self._given.get("copy_env") else {}
        env = {key: value for key, value in self._env.items() if copied.get(key) != value}
        return {"name": self._name, **self._given, "env": env}

    def options(self, *keys: str) -> list[tuple[str, Any]]:
        """List its options by name as the wire shows them; those of `keys` if there are any."""
        now = self._now()
        shown = public(self._described(), None) if now is None else now.shown
        return sorted((key, value) for key, value in shown.items() if not keys or key in keys)

    # -- what it does

    def status(self) -> str:
        """Its state: stopped, starting, active or stopping."""
        now = self._now()
        return STOPPED if now is None else now.state

    def is_active(self) -> bool:
        """Whether all its processes have been started."""
        return self.status() == ACTIVE

    def is_stopped(self) -> bool:
        """Whether nothing of it runs."""
        return self.status() == STOPPED

    def is_stopping(self) -> bool:
        """Whether its processes are being stopped."""
        return self.status() == STOPPING

    @property
    def processes(self) -> dict[int, WatchedProcess]:
        """Its processes by pid, in order of their numbers."""
        now = self._now()
        if now is None or self._reach is None:
            return {}
        return {
            pid: WatchedProcess(self._reach, now.name, pid, wid, started)
            for pid, wid, started in now.processes
        }

    @property
    def pids(self) -> list[int]:
        """The pids of its processes, in order of their numbers."""
        return list(self.processes)

    def get_active_pids(self) -> list[int]:
        """The same as `pids`."""
        return self.pids

    def get_active_processes(self) -> list[WatchedProcess]:
        """Its processes, in order of their numbers."""
        return list(self.processes.values())

    def __len__(self) -> int:
        return len(self.processes)

    def __bool__(self) -> bool:
        return True  # although it may have no processes

    def info(self) -> dict[int, Fields]:
        """What `stats` tells of its processes by pid. Not on the supervisor thread."""
        found: Fields = self._order("stats", "info").result()
        return {int(pid): info for pid, info in found.items()}

    def process_info(self, pid: int) -> Fields:
        """What `stats` tells of one of its processes. Not on the supervisor thread."""
        found: Fields = self._order("stats", "info", process=pid).result()
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
        """Replace its processes, new ones first. The result is as that of `restart`.

        Args:
            graceful: False does it as `restart`.
            sequential: Whether one is stopped and replaced after the other.
        """
        kind = {"graceful": graceful, "sequential": sequential}
        return self._order("reload", "info", waiting=True, **kind)

    def incr(self, nb: int = 1) -> Promise:
        """Have more processes. The result is how many; a singleton keeps its own number."""
        return self._order("incr", "numprocesses", nb=nb, waiting=True)

    def decr(self, nb: int = 1) -> Promise:
        """Have fewer processes. The result is as that of `incr`."""
        return self._order("decr", "numprocesses", nb=nb, waiting=True)

    def set_numprocesses(self, numprocesses: int) -> Promise:
        """Have that many processes."""
        return self.set_options(numprocesses=numprocesses)

    def set_opt(self, key: str, value: Any) -> Promise:
        """Change one option; see `set_options`."""
        return self.set_options(**{key: value})

    def set_options(self, **options: Any) -> Promise:
        """Change options while it runs; processes are replaced where that is needed."""
        return self._order("set", options=options, waiting=True)

    def kill_processes(
        self, stop_signal: int | str | None = None, graceful_timeout: float | None = None
    ) -> Promise:
        """End its processes; their places are filled again.

        Args:
            stop_signal: The signal to begin with, instead of its own.
            graceful_timeout: Seconds until SIGKILL, instead of its own.
        """
        return self._order(
            "kill", signum=stop_signal, graceful_timeout=graceful_timeout, waiting=True
        )

    def send_signal(self, pid: int, signum: int | str) -> None:
        """Send a signal, by number or name, to one of its processes.

        Raises:
            MessageError: It is none of them, or there is no such signal.
        """
        self._order("signal", pid=pid, signum=signum)

    def send_signal_child(self, pid: int, child_id: int, signum: int | str) -> None:
        """Send a signal to a child of one of its processes."""
        self._order("signal", pid=pid, childpid=child_id, signum=signum)

    def send_signal_children(self, pid: int, signum: int | str, recursive: bool = False) -> None:
        """Send a signal to the children of one of its processes; `recursive`: and below them."""
        self._order("signal", pid=pid, signum=signum, children=True, recursive=recursive)

    # -- how

    def _now(self) -> Snapshot | None:
        """What is so while its arbiter runs; None while it does not."""
        if self._reach is None or not self._reach.is_open:
            return None
        try:
            found: Snapshot = self._reach.ask(take, self._name)
        except SupervisorStopped:
            return None  # it has ended meanwhile
        return found

    def _described(self) -> Fields:
        return {**WATCHER_OPTIONS.complete(self._given), "env": self._env}

    def _refuse_if_running(self, key: str) -> None:
        if self._reach is not None and self._reach.is_open:
            raise AttributeError(
                f"{self._name} is in an arbiter that runs: set_options({key}=...) changes it"
            )

    def _order(self, command: str, field: str = "", **properties: Any) -> Promise:
        """Give an order to this watcher; the promise has one field of the reply."""
        if self._reach is None:
            raise SupervisorStopped(f"{self._name} is in no arbiter")
        properties["name"] = self._name
        return self._reach.order(command, lambda fields: fields.get(field), **properties)
