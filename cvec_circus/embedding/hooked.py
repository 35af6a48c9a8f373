"""What hooks get: a watcher and an arbiter to ask and to give orders to."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cvec_circus.core import watcher as core
from cvec_circus.embedding import life, snapshot
from cvec_circus.embedding.reach import Reach
from cvec_circus.embedding.registry import Watchers
from cvec_circus.embedding.snapshot import Snapshot
from cvec_circus.embedding.watcher import Watcher
from cvec_circus.exc import SupervisorStopped
from cvec_circus.supervisor.supervisor import Supervisor

if TYPE_CHECKING:
    from cvec_circus.supervisor.hook_calls import Caller


class HookedWatcher(Watcher):
    """A watcher as its hooks see it, also while it is being removed. Safe from any thread.

    Attributes show what is so in this moment. Only `env` is a dict that can be changed, or set:
    what a hook has changed in it, the processes get that are spawned after its answer.
    """

    @classmethod
    def made(cls, reach: Reach, meant: core.Watcher, caller: Caller) -> HookedWatcher:
        """Make the one for a watcher of that arbiter, on the thread of the watcher's hooks.

        Args:
            reach: The arbiter's.
            meant: The watcher.
            caller: What calls its hooks: from now on, their orders carry their names.
        """
        reach.act_for(caller)
        watcher = cls(meant.name, "")
        watcher._meant = meant
        watcher.bind(reach)
        return watcher

    def lend(self, env: dict[str, str]) -> None:
        """From now on show this environment, and take changes in it."""
        self._env = env

    @property
    def env(self) -> dict[str, str]:
        """Its environment, with all of the program's own under it if `copy_env` is set."""
        return self._env

    @env.setter
    def env(self, env: Mapping[str, str] | None) -> None:
        self._env = dict(env or {})

    def _now(self) -> Snapshot | None:
        if self._reach is None or not self._reach.is_open:
            return None
        try:
            found: Snapshot = self._reach.ask(snapshot.of, self._meant)
        except SupervisorStopped:
            return None
        return found


class RunningArbiter(Watchers):
    """The daemon as the hooks of its watchers see it: an arbiter that runs. Safe from any thread.

    Attributes:
        endpoint: Where commands are taken.
        pubsub_endpoint: Where events are published.
        stats_endpoint: Reported to whoever asks.
        check_delay: Seconds; reported, and handed to the plugins.
    """

    def __init__(self, supervisor: Supervisor) -> None:
        super().__init__((), (), (), {})
        circus = supervisor.configuration.circus
        self._configuration = supervisor.configuration
        self._prefix = circus["fqdn_prefix"]
        self._reach.begin(supervisor, supervisor.loop.thread_id)
        self.endpoint: str = supervisor.control.address
        self.pubsub_endpoint: str = supervisor.events.address
        self.stats_endpoint: str = circus["stats_endpoint"]
        self.check_delay: float = circus["check_delay"]

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._reach.is_open

    @property
    def fqdn(self) -> str:
        """The name of this machine, after `fqdn_prefix` and an @ if there is one."""
        return f"{self._prefix}@{socket.getfqdn()}" if self._prefix else socket.getfqdn()

    def stop(self) -> None:
        """Begin to stop everything; a hook cannot wait for the end, which waits for the hook."""
        self._reach.post(life.stop, self._reach.actor)

    def facades(self, meant: core.Watcher, caller: Caller) -> tuple[Watcher, Watchers]:
        """Return what the functions of a watcher's hooks get as `watcher` and `arbiter`."""
        return HookedWatcher.made(self._reach, meant, caller), self

    def end(self) -> None:
        """The daemon has ended."""
        self._reach.end()
