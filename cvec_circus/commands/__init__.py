"""The commands of the wire, one file each; shared by the daemon and its command line."""

from __future__ import annotations

from typing import Any


def get_commands() -> dict[str, Any]:
    """Load every command, and return them by name."""
    from cvec_circus.commands.table import load_all

    return load_all()


def __getattr__(name: str) -> Any:
    """Find what programs for Circus import from here, on first use."""
    from cvec_circus.compat.paths import find

    return find(__name__, name)
