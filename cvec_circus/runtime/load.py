"""Finding a plugin class by its name, and saying in one line why it cannot be used."""

from __future__ import annotations

import difflib
import importlib
import traceback
from types import ModuleType
from typing import Any

from cvec_circus.exc import PluginError
from cvec_circus.plugins.plugin import CircusPlugin, require_handle_recv
from cvec_circus.runtime.catalogue import find


def load_class(name: str) -> type[CircusPlugin]:
    """Import the class of a plugin.

    Args:
        name: Module and class, "myproject.plugins.Logger" for example; or the short name of a
            plugin that is installed.

    Returns:
        The class, which is fit for use.

    Raises:
        PluginError: It cannot be imported, has no such name, or is no plugin. The text is one line.
    """
    listed = find(name)
    try:
        return _load(listed.dotted, listed.module, listed.attribute)
    except PluginError as error:
        if name.startswith("circus."):
            raise PluginError(f"{error}; did you mean cvec_{name}?") from error.__cause__
        raise


def _load(name: str, place: str, attribute: str) -> type[CircusPlugin]:
    if not attribute:
        raise PluginError(f"cannot import {place}: it is announced as a plugin, but no class in it")
    found: Any = _import(name, place)
    for part in attribute.split("."):
        found = _attribute(found, place, part)
    if not isinstance(found, type) or not issubclass(found, CircusPlugin):
        base = f"{CircusPlugin.__module__.rpartition('.')[0]}.{CircusPlugin.__name__}"
        raise PluginError(f"{name} is no plugin: it does not derive from {base}")
    try:
        require_handle_recv(found)
    except PluginError:
        raise PluginError(f"{name} does not implement handle_recv") from None
    return found


def _import(name: str, place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{place}.".startswith(f"{error.name}."):
            raise PluginError(f"cannot import {name}: there is no module {error.name}") from None
        hint = "; it is called cvec_circus here" if _is_circus(error.name) else ""
        raise PluginError(f"cannot import {name}: {_describe(error)}{hint}") from error
    except (Exception, SystemExit) as error:
        raise PluginError(f"cannot import {name}: {_describe(error)}") from error


def _is_circus(module: str | None) -> bool:
    """Tell whether a module is one of the program whose plugins run here."""
    return module is not None and module.partition(".")[0] == "circus"


def _attribute(module: object, place: str, attribute: str) -> Any:
    try:
        return getattr(module, attribute)
    except AttributeError:
        near = difflib.get_close_matches(attribute, dir(module), 1)
        hint = f", did you mean {near[0]}?" if near else ""
        raise PluginError(f"there is no {attribute} in {place}{hint}") from None


def _describe(error: BaseException) -> str:
    """Say in one line what went wrong in somebody's module, and where."""
    lines = traceback.format_exception_only(type(error), error)
    text = " ".join(lines[-1].split())
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError):
        return f"{text} ({error.filename}, line {error.lineno})"
    return f"{text} ({frames[-1].filename}, line {frames[-1].lineno})" if frames else text
