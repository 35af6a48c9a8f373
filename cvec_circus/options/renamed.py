"""Names of Circus in values: a plugin, a hook or a stream class that is ours by now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

CIRCUS = "circus."

MODULES = frozenset(
    "arbiter circusctl circusd client commands config consumer exc pidfile plugins process sockets"
    " stats stats.client stream stream.file_stream util watcher"
    " plugins._statsd plugins.command_reloader plugins.flapping plugins.http_observer"
    " plugins.redis_observer plugins.resource_watcher plugins.statsd plugins.watchdog".split()
)
"""The modules of Circus with something to name in a value, as far as they are here."""

OUR_STREAMS = frozenset({"cvec_circus.stream", "cvec_circus.stream.file_stream"})
"""The modules that have the built-in classes of streams."""

_FAMILIES = ("hooks", "stdout_stream", "stderr_stream")


def ours(dotted: str) -> str:
    """Return what a dotted name of Circus is called here, and any other text as it is.

    It is so whether Circus is installed or not: a class of its own would not work here.
    """
    place = dotted.replace(":", ".").rpartition(".")[0]
    is_here = dotted.startswith(CIRCUS) and place[len(CIRCUS) :] in MODULES
    return f"cvec_{dotted}" if is_here else dotted


def of_circus(key: str, value: Any) -> Iterator[str]:
    """Say of each name of Circus in the value of an option what it is called here."""
    if key == "use" or key.partition(".")[0] in _FAMILIES:
        for text in _texts(value):
            name = text.partition(",")[0].strip()
            if ours(name) != name:
                yield f"{name} is {ours(name)} here, and read as that; write the new name"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, (list, tuple)):
        for one in value[:1]:  # of a hook; its flag follows
            yield from _texts(one)
