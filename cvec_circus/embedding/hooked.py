"""What hooks get: a watcher and an arbiter to ask and to give orders to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cvec_circus.core import watcher as core
from cvec_circus.embedding import life
from cvec_circus.embedding.reach import Reach
from cvec_circus.embedding.registry import Watchers
from cvec_circus.embedding.watcher import Watcher
from cvec_circus.supervisor.supervisor import Supervisor

if TYPE_CHECKING:
    from cvec_circus.supervisor.hook_calls import Caller


class HookedWatcher(Watcher):
    """A watcher as its hooks see it, also while it is being removed. Safe from any thread.

    Attributes show the state of this moment. Only `env` can be changed, or set: the processes that
    are spawned after the hook's answer get what the hook has changed in it.
    """

    @classmethod
    def made(cls, reach: Reach, subject: core.Watcher, caller: Caller) -> HookedWatcher:
        """Make it on the thread of the watcher's hooks, whose orders carry their names then."""
        reach.act_for(caller)
        watcher = cls(subject.name, "")
        watcher._subject = subject
        watcher.bind(reach)
        return watcher

    def lend(self, env: dict[str, str]) -> None:
        """Show this environment from now on, and take changes in it."""
        self._env = env

    @property
    def env(self) -> dict[str, str]:
        """Its environment, on top of the program's own if `copy_env` is set."""
        return self._env

    @env.setter
    def env(self, env: Mapping[str, str] | None) -> None:
        self._env = dict(env or {})


class RunningArbiter(Watchers):
    """The daemon as the hooks of its watchers see it. Safe from any thread."""

    def __init__(self, supervisor: Supervisor) -> None:
        super().__init__((), (), (), {})
        self._configuration = supervisor.configuration
        self._reach.begin(supervisor, supervisor.loop.thread_id)
        self.endpoint = supervisor.control.address
        self.pubsub_endpoint = supervisor.events.address
        self.stats_endpoint = self._configuration.circus["stats_endpoint"]
        self.check_delay = self._configuration.circus["check_delay"]

    def stop(self) -> None:
        """Begin to stop everything; a hook cannot wait for the end, which waits for the hook."""
        self._reach.post(life.stop, self._reach.actor)

    def facades(self, subject: core.Watcher, caller: Caller) -> tuple[Watcher, Watchers]:
        """Return what the functions of a watcher's hooks get as `watcher` and `arbiter`."""
        return HookedWatcher.made(self._reach, subject, caller), self

    def end(self) -> None:
        """Disconnect: the daemon has ended."""
        self._reach.end()
