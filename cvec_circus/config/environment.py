"""The environment sections of a configuration, and what values may say of the environment.

`[env]` is for every process, `[env:PATTERN,PATTERN]` for the watchers whose names match one of the
patterns. Of several sections that match, the later in the file wins. All of them win over what a
watcher's `env_file` says.

Values in these sections see the daemon's own environment, as `$NAME` and `$(circus.env.NAME)`; as
in Circus, a `$NAME` is in upper case, and empty if it is not set. Values elsewhere have the second
form only, and see the sections too.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from cvec_circus.config.section import ENV, Findings, Section
from cvec_circus.options.expand import env_values, names_in
from cvec_circus.options.kinds import shown

SHORTEST_SECRET = 3
"""Characters. What is shorter is not a secret, and may be part of any word of a message."""

_NAMES = re.compile(
    r"\$([A-Z][A-Z0-9_]*)|(?i:\$\(circus\.env\.([^()]+)\)|\(\(circus\.env\.([^()]+)\)\))",
    re.ASCII,
)
_UPPER = re.compile(r"\$([A-Z][A-Z0-9_]*)", re.ASCII)
_BRACES = re.compile(r"\$\{(\w+)\}", re.ASCII)
_WILD = re.compile(r"[*?\[]")


class Environments:
    """The environment of each watcher, as the sections give it. Immutable.

    Args:
        sections: All sections. Names in those of the environment are replaced.
        environ: The daemon's own environment.
        findings: Takes patterns that are none, and names that do not mean what they seem to.
    """

    def __init__(
        self, sections: Collection[Section], environ: Mapping[str, str], findings: Findings
    ) -> None:
        self._environ = environ
        self._folded = {name.lower(): value for name, value in environ.items()}
        self._common: list[Section] = []
        self._sections: list[Section] = []
        self._files = {one.watcher: one for one in sections if one.variables}
        self._named: dict[str, list[int]] = {}
        self._wild: list[tuple[re.Pattern[str], int]] = []
        for section in sections:
            if section.kind == ENV:
                self._look(section, findings)
                said = section.written
                section.values = {
                    name: _NAMES.sub(self._value, said[name]).strip() for name in said
                }
                if section.header == ENV:
                    self._common.append(section)
                else:
                    self._add(section, findings)
        self._values = env_values(environ)
        for section in self._common:
            self._values.update(env_values(section.values))

    def named(self, section: Section, keys: Iterable[str]) -> Iterator[tuple[str, str, str]]:
        """Yield the variables that values of a section name: key, name, and what it stands for."""
        values = self.values(section.watcher)
        for key in keys:
            for name in names_in(section.written[key]):
                if name.lower().startswith("env.") and name.lower() in values:
                    yield key, name, values[name.lower()]

    def conceal(self, section: Section, key: str, reason: str) -> str:
        """Return why a value is wrong without what variables in it stand for."""
        written = section.written[key] if key in section.written else None
        if not isinstance(written, str) or written == section.values[key]:
            return reason
        reason = reason.replace(shown(section.values[key]), shown(written))
        for _, name, value in self.named(section, [key]):
            if len(value) >= SHORTEST_SECRET:
                reason = reason.replace(value, f"$(circus.{name})")
        return reason

    def _add(self, section: Section, findings: Findings) -> None:
        number = len(self._sections)
        self._sections.append(section)
        for pattern in patterns(section):
            if not _WILD.search(pattern):
                self._named.setdefault(pattern, []).append(number)
                continue
            try:
                self._wild.append((re.compile(fnmatch.translate(pattern)), number))
            except re.error:  # older Pythons translate [z-a] into nonsense
                findings.problem(section, "", f"{pattern} is not a pattern")

    def _look(self, section: Section, findings: Findings) -> None:
        """Warn of names that are not what they look like."""
        for key in section.own_keys():
            text = str(section.written[key])
            for name in dict.fromkeys(found[1] for found in _NAMES.finditer(text)):
                if name and name not in self._environ:
                    said = f"${name} is not set where the daemon starts, so it is empty here"
                    findings.warn(section, key, said)
            for found in _BRACES.finditer(text):
                said = f"{found[0]} stays as it is; write $(circus.env.{found[1]})"
                findings.warn(section, key, said)

    def of(self, name: str) -> dict[str, str]:
        """Return the variables that the sections give to the watcher of that name."""
        own = dict(self._files[name].variables) if name in self._files else {}
        for section in self.sections_of(name):
            own.update(section.values)
        return own

    def values(self, name: str = "") -> dict[str, str]:
        """Return what `circus.env.*` stands for in the options of that watcher, or elsewhere."""
        if not (name and (name in self._files or self._numbers(name))):
            return self._values
        return {**self._values, **env_values(self.of(name))}

    def sections_of(self, name: str) -> list[Section]:
        """Return the sections that the watcher of that name gets; the last wins."""
        return self._common + [self._sections[number] for number in self._numbers(name)]

    def _numbers(self, name: str) -> list[int]:
        numbers = {number for pattern, number in self._wild if pattern.match(name)}
        numbers.update(self._named.get(name, ()))
        return sorted(numbers)

    def _value(self, found: re.Match[str]) -> str:
        if found[1]:
            return self._environ.get(found[1], "")
        return self._folded.get((found[2] or found[3]).lower(), found[0])


def with_named_env(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Replace `$NAME` in the values of `env` among a program's options, as in Circus.

    A name is in upper case; what is not set in the program's own environment is empty.
    """
    env = options.get("env")
    if not isinstance(env, Mapping):
        return options
    named = {
        name: _UPPER.sub(lambda found: os.environ.get(found[1], ""), value).strip()
        if isinstance(value, str)
        else value
        for name, value in env.items()
    }
    return {**options, "env": named}


def patterns(section: Section) -> list[str]:
    """Return the patterns of an environment section."""
    return [pattern.strip() for pattern in section.name.split(",")]
