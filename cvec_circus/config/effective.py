"""A configuration as a file that says everything: each option, and where its value comes from.

What is written can be read again, in the same environment, and makes the same configuration.
Only `include` and `include_dir` have no effect any more: what they name is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.config.build import Build
from cvec_circus.config.configuration import (
    Configuration,
    PluginConfig,
    SocketConfig,
    WatcherConfig,
)
from cvec_circus.config.readers.ini import is_remark, parse
from cvec_circus.config.section import CIRCUS, ENV, Findings, Section, printable
from cvec_circus.options.arbiter import ARBITER_OPTIONS
from cvec_circus.options.known_secrets import KnownSecrets, secrets_in
from cvec_circus.options.secrets import conceal, conceal_text
from cvec_circus.options.socket import SOCKET_OPTIONS
from cvec_circus.options.stream import STREAMS
from cvec_circus.options.table import Option, OptionTable
from cvec_circus.options.watcher import PLUGIN_OPTIONS, WATCHER_OPTIONS
from cvec_circus.system.signals import to_name

_READ_ALREADY = frozenset({"include", "include_dir"})
_TELLING = frozenset({"stats_endpoint"})
"""Written, the endpoint of the statistics would turn them on."""


class Effective:
    """Writes one configuration. Owned by the thread that built it.

    Args:
        build: How it was built.
        configuration: The result.
        conceals: Whether to hide what may be a secret.
    """

    def __init__(self, build: Build, configuration: Configuration, conceals: bool = False) -> None:
        self._build = build
        self._configuration = configuration
        self._conceals = conceals
        self._known = _secrets(configuration) if conceals else KnownSecrets(())

    def lines(self) -> Iterator[str]:
        """Yield the lines of the file."""
        configuration = self._configuration
        yield from self._section(CIRCUS, self._circus(configuration.circus))
        for section in self._build.sections:
            if section.kind == ENV:
                yield from self._section(section.header, self._variables(section))
        for socket in configuration.sockets:
            yield from self._section(socket.section.header, self._socket(socket))
        for watcher in configuration.watchers:
            yield from self._section(watcher.section.header, self._watcher(watcher))
        for plugin in configuration.plugins:
            yield from self._section(plugin.section.header, self._plugin(plugin))
        for name, problems in configuration.left_out:
            yield ""
            yield from (f"# {printable(name)} is left out: {printable(one)}" for one in problems)

    def _section(self, header: str, rows: Iterable[Row]) -> Iterator[str]:
        return section_lines(header, map(self._concealed, rows) if self._conceals else rows)

    def _concealed(self, row: Row) -> Row:
        text = self._known.conceal(conceal(row.key, row.text))
        origin, which_is, meant = row.origin.partition(", which is ")
        shown = ""
        if text == row.text:
            shown = f"{which_is}{self._known.conceal(conceal(row.key, meant))}"
        return row._replace(text=text, origin=f"{conceal_text(origin)}{shown}")

    # -- the rows of a section: what is given in the order of the file, then the defaults

    def _circus(self, effective: Mapping[str, Any]) -> Iterator[Row]:
        section = self._build.circus
        for key, value in section.values.items():
            option = ARBITER_OPTIONS.find(key)
            if option is None:
                continue
            row = self._given(section, key)
            if key in _READ_ALREADY:
                yield row._replace(origin=f"{row.origin}, read already", is_note=True)
            elif ARBITER_OPTIONS.convert_one(key, value) == effective[key]:
                yield row
            else:
                origin = f"{row.origin}, implied by stats_endpoint"
                yield row._replace(text=text_of(option, effective[key]) or "", origin=origin)
        for row in self._defaults(section.values, ARBITER_OPTIONS, effective):
            yield row._replace(is_note=row.key in _READ_ALREADY | _TELLING)

    def _variables(self, section: Section) -> Iterator[Row]:
        """The variables of a section as they stand, for a `$NAME` may be part of a value too."""
        for key, text in section.written.items():
            meant = section.values[key]
            more = "" if meant == text else f", which is {meant}"
            yield _row(key, text, _origin(section, key) + more)

    def _socket(self, socket: SocketConfig) -> Iterator[Row]:
        given = socket.section.values
        yield from (self._given(socket.section, key) for key in given if SOCKET_OPTIONS.find(key))
        yield from self._defaults(given, SOCKET_OPTIONS, socket.options)

    def _watcher(self, watcher: WatcherConfig) -> Iterator[Row]:
        given = {**watcher.section.values, **dict.fromkeys(watcher.section.taken_away, "")}
        yield from (self._given(watcher.section, key) for key in watcher.section.values)
        yield from _taken_away(watcher.section)
        yield from self._defaults(given, WATCHER_OPTIONS, watcher.options)
        yield from self._streams(given, watcher.options)
        yield from self._environment(watcher.section, watcher.options["env"])

    def _plugin(self, plugin: PluginConfig) -> Iterator[Row]:
        """The rows of a plugin, whose class gets all that is written: its defaults are notes."""
        given = {**plugin.section.values, **dict.fromkeys(plugin.section.taken_away, "")}
        yield from (self._given(plugin.section, key) for key in plugin.section.values)
        yield from _taken_away(plugin.section)
        effective = {"active": True, **plugin.options}
        for row in self._defaults(given, PLUGIN_OPTIONS, effective):
            yield row._replace(is_note=True)
        for row in self._streams(given, effective):
            yield row._replace(is_note=True)
        yield from self._environment(plugin.section, plugin.options["env"])

    def _defaults(
        self, given: Mapping[str, str], table: OptionTable, effective: Mapping[str, Any]
    ) -> Iterator[Row]:
        for option in table:
            is_one = not option.is_family and "." not in option.name
            if is_one and option.name not in given and option.name in effective:
                text = text_of(option, effective[option.name])
                if text is not None:
                    yield Row(option.name, text)

    def _streams(self, given: Mapping[str, str], effective: Mapping[str, Any]) -> Iterator[Row]:
        for stream in STREAMS:
            for part, value in effective[stream].items():
                if f"{stream}.{part}" not in given:
                    yield Row(f"{stream}.{part}", str(value))

    def _environment(self, own: Section, env: Mapping[str, str]) -> Iterator[Row]:
        """The variables of a watcher, as notes: they are set elsewhere. What a file of variables
        keeps secret stays so."""
        origins = {key: str(place) for key, place in own.variable_places.items()}
        for section in self._build.environments.sections_of(own.watcher):
            origins.update({key: _origin(section, key) for key in section.written})
        for key, value in env.items():
            shown = conceal(key, value) if key in own.variables else value
            yield Row(f"env.{key}", shown, origins.get(key, "env"), is_note=True)

    def _given(self, section: Section, key: str) -> Row:
        """A key that is written, with its value if that can be written, else as it stands."""
        text, raw = section.values[key], section.written[key]
        origin = _origin(section, key)
        if text == raw:
            return _row(key, raw, origin)
        if self._build.environments.replaced(section, text) == text and can_be_written(text):
            return Row(key, text, f"{origin}, from {raw}")
        return Row(key, raw, f"{origin}, which is {text}")


def _taken_away(section: Section) -> Iterator[Row]:
    """Yield what has nothing of what a section extends."""
    for key in sorted(section.taken_away):
        yield Row(key, "", f"{section.place(key)}, the default")


def _origin(section: Section, key: str) -> str:
    if key in section.extended:
        return f"{section.places[key]}, of {section.extended[key]}"
    inherited = " in [DEFAULT]" if key in section.inherited else ""
    return f"{section.places[key]}{inherited}"


class Row(NamedTuple):
    """A key to write. Immutable."""

    key: str
    text: str
    origin: str = "default"
    is_note: bool = False  # whether it is a comment, so that it is not read again


def _secrets(configuration: Configuration) -> KnownSecrets:
    """Return the values that names of variables and options show to be secrets, wherever they are
    put into other options."""
    runs: list[WatcherConfig | PluginConfig]
    runs = [*configuration.watchers, *configuration.plugins]
    values = set(configuration.variables.secrets())
    for one in runs:
        values.update(secrets_in("", dict(one.options)))
    return KnownSecrets(values, [one.name for one in (*runs, *configuration.sockets)])


def _row(key: str, text: str, origin: str) -> Row:
    """Return a row with a key as it is written, or a note where only TOML has a form for it."""
    if can_be_written(text, key):
        return Row(key, text, origin)
    return Row(key, text, f"{origin}, which no INI file can say", is_note=True)


def section_lines(section: str, rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of a section; those from one origin stand together."""
    yield ""
    yield f"[{section}]"
    origin = ""
    for row in rows:
        if row.origin != origin:
            origin = row.origin
            yield f"# {printable(origin)}"
        if row.is_note:
            yield f"# {printable(f'{row.key} = {row.text}')}".rstrip()
            continue
        lines = key_lines(row.key, row.text)
        if is_remark(lines[0]):
            # At the margin it would be a remark, and anywhere else it would continue the line
            # above; right after a header it is neither.
            yield f"[{section}]"
            lines[0] = f"  {lines[0]}"
        yield from lines


def key_lines(key: str, text: str) -> list[str]:
    """Return the lines for a key and its value."""
    first, *rest = text.split("\n")
    return [f"{key} = {first}".rstrip(), *(f"  {line}" for line in rest)]


def can_be_written(text: str, key: str = "k") -> bool:
    """Tell whether a key and its value would be read as they are written."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    lines = key_lines(key, text)
    if is_remark(lines[0]):
        lines[0] = f"  {lines[0]}"  # as `section_lines` writes it
    entries = parse("\n".join(["[s]", *lines]), "", Findings())
    return [entry[1:3] for entry in entries] == [(None, ""), (key, text)]


def text_of(option: Option, value: Any) -> str | None:
    """Return a typed value as a file has it; None if a file gives it in another form."""
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return None
    if option.kind == "umask":
        return f"{value:03o}"
    if option.kind == "signal":
        return to_name(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
