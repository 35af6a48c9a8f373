"""The text of the reference pages, made from the project's own tables.

The commands are described where they are defined, and nowhere else, the options in
`option_texts.py`, so the pages cannot say anything that the program does not do.
`reference_tables.py` hands this to Sphinx.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from answers import ANSWERS, FIGURES
from option_texts import PLUGIN, text_of

from cvec_circus.system.signals import to_name

KINDS = {
    "account": "a name or a number",
    "adoption": "`True`, `False` or `stop`",
    "args": "text or a list of words",
    "boolean": "yes or no",
    "cgroup": "`off`, `auto` or the path of a folder",
    "check": "a check",
    "checks": "names and checks",
    "choice": "one of",
    "command": "text or a list of words",
    "dependencies": "names of watchers, each with a condition or none",
    "endpoint": "an address of ZeroMQ",
    "environment": "names and values",
    "hook": "the dotted name of a function, or a command",
    "hooks": "names and values",
    "integer": "a whole number",
    "limit": "a whole number, or nothing",
    "live_check": "a check",
    "live_checks": "names and checks",
    "log": "the path of a file, `-`, or the URL of a syslog",
    "logging": "the path of a file, or names and values",
    "mapping": "names and values",
    "number": "a time, such as `30`, `30s`, `5m` or `1h`",
    "processors": "a number of processors, such as `0.5` or `150%`",
    "protocol": "a name or a number",
    "schedule": "a line of cron",
    "seconds": "a time, such as `30`, `30s`, `5m` or `1h`",
    "share": "a number of processes, or a share such as `25%`",
    "signal": "a signal",
    "size": "a size in bytes, such as `65536`, `64k`, `10MB` or `1GiB`",
    "state_name": "a name of letters, digits, `_`, `-` and `.`",
    "stream": "names and values",
    "part": "anything",
    "stream_class": "the name of a class",
    "stream_object": "an object that can be called",
    "text": "text",
    "umask": "an octal number",
    "watcher_names": "names of watchers",
}


GIB = 1 << 30

SEARCHED = {
    "numprocesses": ("number of processes", "workers"),
    "ready.*": ("readiness", "health check of a new process", "sd_notify"),
    "live.*": ("liveness", "health check", "watchdog of a process"),
    "depends_on": ("dependencies", "order of the start"),
    "rollout": ("rolling update", "zero-downtime reload"),
    "max_age": ("age limit of a process",),
    "memory_limit": ("memory limit", "OOM killer"),
    "cpu_limit": ("CPU limit", "quota of processor time"),
    "pids_limit": ("limit of processes",),
    "rlimit_*": ("limit of open files", "resource limits"),
    "graceful_timeout": ("stop timeout", "kill timeout"),
    "stop_signal": ("signal that stops a process",),
    "warmup_delay": ("delay between spawns",),
    "uid": ("user of a process",),
    "gid": ("group of a process",),
    "env": ("environment variables",),
    "copy_env": ("environment of the daemon",),
    "stdout_stream": ("log file of a process", "output of a process"),
    "respawn": ("restart policy",),
    "max_retry": ("give up after failed starts",),
    "priority": ("start order",),
    "hooks": ("hooks of a watcher",),
    "on_demand": ("socket activation",),
    "schedule": ("cron", "timer", "periodic job"),
}
"""What people search for when they want an option, by its name."""


def option_lines(options: Iterable[Any], object_type: str) -> Iterator[str]:
    """Yield reStructuredText that describes every option, those without effect last.

    Args:
        options: The options.
        object_type: What Sphinx calls one of them: see `reference_tables.OBJECT_TYPES`.
    """
    options = list(options)
    for option in options:
        if option.warning:
            continue
        for words in SEARCHED.get(option.name, ()):
            yield from (f".. index:: single: {words}", "")
        yield from (f".. {object_type}:: {option.name}", "")
        yield from (f"   {_kind(option)}", "")
        yield from (f"   {literal(text_of(object_type, option.name))}", "")
        if option.reloads:
            yield from ("   A change takes effect in fresh processes.", "")
        if object_type == "plugin-option" and option.name in PLUGIN:
            yield from ("   It cannot be changed while the daemon runs.", "")
    yield from _without_effect(option for option in options if option.warning)


def _without_effect(options: Iterable[Any]) -> Iterator[str]:
    """Name what is accepted with a warning, together with the warning."""
    rows = [f"* `{option.name}`: {literal(option.warning)}." for option in options]
    if rows:
        yield from ("Accepted without effect, with a warning in the log:", "", *rows, "")


def _kind(option: Any) -> str:
    """Say what values the option takes, and which it has without being told."""
    words = KINDS.get(option.kind, option.kind)
    if option.choices:
        words += " " + ", ".join(f"`{choice}`" for choice in option.choices)
    if option.low is not None and option.high is not None:
        words += f", from {_bound(option, option.low)} to {_bound(option, option.high)}"
    elif option.low is not None:
        words += f", at least {_bound(option, option.low)}"
    elif option.high is not None:
        words += f", at most {_bound(option, option.high)}"
    return literal(f"{words[0].upper()}{words[1:]}; {_default(option.default)}.")


def _bound(option: Any, number: float) -> str:
    """Write a bound as people do: 1GiB, 10 000, 0.5."""
    if option.kind == "size" and number and number % GIB == 0:
        return f"`{number // GIB}GiB`"
    return f"{number:,}".replace(",", " ") if number >= 10_000 else f"{number:g}"


def _default(value: Any) -> str:
    if value is None or value == "" or value == {}:
        return "none by default"
    if isinstance(value, bool):
        return f"`{'True' if value else 'False'}` by default"
    return f"`{value}` by default"


CHECKS = {
    "integer": "a whole number",
    "float": "a number",
    "boolean": "yes or no",
    "string": "text",
    "option": "one of",
    "share": "a number of processes, or a share such as `25%`",
    "signal": "a signal",
    "pass": "text or a number",
    "ip_addr": "an IP address",
    "list": "a list",
    "string_list": "a list",
    "force_list": "a list",
    "int_list": "a list of whole numbers",
    "float_list": "a list of numbers",
}
"""What the schemas of plugins call a kind of value, and what people call it."""


def schema_lines(options: Iterable[Any], mandatory: object) -> Iterator[str]:
    """Yield a table of a plugin's options.

    Args:
        options: What `plugin_options.options` says of them.
        mandatory: What it gives as the default of those that have none.
    """
    head = ("option", "value", "meaning")
    yield from (".. list-table::", "   :header-rows: 1", "   :widths: 20 30 50", "")
    yield from (f"   {'* -' if column == head[0] else '  -'} {column}" for column in head)
    for option in options:
        yield from (f"   * - ``{option.key}``", f"     - {_checked(option, mandatory)}")
        yield f"     - {literal(option.doc)}"
    yield ""


def _checked(option: Any, mandatory: object) -> str:
    """Say what values an option of a plugin takes, and which it has without being told."""
    words = CHECKS[option.kind]
    if option.choices:
        words += " " + ", ".join(f"``{choice}``" for choice in option.choices)
    if option.low is not None:
        words += f", at least {option.low}" if option.kind in ("integer", "float") else ""
        words += ", not empty" if option.kind not in ("integer", "float") else ""
    if option.high is not None and option.kind in ("integer", "float"):
        words += f", at most {option.high}"
    value = option.default
    if value is mandatory:
        return f"{words[0].upper()}{words[1:]}. **Mandatory.**"
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    elif option.kind == "signal" and value is not None:
        value = to_name(value)
    return f"{words[0].upper()}{words[1:]}; {literal(_default(value))}."


def literal(text: str) -> str:
    """Turn what the tables put between single backticks into literal text; roles stay."""
    return re.sub(r"(?<![`:])`([^`]+)`(?!`)", lambda found: f"``{found[1].strip()}``", text)


def command_lines(commands: Iterable[Any]) -> Iterator[str]:
    """Yield reStructuredText that describes every command and its properties."""
    for command in commands:
        yield from (f".. wire-command:: {command.name}", "")
        yield from (f"   {literal(command.doc)}", "")
        yield from (f"   {_property(prop)}" for prop in command.properties)
        yield ""
        if command.mutating:
            yield from ("   Takes `waiting`, `timeout` and `match` as well.", "")
        yield from _answer(ANSWERS.get(command.name, {}))


def _answer(fields: Mapping[str, str]) -> Iterator[str]:
    """Describe what the answer to a command has in it."""
    if fields:
        yield from ("   The answer has:", "")
        yield from (f"   * `{name}`: {literal(text)}" for name, text in fields.items())
        yield ""


def figure_lines() -> Iterator[str]:
    """Yield a table of what is said of a process."""
    yield from (".. list-table::", "   :widths: 20 80", "")
    for name, text in FIGURES.items():
        yield from (f"   * - `{name}`", f"     - {text}")
    yield ""


def _property(prop: Any) -> str:
    """Describe one property of a command in an item of a list."""
    mandatory = " **Mandatory.**" if prop.mandatory else ""
    return f"* `{prop.name}`: {literal(prop.help)}{mandatory}"


def command_line_lines(commands: Iterable[Any]) -> Iterator[str]:
    """Yield reStructuredText on what a person may type behind cvec_circusctl."""
    for command in commands:
        yield " ".join(filter(None, (f"**{command.name}**", f"``{command.usage}``"))).replace(
            " ````", ""
        )
        yield f"   {literal(command.doc)}"
        yield ""
        for word, prop in command.arguments.items():
            yield f"   * ``{word}``: {literal(prop.help)}"
        for switch in command.switches_shown:
            text = switch.doc or command.by_name[switch.prop].help
            value = f" {switch.prop.upper()}" if switch.value is None else ""
            yield f"   * ``--{switch.name}{value}``: {literal(text)}"
        yield ""


def parser_lines(parser: Any) -> Iterator[str]:
    """Yield reStructuredText on the arguments and options of an argparse parser."""
    for action in parser._actions:
        if action.help in (None, "==SUPPRESS=="):
            continue
        names = ", ".join(action.option_strings)
        value = _value(action)
        yield f"``{' '.join(filter(None, (names, value)))}``"
        yield f"   {literal(action.help[0].upper() + action.help[1:])}."
        yield ""


def _value(action: Any) -> str:
    """Show what stands behind an option, or in the place of an argument."""
    if action.nargs == 0:
        return ""
    shown = action.metavar or "|".join(action.choices or ()) or action.dest.upper()
    return f"{shown} ..." if action.nargs in ("+", "*") else str(shown)


def switch_lines(rows: Iterable[Any], states: Mapping[str, str]) -> Iterator[str]:
    """Yield reStructuredText that has a table for each group of switches."""
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            yield from (
                "",
                f".. list-table:: {group}",
                "   :header-rows: 1",
                "   :widths: 30 70",
                "",
            )
            yield from ("   * - what", "     - here")
        here = states[row.state] + (f": {row.note}" if row.note else "")
        yield from (f"   * - ``{row.name}``", f"     - {literal(here)}")
    yield ""


def difference_lines(differences: Iterable[Any], state: str) -> Iterator[str]:
    """Yield reStructuredText that defines each of the differences of one state."""
    for one in differences:
        if one.state == state:
            yield from (one.title, *(f"    {line}".rstrip() for line in one.lines), "")


def name_lines(rows: Iterable[Any], state: str) -> Iterator[str]:
    """Yield a table of the names of one state, those of a place and a note in one row."""
    together: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.state == state:
            together.setdefault((row.group, row.note), []).append(row.name)
    titles = ("where", "names", *(() if state == "same" else ("here",)))
    yield from _name_table("25 75" if state == "same" else "20 35 45", *titles)
    for (group, note), names in together.items():
        shown = " ".join(f"``{name}``" for name in names)
        yield from (f"   * - ``{group}``", f"     - {shown}")
        if note:
            yield f"     - {literal(note)}"
    yield ""


def gone_lines(gone: Iterable[Any]) -> Iterator[str]:
    """Yield a table of the names that are gone."""
    yield from _name_table("20 25 20 35", "where", "names", "was", "instead")
    for row in gone:
        names = " ".join(f"``{name}``" for name in row.names.split())
        instead = f"{literal(row.instead)}; see :doc:`{row.page}`"
        if row.page == "migration":
            instead = literal(row.instead)
        places = " ".join(f"``{place}``" for place in row.place.split()) or "``(cvec_circus)``"
        yield from (f"   * - {places}", f"     - {names}", f"     - {literal(row.was)}")
        yield f"     - {instead}"
    yield ""


def _name_table(widths: str, *titles: str) -> Iterator[str]:
    yield from (".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", "")
    for number, title in enumerate(titles):
        yield f"   {' ' if number else '*'} - {title}"
