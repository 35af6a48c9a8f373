"""The attributes of Circus' classes that ours do not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


class Members:
    """Says of an attribute that is gone what to write instead. Safe from any thread.

    Attributes:
        _circus_class: The class in Circus that a class stands for, such as "watcher.Watcher".
    """

    _circus_class = ""

    if not TYPE_CHECKING:  # an attribute that nobody has is to be found by mypy

        def __getattr__(self, name: str) -> Any:
            """Refuse an attribute that neither the object nor its class has."""
            from cvec_circus.compat import gone

            for cls in type(self).__mro__:
                if place := vars(cls).get("_circus_class"):
                    gone.refuse(place, name)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
