"""cvec_circus: a process and socket supervisor with a plugin system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logging import Logger

    logger: Logger

__version__ = "0.1.0"

version_info = (0, 1, 0)

stands_for = ""
"""The version of Circus that the module `circus` stands for, where that is ours; else ""."""


def get_arbiter(
    watchers: Any,
    controller: str | None = None,
    pubsub_endpoint: str | None = None,
    *args: Any,
    **options: Any,
) -> Any:
    """Make an arbiter: all watchers, sockets and plugins of a program.

    `cvec_circus.arbiter.get_arbiter` documents the arguments. The daemon is imported only here:
    clients, plugins and the command line do without it.
    """
    from cvec_circus.embedding.threaded import get_arbiter

    return get_arbiter(watchers, controller, pubsub_endpoint, *args, **options)


def version_text(program: str = "") -> str:
    """Return what a program answers to --version; under a name of Circus, exactly what that does.

    Scripts compare it; `circusd --help` and the package say that it is ours.
    """
    if not stands_for:
        return f"{program} {__version__}".lstrip()
    return f"circusctl {stands_for}" if program == "cvec_circusctl" else stands_for


def __getattr__(name: str) -> Any:
    """Find the logger on first use, since a client that logs nothing does without the module, which
    takes 4 ms to load; the one name of Circus that is gone from here, and what `import *` takes.
    """
    if name == "logger":
        import logging

        globals()["logger"] = logging.getLogger("cvec_circus")
        return globals()["logger"]
    if name not in ("__all__", "ArbiterHandler"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cvec_circus.compat.paths import find

    return find(__name__, name)
