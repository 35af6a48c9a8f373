"""A configuration as a file that says everything: each option, and where its value comes from.

What is written can be read again, in the same environment, and comes to the same configuration.
Only `include` and `include_dir` are not in force any more: what they name is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cvec_circus.config.build import CIRCUS
from cvec_circus.config.configuration import Configuration, PluginConfig, WatcherConfig
from cvec_circus.config.environment import COMMON, PREFIX
from cvec_circus.config.examination import Examination
from cvec_circus.config.written import Row, can_be_written, printable, section_lines, text_of
from cvec_circus.options.arbiter import ARBITER_OPTIONS
from cvec_circus.options.plugin import PLUGIN_OPTIONS
from cvec_circus.options.socket import SOCKET_OPTIONS
from cvec_circus.options.stream import STREAMS
from cvec_circus.options.table import OptionTable
from cvec_circus.options.watcher import WATCHER_OPTIONS

_READ_ALREADY = frozenset({"include", "include_dir"})
_TELLING = frozenset({"stats_endpoint"})
"""Written, the endpoint of the statistics would turn them on."""


class Effective:
    """Writes one configuration. Owned by the thread that made the examination.

    Args:
        examination: All that is known of it.
        configuration: What it has come to.
    """

    def __init__(self, examination: Examination, configuration: Configuration) -> None:
        self._configuration = configuration
        self._build = examination.build
        self._document = examination.build.document
        self._raw = examination.raw

    def lines(self) -> Iterator[str]:
        """Yield the lines of the file."""
        configuration = self._configuration
        headers = {place: section for section, place in self._document.headers.items()}
        yield from section_lines(CIRCUS, self._circus(configuration.circus))
        for section in self._document.tree:
            if section == COMMON or section.startswith(PREFIX):
                yield from section_lines(section, self._variables(section))
        for socket in configuration.sockets:
            section = headers[socket.where[""]]
            yield from section_lines(section, self._socket(section, socket.options))
        for watcher in configuration.watchers:
            section = headers[watcher.where[""]]
            yield from section_lines(section, self._watcher(section, watcher))
        for plugin in configuration.plugins:
            section = headers[plugin.where[""]]
            yield from section_lines(section, self._plugin(section, plugin))
        for name, problems in configuration.left_out:
            yield ""
            yield from (f"# {printable(name)} is left out: {printable(one)}" for one in problems)

    # -- the rows of a section: what is given in the order of the file, then the defaults

    def _circus(self, effective: Mapping[str, Any]) -> Iterator[Row]:
        given = self._document.tree[CIRCUS] if CIRCUS in self._document.tree else {}
        for key in given:
            option = ARBITER_OPTIONS.find(key)
            if option is None:
                continue
            row = self._given(CIRCUS, key)
            if key in _READ_ALREADY:
                yield row._replace(origin=f"{row.origin}, read already", is_note=True)
            elif ARBITER_OPTIONS.convert_one(key, given[key]) == effective[key]:
                yield row
            else:
                origin = f"{row.origin}, implied by stats_endpoint"
                yield row._replace(text=text_of(option, effective[key]) or "", origin=origin)
        for row in self._defaults(given, ARBITER_OPTIONS, effective):
            yield row._replace(is_note=row.key in _READ_ALREADY | _TELLING)

    def _variables(self, section: str) -> Iterator[Row]:
        """The variables of a section as they stand, for a `$NAME` may be part of a value too."""
        values = self._build.environments.section(section)
        for key, text in self._raw[section].items():
            meant = "" if values[key] == text else f", which is {values[key]}"
            yield Row(key, text, self._origin(section, key) + meant)

    def _socket(self, section: str, effective: Mapping[str, Any]) -> Iterator[Row]:
        given = self._document.tree[section]
        for key in given:
            if SOCKET_OPTIONS.find(key):
                yield self._given(section, key)
        yield from self._defaults(given, SOCKET_OPTIONS, effective)

    def _watcher(self, section: str, watcher: WatcherConfig) -> Iterator[Row]:
        given = self._document.tree[section]
        for key in given:
            yield self._given(section, key)
        yield from self._defaults(given, WATCHER_OPTIONS, watcher.options)
        yield from self._streams(given, watcher.options)
        yield from self._environment(watcher.name, watcher.options["env"])

    def _plugin(self, section: str, plugin: PluginConfig) -> Iterator[Row]:
        """The rows of a plugin, which gets all that is written: so its defaults are notes."""
        given = self._document.tree[section]
        for key in given:
            yield self._given(section, key)
        effective = {"active": True, **plugin.options}
        for row in self._defaults(given, PLUGIN_OPTIONS, effective):
            yield row._replace(is_note=True)
        for row in self._streams(given, effective):
            yield row._replace(is_note=True)
        yield from self._environment(plugin.name, plugin.options["env"])

    def _defaults(
        self, given: Mapping[str, str], table: OptionTable, effective: Mapping[str, Any]
    ) -> Iterator[Row]:
        for option in table:
            is_one = option.available and not option.is_family and "." not in option.name
            if is_one and option.name not in given and option.name in effective:
                text = text_of(option, effective[option.name])
                if text is not None:
                    yield Row(option.name, text)

    def _streams(self, given: Mapping[str, str], effective: Mapping[str, Any]) -> Iterator[Row]:
        for stream in STREAMS:
            for part, value in effective[stream].items():
                if f"{stream}.{part}" not in given:
                    yield Row(f"{stream}.{part}", str(value))

    def _environment(self, name: str, env: Mapping[str, str]) -> Iterator[Row]:
        """The variables of a watcher, as notes: they are set in the sections of the environment."""
        origins = {
            key: self._origin(section, key)
            for section in self._build.environments.sections_of(name)
            for key in self._raw[section]
        }
        for key, value in env.items():
            yield Row(f"env.{key}", value, origins.get(key, "env"), is_note=True)

    def _given(self, section: str, key: str) -> Row:
        """A key that is written, with its value if that can be written, else as it stands."""
        text, raw = self._document.tree[section][key], self._raw[section][key]
        origin = self._origin(section, key)
        if text == raw:
            return Row(key, raw, origin)
        if self._build.replaced(section, text) == text and can_be_written(text):
            return Row(key, text, f"{origin}, from {raw}")
        return Row(key, raw, f"{origin}, which is {text}")

    def _origin(self, section: str, key: str) -> str:
        inherited = " in [DEFAULT]" if (section, key) in self._document.inherited else ""
        return f"{self._document.places[section, key]}{inherited}"
