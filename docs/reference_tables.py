"""Directives that turn the project's own tables into reference pages.

    .. option-table:: cvec_circus.options.watcher:WATCHER_OPTIONS
    .. command-table::

The options and the commands are described where they are defined, and nowhere else, so the pages
cannot say anything that the program does not do.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

KINDS = {
    "account": "a name or a number",
    "args": "text or a list of words",
    "boolean": "yes or no",
    "choice": "one of",
    "command": "text or a list of words",
    "environment": "names and values",
    "integer": "a whole number",
    "mapping": "names and values",
    "number": "a number",
    "seconds": "seconds",
    "signal": "a signal",
    "stream_class": "the name of a class",
    "text": "text",
    "umask": "an octal number",
}


def option_lines(options: Iterable[Any]) -> Iterator[str]:
    """Yield reStructuredText that describes every available option, then names the others."""
    missing = []
    for option in options:
        if not option.available:
            missing.append(option.name)
            continue
        yield from (f".. describe:: {option.name}", "")
        yield from (f"   {_kind(option)}", "")
        yield from (f"   {option.doc}", "")
        if option.warning:
            yield from (f"   {option.warning}", "")
        if option.reloads:
            yield from ("   A change takes effect in fresh processes.", "")
        if not option.live:
            yield from ("   It cannot be changed while the daemon runs.", "")
    if missing:
        yield "Not available in this version, and refused with one clear line: "
        yield f"{', '.join(f'`{name}`' for name in missing)}."
        yield ""


def _kind(option: Any) -> str:
    """Say what values the option takes, and which it has without being told."""
    words = KINDS.get(option.kind, option.kind)
    if option.choices:
        words += " " + ", ".join(f"`{choice}`" for choice in option.choices)
    if option.low is not None and option.high is not None:
        words += f" from {option.low:g} to {option.high:g}"
    elif option.low is not None:
        words += f", at least {option.low:g}"
    elif option.high is not None:
        words += f", at most {option.high:g}"
    return f"*{words[0].upper()}{words[1:]}*; {_default(option.default)}."


def _default(value: Any) -> str:
    if value is None or value == "" or value == {}:
        return "none by default"
    if isinstance(value, bool):
        return f"`{'True' if value else 'False'}` by default"
    return f"`{value}` by default"


def command_lines(commands: Iterable[Any]) -> Iterator[str]:
    """Yield reStructuredText that describes every command and its properties."""
    for command in commands:
        yield from (f".. describe:: {command.name}", "")
        yield from (f"   {command.doc}", "")
        for prop in command.by_name.values():
            default = "" if prop.default in (None, False) else f" `{prop.default}` by default."
            mandatory = " **Mandatory.**" if prop.mandatory else ""
            yield f"   * `{prop.name}`: {prop.doc}{default}{mandatory}"
        if command.by_name:
            yield ""


class OptionTableDirective(Directive):
    """`.. option-table:: MODULE:NAME`"""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Render the named table."""
        module, _, name = self.arguments[0].partition(":")
        return parsed(self, option_lines(getattr(importlib.import_module(module), name)))


class CommandTableDirective(Directive):
    """`.. command-table::`"""

    def run(self) -> list[nodes.Node]:
        """Render every command of the wire."""
        table = importlib.import_module("cvec_circus.commands.table")
        return parsed(self, command_lines(table.all_commands()))


def parsed(directive: Directive, lines: Iterable[str]) -> list[nodes.Node]:
    """Have Sphinx read generated lines as if they stood on the page."""
    container = nodes.container()
    source = f"{directive.name} {' '.join(directive.arguments)}"
    directive.state.nested_parse(StringList(list(lines), source), 0, container)
    return container.children


def setup(app: Any) -> dict[str, bool]:
    """Register the directives; Sphinx calls this."""
    app.add_directive("option-table", OptionTableDirective)
    app.add_directive("command-table", CommandTableDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
