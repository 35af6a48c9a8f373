"""Whether a dotted name can be loaded, by looking for its module: nothing is imported."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder

_UNFORESEEN = re.compile(r"import\s+\*|__getattr__|__path__|globals\(|setattr\(|exec\(")
"""What gives a module names that its text does not have."""

_RENAMED = re.compile(r"^(import|from) circus\b", re.MULTILINE)
CALLED = "; it is called cvec_circus here"


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
            where = spec.origin if spec.has_location else ".".join(names[:number])
            if not _may_have(spec, names[number]):
                return f"there is no {names[number]} in {where}"
            if _RENAMED.search(_text(spec)) and _top("circus", folders) is None:
                return f"{where} imports circus, which is not installed{CALLED}"
            return ""
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
    text = _text(spec)
    return not text or bool(re.search(rf"\b{re.escape(name)}\b", text) or _UNFORESEEN.search(text))


def _text(spec: ModuleSpec) -> str:
    """Return the text of a module, "" if it is in C, in an archive or not for us to read."""
    if not spec.has_location or not str(spec.origin).endswith(".py"):
        return ""
    try:
        with open(str(spec.origin), encoding="utf-8", errors="replace") as file:
            return file.read() or "#"
    except OSError:
        return ""
