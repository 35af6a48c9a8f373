"""Whether a dotted name can be loaded, by looking for its module: nothing is imported."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder

_UNFORESEEN = re.compile(r"import\s+\*|__getattr__|__path__|globals\(|setattr\(|exec\(")
"""What gives a module names that its text does not have."""


def why_not(dotted: str, folders: Sequence[str]) -> str:
    """Return why a dotted name cannot be loaded, "" if it may be.

    A name in a module is looked for as a word in its text: it may be anything there.

    Args:
        dotted: As for `importing.load`.
        folders: Where modules are found beside `sys.path`.
    """
    names = dotted.replace(":", ".").split(".")
    spec = _top(names[0], folders)
    if spec is None:
        return f"there is no module {names[0]}"
    for number in range(1, len(names)):
        within = spec.submodule_search_locations
        name = ".".join(names[: number + 1])
        inner = within and PathFinder.find_spec(name, list(within))
        if not inner:
            if _may_have(spec, names[number]):
                return ""
            where = spec.origin if spec.has_location else ".".join(names[:number])
            return f"there is no {names[number]} in {where}"
        spec = inner
    return ""


def _top(name: str, folders: Sequence[str]) -> ModuleSpec | None:
    if name not in sys.modules:
        found = importlib.util.find_spec(name)
        return found or PathFinder.find_spec(name, folders)
    return sys.modules[name].__spec__ or ModuleSpec(name, None, origin="")


def _may_have(spec: ModuleSpec, name: str) -> bool:
    """Return whether a module that is not imported may have a name."""
    if spec.submodule_search_locations is not None and spec.origin is None:
        return False  # a folder without __init__.py
    if not spec.has_location or not str(spec.origin).endswith(".py"):
        return True  # in C, or in an archive
    try:
        with open(str(spec.origin), encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return True  # not for us to read
    return bool(re.search(rf"\b{re.escape(name)}\b", text) or _UNFORESEEN.search(text))
