"""Finding plugins: which are installed, the class that a name means, and its summary.

Each installed plugin has a short name that can be used instead of the dotted name of its class.
Other packages register short names by entry points of the group `cvec_circus.plugins`.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
import sys
from contextlib import redirect_stdout
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.base.complaints import in_a_line, raised_at
from cvec_circus.base.named import NamedTuple
from cvec_circus.base.patterns import DOTTED
from cvec_circus.exc import PluginError
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.options.renamed import ours
from cvec_circus.runtime.plugin import CircusPlugin
from cvec_circus.system.importing import called

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "cvec_circus.plugins"
"""The group of entry points, which is also the package of the built-in plugins."""

BUILT_IN = {
    "autoscaler": "autoscaler:Autoscaler",
    "command-reloader": "command_reloader:CommandReloader",
    "flapping": "flapping:Flapping",
    "full-stats": "statsd:FullStats",
    "http": "http_observer:HttpObserver",
    "logger": "event_logger:Logger",
    "mail": "mail:MailNotifier",
    "redis": "redis_observer:RedisObserver",
    "resource-watcher": "resource_watcher:ResourceWatcher",
    "statsd": "statsd:StatsdEmitter",
    "watchdog": "watchdog:WatchDog",
    "webhook": "webhook:Webhook",
}
"""The short name, the module within the package, and the class in it."""


class Listed(NamedTuple):
    """A plugin that is installed. Immutable.

    Attributes:
        name: The short name.
        module: The module of its class.
        attribute: The class; with dots, if it is nested in another one.
        package: The distribution that contains it, and its version; "" for our own.
    """

    name: str
    module: str
    attribute: str
    package: str = ""

    @property
    def dotted(self) -> str:
        """The full name of the class."""
        return f"{self.module}.{self.attribute}"


def find(name: str) -> Listed:
    """Return the plugin that a short or a dotted name means, without importing its module.

    Raises:
        PluginError: It is neither. The text is one line.
    """
    ours = name.replace("_", "-")  # people mix them up
    if ours in BUILT_IN:
        return _built_in(ours)
    place, dot, attribute = name.rpartition(".")
    if DOTTED.fullmatch(name):
        return Listed(name, place, attribute)
    others = entry_points()
    for one in others:
        if one.name == name:
            return one
    near = did_you_mean(name, [*BUILT_IN, *(one.name for one in others)])
    what = "the dotted name of a class, such as myproject.plugins.Logger"
    what = f"not {what}" if dot else f"neither the short name of an installed plugin nor {what}"
    raise PluginError(f"{name!r} is {what}{near}")


def installed() -> list[Listed]:
    """Return all plugins that have short names: ours, then those of others."""
    return [*map(_built_in, BUILT_IN), *(one for one in entry_points() if one.name not in BUILT_IN)]


def names() -> list[str]:
    """Return their short names."""
    return [one.name for one in installed()]


def entry_points() -> list[Listed]:
    """Return the plugins that other packages announce, by name."""
    # Importing it takes half as long as starting a plugin, for names that are seldom used.
    from importlib.metadata import entry_points as announced

    ours = announced(group=GROUP) if sys.version_info >= (3, 10) else announced().get(GROUP, ())
    listed = {one.name: _announced(one) for one in reversed(list(ours))}  # the first one counts
    return [listed[name] for name in sorted(listed)]


def _built_in(name: str) -> Listed:
    module, _, attribute = BUILT_IN[name].partition(":")
    return Listed(name, f"{GROUP}.{module}", attribute)


def _announced(point: EntryPoint) -> Listed:
    module, _, attribute = (part.strip() for part in point.value.partition(":"))
    package = getattr(point, "dist", None)  # missing in Python 3.9
    origin = f"{package.metadata['Name']} {package.version}" if package else "another package"
    return Listed(point.name, module, attribute.partition("[")[0].strip(), origin)


def overview() -> list[str]:
    """Return a line for each installed plugin: its short name and what it does, or what is wrong.

    Their modules are imported; what they print goes to standard error.
    """
    listed = installed()
    width = max(len(one.name) for one in listed)
    lines = []
    for one in listed:
        try:
            with redirect_stdout(sys.stderr):
                said = summary(load_class(one.name)) or one.dotted
        except PluginError as error:
            said = str(error)
        lines.append(f"{one.name:{width}}  {said}" + (f" ({one.package})" if one.package else ""))
    return lines


def summary(plugin: type) -> str:
    """Return the first sentence of a class's own docstring, on one line; "" if it has none."""
    paragraph = re.split(r"\n\s*\n", inspect.cleandoc(plugin.__doc__ or ""))[0]
    # A sentence does not end at an "e.g.".
    found = re.match(r".*?[.!?](?=\s+[^\Wa-z]|\s*$)|.+", paragraph, re.DOTALL)
    return " ".join(found[0].split()) if found else ""


def load_class(name: str) -> type[CircusPlugin]:
    """Import the class of a plugin by its short or dotted name.

    Raises:
        PluginError: It cannot be imported, has no such name, or is not a plugin: one line.
    """
    if (called := ours(name)) != name:
        logger.warning("%s is %s here, and read as that; write the new name", name, called)
    return _load(find(called))


def _load(listed: Listed) -> type[CircusPlugin]:
    name, module = listed.dotted, listed.module
    if not listed.attribute:
        raise PluginError(f"cannot import {module}: its entry point names no class")
    found: Any = _import(name, module)
    for part in listed.attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            near = difflib.get_close_matches(part, dir(found), 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise PluginError(f"there is no {part} in {module}{hint}") from None
    if not isinstance(found, type) or not issubclass(found, CircusPlugin):
        raise PluginError(f"{name} is not a plugin: it does not derive from {GROUP}.CircusPlugin")
    if found.handle_recv is CircusPlugin.handle_recv:
        raise PluginError(f"{name} does not implement handle_recv")
    return found


def _import(name: str, module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name is not None:
            if f"{module}.".startswith(f"{error.name}."):
                reason = f"there is no module {error.name}"
                raise PluginError(f"cannot import {name}: {reason}") from None
        raise PluginError(f"cannot import {name}: {_describe(error)}{called(error)}") from error


def _describe(error: BaseException) -> str:
    """Say in one line what went wrong in a plugin's module, and where."""
    text, at = in_a_line(error), raised_at(error)
    if isinstance(error, SyntaxError):
        return f"{text} ({error.filename}, line {error.lineno})"
    return f"{text} ({at[0]}, line {at[1]})" if at else text
