"""Option: one row of a table of options."""

from __future__ import annotations

from typing import Any, NamedTuple


class Option(NamedTuple):
    """One thing that can be configured. Immutable.

    Attributes:
        name: The key in a file and on the wire. A name that ends in `*` stands for every key that
            begins so (`rlimit_*`).
        kind: How a value is understood: a name in `kinds.KINDS`.
        default: The value when none is given, already of its kind.
        doc: What the option does, in sentences for the reference.
        live: Whether `set` may change it while the daemon runs.
        reloads: Whether a change needs fresh processes to take effect.
        low: The smallest number allowed; None for no limit.
        high: The greatest number allowed; None for no limit.
        choices: The values a `choice` may have.
        available: False for what this version cannot do: only the default is taken.
        warning: What to say when the option is given although it has no effect here.
    """

    name: str
    kind: str
    default: Any
    doc: str
    live: bool = True
    reloads: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    available: bool = True
    warning: str = ""

    @property
    def is_family(self) -> bool:
        """Whether this row stands for all keys that begin with its name."""
        return self.name.endswith("*")
