"""Files of variables that watchers name by `env_file`, in the form of dotenv.

python-dotenv decides what a line means: quotes, `export`, comments, and `${NAME}`, which stands for
a variable above it or, if there is none, of the daemon.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping

from cvec_circus.config.readers.files import UnreadableError, identity, text_of
from cvec_circus.config.section import ENV, PLUGIN, WATCHER, Findings, Place, Section
from cvec_circus.options.expand import env_values, expand, without_variable

KEY = "env_file"
OPTIONAL = "-"
"""What stands before the path of a file that need not be there, as in units of systemd."""

_INSTALL = "needs python-dotenv: pip install 'cvec_circus[dotenv]'"


class EnvFiles:
    """Reads the files of one configuration, each once. Owned by the thread that loads it.

    Args:
        sections: All sections. Those with files get their `variables`.
        environ: The daemon's own environment.
        cwd: The folder that a relative path of a configuration file begins in.
        findings: Takes what is wrong.

    Attributes:
        sources: The files that are there, by their absolute paths, each with what tells its content
            from another one.
    """

    def __init__(
        self,
        sections: Iterable[Section],
        environ: Mapping[str, str],
        cwd: str,
        findings: Findings,
    ) -> None:
        self.sources: dict[str, tuple[int, ...]] = {}
        self._environ, self._cwd, self._findings = environ, cwd, findings
        self._texts: dict[str, str | UnreadableError] = {}
        chosen = [one for one in sections if one.kind in (WATCHER, PLUGIN) and one.values.get(KEY)]
        if not chosen:
            return
        values = env_values(environ)
        for section in sections:
            if section.header == ENV:
                values.update(env_values(section.values))
        for section in chosen:
            self._read(section, values)

    def _read(self, section: Section, values: Mapping[str, str]) -> None:
        """Read the files of a section in their order: later ones win."""
        place, found = section.place(KEY), []
        folder = os.path.dirname(place.path) if place else ""
        for written in expand(str(section.values[KEY]), values).split(","):
            word = written.strip()
            is_optional = word.startswith(OPTIONAL)
            name = word[len(OPTIONAL) :].strip() if is_optional else word
            if not name:
                self._refuse(section, "a path is missing beside a comma or -")
                continue
            if missing := without_variable(name):
                self._refuse(section, missing[0])
                continue
            path = os.path.join(self._cwd, folder, name)
            shown = os.path.join(folder, name).replace("\n", "\\n")  # a problem is one line
            found.append(f"{OPTIONAL if is_optional else ''}{path}")
            if not (is_optional and not os.path.lexists(path)):
                self._take(section, path, shown)
        # As absolute paths, so that a configuration that is printed says the same anywhere.
        section.values = {**section.values, KEY: ", ".join(found)}

    def _take(self, section: Section, path: str, shown: str) -> None:
        """Take the variables of one file."""
        text = self._text(path)
        if isinstance(text, UnreadableError):
            where = f"{shown}:{text.line}" if text.line else shown
            self._refuse(section, f"{where}: {text.reason}")
            return
        try:
            for name, value, line in self._variables(text, section.variables):
                section.variables[name] = value
                section.variable_places[name] = Place(shown, line)
        except ModuleNotFoundError:
            self._refuse(section, _INSTALL)
        except ValueError as error:
            self._refuse(section, f"{shown}:{error}")

    def _refuse(self, section: Section, said: str) -> None:
        section.lacks |= {KEY}
        self._findings.problem(section, KEY, said)

    def _text(self, path: str) -> str | UnreadableError:
        if path not in self._texts:
            try:
                self._texts[path] = text_of(path)
            except UnreadableError as error:
                self._texts[path] = error
            self.sources[path] = (*identity(path), hash(str(self._texts[path])))
        return self._texts[path]

    def _variables(self, text: str, before: Mapping[str, str]) -> Iterator[tuple[str, str, int]]:
        """Yield the name, the value and the line of each variable.

        Raises:
            ModuleNotFoundError: python-dotenv is not installed.
            ValueError: A line means nothing; its number comes first.
        """
        from dotenv.parser import parse_stream
        from dotenv.variables import parse_variables

        known = {**self._environ, **before}
        for name, value, original, is_wrong in parse_stream(io.StringIO(text)):
            written = original.string
            blank = written[: len(written) - len(written.lstrip())]
            line = original.line + blank.count("\n")
            if is_wrong:
                raise ValueError(f"{line}: not a NAME=VALUE line; are the quotes closed?")
            if name is None:
                continue  # a comment
            if value is not None:
                known[name] = "".join(atom.resolve(known) for atom in parse_variables(value))
            elif name not in known:
                continue  # NAME alone is that of the daemon, if it has one
            yield name, known[name], line
