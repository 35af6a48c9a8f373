"""Directives that turn the project's own tables into reference pages.

    .. option-table:: cvec_circus.options.watcher:WATCHER_OPTIONS watcher-option
    .. schema-table:: cvec_circus.plugins.flapping:Flapping
    .. command-table::
    .. command-line-table::
    .. parser-table:: MODULE:FUNCTION
    .. figure-table::
    .. switch-table::
    .. difference-table:: STATE
    .. name-table:: STATE

What they say is made by `reference_text.py`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from plugin_options import options
from reference_text import (
    command_line_lines,
    command_lines,
    difference_lines,
    figure_lines,
    gone_lines,
    name_lines,
    option_lines,
    parser_lines,
    schema_lines,
    switch_lines,
)

OBJECT_TYPES = {
    "watcher-option": "option of a watcher",
    "daemon-option": "option of the daemon",
    "socket-option": "option of a socket",
    "plugin-option": "option of a plugin",
    "wire-command": "command",
}
"""What has an anchor and an entry in the index, and is found first by the search."""


class OptionTableDirective(Directive):
    """`.. option-table:: MODULE:NAME OBJECT_TYPE`"""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        """Render the named table."""
        module, _, name = self.arguments[0].partition(":")
        table = getattr(importlib.import_module(module), name)
        return parsed(self, option_lines(table, self.arguments[1]))


class SchemaTableDirective(Directive):
    """`.. schema-table:: MODULE:CLASS`"""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Render the options of a plugin, as its schema and its docstring say."""
        module, _, name = self.arguments[0].partition(":")
        schema = importlib.import_module("cvec_circus.runtime.schema")
        listed = options(getattr(importlib.import_module(module), name))
        return parsed(self, schema_lines(listed, schema.MANDATORY))


class CommandTableDirective(Directive):
    """`.. command-table::`"""

    def run(self) -> list[nodes.Node]:
        """Render every command of the wire."""
        table = importlib.import_module("cvec_circus.commands.table")
        return parsed(self, command_lines(table.load_all().values()))


class CommandLineTableDirective(Directive):
    """`.. command-line-table::`"""

    def run(self) -> list[nodes.Node]:
        """Render every command as a person types it."""
        table = importlib.import_module("cvec_circus.commands.table")
        return parsed(self, command_line_lines(table.load_all().values()))


class ParserTableDirective(Directive):
    """`.. parser-table:: MODULE:FUNCTION`"""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Render the options of the parser that the function makes."""
        module, _, name = self.arguments[0].partition(":")
        return parsed(self, parser_lines(getattr(importlib.import_module(module), name)()))


class SwitchTableDirective(Directive):
    """`.. switch-table::`"""

    def run(self) -> list[nodes.Node]:
        """Render every row of the table of switches."""
        rows = importlib.import_module("tests.compatibility.rows")
        self.state.document.settings.env.note_dependency(str(rows.FILE))
        return parsed(self, switch_lines(rows.read(), rows.STATES))


class DifferenceTableDirective(Directive):
    """`.. difference-table:: STATE`"""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Render the differences from Circus that have this state."""
        rows = importlib.import_module("tests.compatibility.rows")
        self.state.document.settings.env.note_dependency(str(rows.DIFFERENCES))
        return parsed(self, difference_lines(rows.differences(), self.arguments[0]))


class NameTableDirective(Directive):
    """`.. name-table:: STATE`"""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Render the names of Circus that have this state, or that are gone."""
        (state,) = self.arguments
        if state == "gone":
            gone = importlib.import_module("cvec_circus.compat.gone")
            return parsed(self, gone_lines(gone.GONE))
        rows = importlib.import_module("tests.compatibility.rows")
        self.state.document.settings.env.note_dependency(str(rows.NAMES))
        return parsed(self, name_lines(rows.names(), state))


class FigureTableDirective(Directive):
    """`.. figure-table::`"""

    def run(self) -> list[nodes.Node]:
        """Render what `stats` says of a process."""
        return parsed(self, figure_lines())


def parsed(directive: Directive, lines: Iterable[str]) -> list[nodes.Node]:
    """Have Sphinx read generated lines as if they stood on the page."""
    container = nodes.container()
    source = f"{directive.name} {' '.join(directive.arguments)}"
    directive.state.nested_parse(StringList(list(lines), source), 0, container)
    return container.children


def _put_options_first(app: Any) -> None:
    types = app.env.get_domain("std").object_types
    types["watcher-option"].attrs["searchprio"] = 0


def setup(app: Any) -> dict[str, bool]:
    """Register the directives; Sphinx calls this."""
    for object_type, words in OBJECT_TYPES.items():
        app.add_object_type(object_type, object_type, f"pair: %s; {words}", objname=words)
    # In the search, an option stands before a command or a method of the same name.
    app.connect("builder-inited", _put_options_first)
    app.add_directive("option-table", OptionTableDirective)
    app.add_directive("schema-table", SchemaTableDirective)
    app.add_directive("command-table", CommandTableDirective)
    app.add_directive("figure-table", FigureTableDirective)
    app.add_directive("switch-table", SwitchTableDirective)
    app.add_directive("difference-table", DifferenceTableDirective)
    app.add_directive("name-table", NameTableDirective)
    app.add_directive("command-line-table", CommandLineTableDirective)
    app.add_directive("parser-table", ParserTableDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
