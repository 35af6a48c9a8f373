"""The environment sections of a configuration, and what values may say of the environment.

`[env]` is for every process, `[env:PATTERN,PATTERN]` for the watchers whose names match one of the
patterns. Of several sections that match, the later in the file wins.

Values in these sections see the daemon's own environment, as `$NAME`, `${NAME}` and
`$(circus.env.NAME)`. Values elsewhere have the last form only, and see the sections too.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping

from cvec_circus.config.readers.ini import Document
from cvec_circus.options.expand import env_values

COMMON = "env"
PREFIX = "env:"

_NAMES = re.compile(
    r"\$(\w+)|\$\{([^}]*)\}|\$\(circus\.env\.([^()]+)\)|\(\(circus\.env\.([^()]+)\)\)",
    re.ASCII | re.IGNORECASE,
)
_WILD = re.compile(r"[*?\[]")


class Environments:
    """The environment of each watcher, as the file gives it. Immutable.

    Attributes:
        common: What `[env]` says.
    """

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        """Read the environment sections of a document.

        Args:
            document: The configuration.
            environ: The daemon's own environment.
        """
        self._environ = dict(environ)
        self._folded = {name.lower(): value for name, value in environ.items()}
        self._values = env_values(environ)
        self.common: dict[str, str] = {}
        self._headers: list[str] = []
        self._sections: list[dict[str, str]] = []
        self._named: dict[str, list[int]] = {}
        self._wild: list[tuple[re.Pattern[str], int]] = []
        for section in document.tree:
            if section == COMMON:
                self.common = self._expanded(document.tree[section])
            elif section.startswith(PREFIX):
                self._add(section, document)
        self._common_values = {**self._values, **env_values(self.common)}

    def _add(self, section: str, document: Document) -> None:
        number = len(self._sections)
        self._headers.append(section)
        self._sections.append(self._expanded(document.tree[section]))
        for pattern in section[len(PREFIX) :].split(","):
            pattern = pattern.strip()
            if not _WILD.search(pattern):
                self._named.setdefault(pattern, []).append(number)
                continue
            try:
                self._wild.append((re.compile(fnmatch.translate(pattern)), number))
            except re.error:  # older Pythons translate [z-a] into nonsense
                place = document.place(section)
                document.findings.problem(place, f"{pattern} is no pattern", section)

    def of(self, name: str) -> dict[str, str]:
        """Return the variables that the file gives to the watcher of that name."""
        return {**self.common, **self._own(name)}

    def values(self, name: str = "") -> dict[str, str]:
        """Return what `circus.env.*` stands for in the options of that watcher, or elsewhere."""
        own = self._own(name) if name else {}
        return {**self._common_values, **env_values(own)} if own else self._common_values

    def section(self, header: str) -> dict[str, str]:
        """Return what one of the sections says, with the names in it replaced."""
        return self.common if header == COMMON else self._sections[self._headers.index(header)]

    def sections_of(self, name: str) -> list[str]:
        """Return the headers of the sections that the watcher of that name gets; the last wins."""
        common = [COMMON] if self.common else []
        return common + [self._headers[number] for number in self._numbers(name)]

    def _numbers(self, name: str) -> list[int]:
        numbers = set(self._named.get(name, ()))
        numbers.update(number for pattern, number in self._wild if pattern.match(name))
        return sorted(numbers)

    def _own(self, name: str) -> dict[str, str]:
        own: dict[str, str] = {}
        for number in self._numbers(name):
            own.update(self._sections[number])
        return own

    def _expanded(self, written: Mapping[str, str]) -> dict[str, str]:
        return {name: _NAMES.sub(self._value, text) for name, text in written.items()}

    def _value(self, found: re.Match[str]) -> str:
        if found[1] or found[2]:
            return self._environ.get(found[1] or found[2], found[0])
        return self._folded.get((found[3] or found[4] or "").lower(), found[0])
