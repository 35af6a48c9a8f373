"""What hooks get as their watcher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus.core import watcher as core
from cvec_circus.embedding.reach import Reach
from cvec_circus.embedding.watcher import Watcher
from cvec_circus.options.watcher import WATCHER_OPTIONS

if TYPE_CHECKING:
    from cvec_circus.supervisor.hook_calls import Caller


class HookedWatcher(Watcher):
    """A watcher as its hooks see it, also while it is being removed. Safe from any thread.

    Attributes show the state of this moment. Only `env` can be changed, or set: the processes that
    are spawned after the hook's answer get what the hook has changed in it. What is no option is
    that of the arbiter's object, to which it is equal: a method of the program's class, or what a
    hook keeps there.
    """

    _handle: Watcher

    @classmethod
    def made(
        cls, handle: Watcher, reach: Reach, subject: core.Watcher, caller: Caller
    ) -> HookedWatcher:
        """Make it on the thread of the watcher's hooks, whose orders carry their names then."""
        reach.act_for(caller)
        watcher = cls(subject.name, "")
        watcher._subject = subject
        watcher._handle = handle
        watcher.bind(reach)
        return watcher

    def __eq__(self, other: object) -> bool:
        return other is self or other is self._handle

    def __hash__(self) -> int:
        return hash(self._handle)

    def __getattr__(self, key: str) -> Any:
        """Return what only the arbiter's object has; otherwise the value of an option."""
        handle = vars(self).get("_handle")
        if handle is not None and (key in vars(handle) or hasattr(type(handle), key)):
            return getattr(handle, key)
        return super().__getattr__(key)

    def __setattr__(self, key: str, value: Any) -> None:
        """Set an option by an order; anything else on the arbiter's object."""
        is_own = key.startswith("_") or hasattr(type(self), key)
        if is_own or WATCHER_OPTIONS.find(key) is not None:
            super().__setattr__(key, value)
        else:
            setattr(self._handle, key, value)

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
