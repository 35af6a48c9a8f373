"""Causes: why something happened and who ordered it, for events and log lines."""

from __future__ import annotations

from cvec_circus.base.named import NamedTuple


class Cause(NamedTuple):
    """Why something is wanted or has happened. Immutable.

    Attributes:
        text: The `cause` of events: "exit", "command:restart" ... Plugins compare it.
        actor: Who gave the order: "client", "plugin:NAME", "hook:NAME", "signal:TERM", "file",
            "program"; "" if it was not ordered.
        why: The reason that the actor gave, a sentence; "" if none.
    """

    text: str
    actor: str = ""
    why: str = ""

    @property
    def sentence(self) -> str:
        """The actor and its reason, to follow a verb: " by plugin:flapping: 5 deaths"."""
        by = f" by {self.actor}" if self.actor else ""
        return f"{by}: {self.reason}" if self.why else by

    @property
    def reason(self) -> str:
        """The reason without the actor's name, which built-in plugins put before theirs."""
        prefix = f"{self.actor}: "
        return self.why[len(prefix) :] if self.why.startswith(prefix) else self.why

    @property
    def is_worth_telling(self) -> bool:
        """Whether it needs an explanation: a plugin or a hook decided, or a reason was given."""
        return bool(self.why) or self.actor.startswith(("plugin:", "hook:"))


NONE = Cause("")
EXIT = Cause("exit")
SIGNALLED = Cause("command:signal")
MAX_AGE = Cause("max_age")
GIVE_UP = Cause("giveup")
CONNECTION = Cause("connection")
EXEC = Cause("exec")
HOOK = Cause("hook")
READY = Cause("ready")
PART_OF = Cause("part_of")
LIVE = Cause("live")
ROLLBACK = Cause("rollback")
SCHEDULE = Cause("schedule")
ADOPT = Cause("adopt")

OWN_ENDS = frozenset({"", "exit", "command:signal"})
"""The causes of ends that nothing here has asked for."""
