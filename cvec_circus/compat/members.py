"""The attributes of Circus' classes that ours do not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus.base.overrides import overridden, warn_of_overrides


class Members:
    """Says what to write instead of an attribute that is gone. Safe from any thread.

    A subclass that has a method of such a name is warned of when it is defined.

    Attributes:
        _circus_class: The class in Circus that a class stands for, such as "watcher.Watcher".
        _in_vain: Further methods that Circus calls of one and nothing here does, with blanks.
        _instead: What a subclass that overrides one is to do instead.
    """

    _circus_class = ""
    _in_vain = ""
    _instead = "override what its documentation names"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not overridden(cls, vars(cls)):
            return  # a class of this package
        from cvec_circus.compat import gone

        given = [vars(base) for base in cls.__mro__]
        places = [one["_circus_class"] for one in given if one.get("_circus_class")]
        names = [name for place in places for name in gone.names_of(place)]
        names += [name for one in given for name in one.get("_in_vain", "").split()]
        methods = [name for name in names if callable(getattr(cls, name, None))]
        warn_of_overrides(cls, methods, cls._instead)

    if not TYPE_CHECKING:  # mypy must find an attribute that does not exist

        def __getattr__(self, name: str) -> Any:
            """Refuse an attribute that neither the object nor its class has."""
            from cvec_circus.compat import gone

            for cls in type(self).__mro__:
                if place := vars(cls).get("_circus_class"):
                    gone.refuse(place, name)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
