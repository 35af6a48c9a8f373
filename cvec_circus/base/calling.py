"""Positional arguments, as programs for Circus pass them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def in_order(names: str) -> Callable[[F], F]:
    """Let a function take the positional arguments of its Circus counterpart, in Circus' order.

    The function's own parameters come first, in their order; the further ones reach it by name.

    Args:
        names: Circus' further parameters, in its order.
    """
    further = names.split()

    def decorate(fn: F) -> F:
        kinds = [one.kind for one in inspect.signature(fn).parameters.values()]
        own = kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)

        @wraps(fn)
        def ordered(*args: Any, **options: Any) -> Any:
            more = dict(zip(further, args[own:]))
            if len(args) > own + len(further):
                text = f"{len(args)} arguments by position, of {own + len(further)} that there are"
                raise TypeError(f"{fn.__qualname__}: {text}")
            for name in more.keys() & options.keys():
                raise TypeError(f"{fn.__qualname__}: {name} is given by position and by name")
            return fn(*args[:own], **more, **options)

        ordered.further = further  # type: ignore[attr-defined]
        return ordered  # type: ignore[return-value]

    return decorate
