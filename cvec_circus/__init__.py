"""cvec_circus: a process and socket supervisor with a plugin system."""

from __future__ import annotations

import logging
from typing import Any

__version__ = "0.1.0"

version_info = (0, 1, 0)

logger = logging.getLogger("cvec_circus")
logger.addHandler(logging.NullHandler())


def get_arbiter(
    watchers: Any, controller: str | None = None, pubsub_endpoint: str | None = None, **options: Any
) -> Any:
    """Make an arbiter: all watchers, sockets and plugins of a program.

    `cvec_circus.arbiter.get_arbiter` documents the arguments. The daemon is imported only here:
    clients, plugins and the command line do without it.
    """
    from cvec_circus.embedding.arbiter import get_arbiter

    return get_arbiter(watchers, controller, pubsub_endpoint, **options)


def __getattr__(name: str) -> Any:
    """Find the one name of Circus that is gone from here."""
    if name != "ArbiterHandler":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cvec_circus.compat.paths import find

    return find(__name__, name)
