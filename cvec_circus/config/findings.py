"""What is found while a configuration is read: places, problems and warnings."""

from __future__ import annotations

from typing import NamedTuple

from cvec_circus.exc import ConfigError


class Place(NamedTuple):
    """A line of a file. Immutable.

    Attributes:
        path: The file, as people called it.
        line: The line's number, from 1; 0 for the file as a whole.
    """

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


class Finding(NamedTuple):
    """One thing that was found. Immutable.

    Attributes:
        place: Where it stands; None for what comes from no file.
        text: What to say of it, after the place.
        section: The section it is in; "" if it is in none.
        is_problem: Whether it makes something unusable.
    """

    place: Place | None
    text: str
    section: str
    is_problem: bool

    @property
    def line(self) -> str:
        """The line for a log: `file:line: [section] key: what is wrong; what to do`."""
        return f"{self.place}: {self.text}" if self.place else self.text


class Findings:
    """Everything wrong and everything odd in a configuration. Owned by the thread that loads it.

    Problems make it unusable, warnings do not. All are collected, so that a file is mended in one
    go.

    Attributes:
        thorough: Whether somebody wants to hear of everything that looks like a slip. A daemon
            does not: much of it is meant as it stands, and it would be said at every start.
    """

    def __init__(self, thorough: bool = False) -> None:
        self.thorough = thorough
        self._files: dict[str, int] = {}
        self._problems: list[Finding] = []
        self._warnings: list[Finding] = []

    def begin(self, path: str) -> None:
        """A file is about to be read; what is found in it comes after what earlier files have."""
        self._files.setdefault(path, len(self._files))

    def problem(self, place: Place | None, text: str, section: str = "", key: str = "") -> None:
        """Take down a problem.

        Args:
            place: Where it stands; None for what comes from no file.
            text: What is wrong, and what to do.
            section: The section it is in.
            key: The key it is about.
        """
        self._problems.append(Finding(place, _text(section, key, text), section, True))

    def warn(self, place: Place | None, text: str, section: str = "", key: str = "") -> None:
        """Take down something odd; the arguments are those of `problem`."""
        self._warnings.append(Finding(place, _text(section, key, text), section, False))

    def hint(self, place: Place | None, text: str, section: str = "", key: str = "") -> None:
        """Take down what looks like a slip, if it is wanted; otherwise as `warn`."""
        if self.thorough:
            self.warn(place, text, section, key)

    @property
    def warnings(self) -> list[str]:
        """The warnings, a line each, in the order of the files and their lines."""
        return [found.line for found in self._in_order(self._warnings)]

    def everything(self) -> list[Finding]:
        """Return the problems and the warnings, in the order of the files and their lines."""
        return self._in_order([*self._problems, *self._warnings])

    def problems_of(self, section: str) -> list[str]:
        """Return the problems in a section, a line each, in the order of the lines."""
        found = [found for found in self._problems if found.section == section]
        return [found.line for found in self._in_order(found)]

    def sections_with_problems(self) -> set[str]:
        """Return the sections that have problems; "" stands for those that are in none."""
        return {found.section for found in self._problems}

    def raise_problems(self) -> None:
        """Do nothing when there is no problem.

        Raises:
            ConfigError: All problems, in the order of the files and their lines.
        """
        if self._problems:
            raise ConfigError([found.line for found in self._in_order(self._problems)])

    def _in_order(self, found: list[Finding]) -> list[Finding]:
        return sorted(found, key=self._position)

    def _position(self, one: Finding) -> tuple[int, int]:
        if one.place is None:
            return -1, 0
        return self._files.get(one.place.path, 0), one.place.line


def _text(section: str, key: str, text: str) -> str:
    parts = [f"[{section}]" if section else "", f"{key}:" if key else "", text]
    return " ".join(part for part in parts if part)
