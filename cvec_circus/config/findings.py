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
        line: What to say of it.
        section: The section it is in; "" if it is in none.
    """

    place: Place | None
    line: str
    section: str


class Findings:
    """Everything wrong and everything odd in a configuration. Owned by the thread that loads it.

    Problems make it unusable, warnings do not. All are collected, so that a file is mended in one
    go. Each becomes a line: `file:line: [section] key: what is wrong; what to do`.
    """

    def __init__(self) -> None:
        self._problems: list[Finding] = []
        self._warnings: list[Finding] = []

    def problem(self, place: Place | None, text: str, section: str = "", key: str = "") -> None:
        """Take down a problem.

        Args:
            place: Where it stands; None for what comes from no file.
            text: What is wrong, and what to do.
            section: The section it is in.
            key: The key it is about.
        """
        self._problems.append(Finding(place, _line(place, section, key, text), section))

    def warn(self, place: Place | None, text: str, section: str = "", key: str = "") -> None:
        """Take down something odd; the arguments are those of `problem`."""
        self._warnings.append(Finding(place, _line(place, section, key, text), section))

    @property
    def warnings(self) -> list[str]:
        """The warnings, a line each, in the order of the files and their lines."""
        return _in_order(self._warnings)

    def problems_of(self, section: str) -> list[str]:
        """Return the problems in a section, a line each, in the order of the lines."""
        return _in_order([found for found in self._problems if found.section == section])

    def sections_with_problems(self) -> set[str]:
        """Return the sections that have problems; "" stands for those that are in none."""
        return {found.section for found in self._problems}

    def raise_problems(self) -> None:
        """Do nothing when there is no problem.

        Raises:
            ConfigError: All problems, in the order of the files and their lines.
        """
        if self._problems:
            raise ConfigError(_in_order(self._problems))


def _line(place: Place | None, section: str, key: str, text: str) -> str:
    parts = [f"{place}:" if place else "", f"[{section}]" if section else "", f"{key}:"]
    return " ".join([part for part in parts if part and part != ":"] + [text])


def _in_order(found: list[Finding]) -> list[str]:
    paths: dict[str, int] = {}
    for place, _, _ in found:
        if place:
            paths.setdefault(place.path, len(paths))
    in_order = sorted(found, key=lambda one: (paths[one[0].path], one[0].line) if one[0] else ())
    return [one.line for one in in_order]
