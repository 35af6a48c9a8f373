"""Whether a dotted name can be loaded, by looking for its module: nothing is imported."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder

from cvec_circus.base.patterns import regex
from cvec_circus.system.importing import CALLED

_UNFORESEEN = regex(r"import\s+\*|__getattr__|__path__|globals\(|setattr\(|exec\(")
"""What gives a module names that its text does not have."""

_RENAMED = regex(r"^(import|from) circus\b", re.MULTILINE)


def why_not(dotted: str, folders: Sequence[str], given: Sequence[str] | None = None) -> str:
    """Return why a dotted name cannot be loaded, or called, "" if it may be.

    A name in a module is looked for as a word in its text: it may be anything there.

    Args:
        dotted: As for `importing.load`.
        folders: Where modules are found beside `sys.path`.
        given: The names of what a function is called with; None for a class of what can be called.
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
                fault = _fault(spec, names[number:], folders, given)
                return fault or f"there is no {names[number]} in {where}"
            if _RENAMED.search(_text(spec)) and _top("circus", folders) is None:
                return f"{where} imports circus, which is not installed{CALLED}"
            return _fault(spec, names[number:], folders, given)
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


def _fault(
    spec: ModuleSpec, names: Sequence[str], folders: Sequence[str], given: Sequence[str] | None
) -> str:
    """Return the line of a module that keeps a name in it from being used, and why; "" for none."""
    text, path = _text(spec), str(spec.origin)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        return f"{path}:{error.lineno or 1}: {error.msg}"
    except (ValueError, RecursionError, MemoryError):
        return ""
    for node in tree.body:
        for name in _imported(node):
            if name != "circus" and _top(name, folders) is None:
                return f"{path}:{node.lineno}: there is no module {name}"
    found = [node for node in tree.body if names[0] in _defined(node)] if len(names) == 1 else []
    if not found or _UNFORESEEN.search(text):
        return ""
    reason = _why_not_called(found[-1], names[0], given)
    return f"{path}:{found[-1].lineno}: {reason}" if reason else ""


def _imported(node: ast.stmt) -> list[str]:
    """Return the packages that a statement imports wherever it is."""
    if isinstance(node, ast.Import):
        return [one.name.partition(".")[0] for one in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [str(node.module).partition(".")[0]]
    return []


def _defined(node: ast.stmt) -> list[str]:
    """Return the names that a statement gives something to, as far as that is plain."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [one.id for one in node.targets if isinstance(one, ast.Name)]
    # What is imported, or made under a condition, may be anything.
    inner = (one for one in ast.walk(node) if isinstance(one, (ast.stmt, ast.alias)))
    names = [str(getattr(one, "asname", "") or getattr(one, "name", "")) for one in inner]
    stored = [one.id for one in ast.walk(node) if isinstance(one, ast.Name)]
    return [*names, *stored]


def _why_not_called(node: ast.stmt, name: str, given: Sequence[str] | None) -> str:
    """Return why what a statement defines cannot be called, "" if it may be."""
    if isinstance(node, ast.Assign):
        if not isinstance(node.value, (ast.Constant, ast.List, ast.Dict, ast.Set, ast.Tuple)):
            return ""
        return f"{name} is a value, and no {'class' if given is None else 'function'}"
    if getattr(node, "decorator_list", ()):
        return ""
    if given is None:
        if isinstance(node, ast.ClassDef) and not (node.bases or node.keywords):
            inner = [one for each in node.body for one in _defined(each)]
            return "" if "__call__" in inner else f"{name} has no __call__, which gets the output"
        return ""
    if isinstance(node, ast.AsyncFunctionDef):
        return f"{name} is a coroutine function, which is never awaited"
    return _why_not_given(node.args, name, given) if isinstance(node, ast.FunctionDef) else ""


def _why_not_given(takes: ast.arguments, name: str, given: Sequence[str]) -> str:
    names = {one.arg for one in (*takes.args, *takes.kwonlyargs)}
    missing = [one for one in given if one not in names and not takes.kwarg]
    if not missing:
        return ""
    meant = f"def {name}({', '.join(given)}, **kwargs)"
    return f"{name} is called with {', '.join(missing)}, which it does not take; write {meant}"
