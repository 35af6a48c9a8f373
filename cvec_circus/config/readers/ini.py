"""Reading files: the main one and those it includes, into one tree of sections."""

from __future__ import annotations

import codecs
import collections
import errno
import glob
import os
import re
import stat
from collections.abc import Mapping

from cvec_circus.config.findings import Findings, Place
from cvec_circus.config.readers.lines import Entry, parse
from cvec_circus.options.expand import env_values, expand

DEFAULT = "DEFAULT"
LARGEST_FILE = 16 * 1024 * 1024


class Document:
    """All files of a configuration as one. Owned by the thread that loads it.

    Attributes:
        findings: What was found wrong or odd so far.
        tree: The sections with their keys and values, all text.
        headers: Where each section begins.
        places: Where each key stands, by section and key.
        inherited: The keys (section, key) that come from `[DEFAULT]`.
        written: Every entry with its file, if the findings are to be thorough.
    """

    def __init__(
        self,
        findings: Findings,
        tree: dict[str, dict[str, str]],
        headers: dict[str, Place],
        places: dict[tuple[str, str], Place],
        inherited: set[tuple[str, str]],
        written: list[tuple[Entry, str]],
    ) -> None:
        self.findings = findings
        self.tree = tree
        self.headers = headers
        self.places = places
        self.inherited = inherited
        self.written = written

    def place(self, section: str, key: str = "") -> Place | None:
        """Return where a key stands, or its section if nobody wrote the key."""
        return self.places.get((section, key)) or self.headers.get(section)


class _Gathering:
    """Sections on their way into a document. Owned by the thread that loads them.

    What comes first stays: a key given twice, in one file or over several, has its first value.
    """

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.sections: dict[str, dict[str, str]] = {}
        self.headers: dict[str, Place] = {}
        self.places: dict[tuple[str, str], Place] = {}
        self.written: list[tuple[Entry, str]] = []

    def add(self, entries: list[Entry], path: str) -> dict[str, dict[str, str]]:
        """Take the entries of a file in, and return what it says by itself."""
        own: dict[str, dict[str, str]] = {}
        if self.findings.thorough:
            self.written += [(entry, path) for entry in entries]
        for entry in entries:
            section, key, value = entry[:3]
            place = Place(path, entry.line)
            is_known = section in own
            said = own.setdefault(section, {})
            kept = self.sections.setdefault(section, {})
            if key is None:
                first = self.headers.setdefault(section, place)
                if is_known:
                    self._note_section(section, place, first)
            elif key in kept:
                self._note_key(section, key, place, is_slip=key in said)
            else:
                kept[key] = value
                self.places[section, key] = place
            if key is not None:
                said.setdefault(key, value)
        return own

    def _note_section(self, section: str, place: Place, first: Place) -> None:
        text = f"begun in {_named(first, place)} already; both are read as one section"
        self.findings.hint(place, text, section)

    def _note_key(self, section: str, key: str, place: Place, is_slip: bool) -> None:
        """Tell of a key that is given twice: in one file it is a slip, over several it may not."""
        first = self.places[section, key]
        text = f"given in {_named(first, place)} already; this one is ignored"
        (self.findings.warn if is_slip else self.findings.hint)(place, text, section, key)

    def document(self) -> Document:
        """Return all of it, with what `[DEFAULT]` says in every section that does not say it."""
        defaults = self.sections.pop(DEFAULT, {})
        places = self.places
        inherited = set()
        for section, keys in self.sections.items():
            for key in [key for key in defaults if key not in keys]:
                keys[key] = defaults[key]
                places[section, key] = places[DEFAULT, key]
                inherited.add((section, key))
        return Document(self.findings, self.sections, self.headers, places, inherited, self.written)


def _named(first: Place, second: Place) -> str:
    """Return what to call a place when the other one is known."""
    return f"line {first.line}" if first.path == second.path else str(first)


def read(path: str, environ: Mapping[str, str], cwd: str, findings: Findings) -> Document:
    """Return what a file and the files that it includes say.

    Every file is read once, however often and in whatever circle it is included.

    Args:
        path: The main file.
        environ: The daemon's environment, for `$(circus.env.NAME)` in what is included.
        cwd: The folder that a relative `path` begins in.
        findings: Takes what is wrong and what is odd.
    """
    gathering = _Gathering(findings)
    waiting = collections.deque([path])
    seen = set()
    while waiting:
        current = waiting.popleft()
        identity = _identity(os.path.join(cwd, current))
        if identity in seen:
            continue
        seen.add(identity)
        findings.begin(current)
        text = _text_of(current, cwd, findings)
        own = gathering.add(parse(text, current, findings), current)
        for key, pattern in _patterns(own.get("circus", {}), environ, own.get("env", {})):
            named = os.path.join(os.path.dirname(path), pattern)
            found = _matches(named, cwd)
            if not found:
                place = gathering.places["circus", key]
                said = f"nothing is there at {named}; paths are relative to the main file"
                findings.warn(place, said, "circus", key)
            waiting.extend(found)
    return gathering.document()


def _identity(path: str) -> object:
    """Return what tells a file from others, whatever it is called."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # reading it will say why
        return path
    return status.st_dev, status.st_ino


def _patterns(
    circus: Mapping[str, str], environ: Mapping[str, str], env: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return what a file's `[circus]` section includes: the key, and a pattern of files."""
    said = [(key, circus[key]) for key in ("include", "include_dir") if circus.get(key)]
    values = env_values({**environ, **env}) if said else {}
    return [
        (key, pattern if key == "include" else os.path.join(pattern, "*.ini"))
        for key, patterns in said
        for pattern in expand(patterns, values).split()
    ]


def _matches(named: str, cwd: str) -> list[str]:
    """Return the files of a pattern in order, relative to `cwd` if the pattern is.

    Named pipes are none: to read one is to wait for somebody who writes.
    """
    try:
        found = sorted(glob.glob(os.path.join(cwd, named)))
    except (re.error, RecursionError):  # a pattern such as [z-a], or one of a thousand folders
        return []
    found = [one for one in found if not _is_pipe(one)]
    return found if os.path.isabs(named) else [os.path.relpath(one, cwd) for one in found]


def _is_pipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:  # a link to nowhere, for example: reading it will say so
        return False


def _open_regular(path: str) -> int:
    """Open a regular file, and nothing else; returns its descriptor, which is the caller's.

    To open a FIFO would wait for a writer, and to open a device may set it going.

    Raises:
        OSError: It cannot be opened, or is something else.
    """
    _require_regular(os.stat(path))
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        _require_regular(os.fstat(fd))
    except OSError:
        os.close(fd)
        raise
    return fd


def _require_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")


def _text_of(path: str, cwd: str, findings: Findings) -> str:
    """Return a file's text; "" when it cannot be read, which becomes a problem."""
    try:
        with open(_open_regular(os.path.join(cwd, path)), "rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        findings.problem(Place(path, 0), f"cannot be read: {reason}")
        return ""
    if len(content) > LARGEST_FILE:
        findings.problem(Place(path, 0), "larger than 16 MiB; is it the right file?")
        return ""
    wrong, at = "this is UTF-16", 0
    if not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        content = (
            content[len(codecs.BOM_UTF8) :] if content.startswith(codecs.BOM_UTF8) else content
        )
        try:
            text = content.decode("utf-8")
            if "\0" not in text:
                return text
            wrong, at = "there is a NUL here", content.index(b"\0")
        except UnicodeDecodeError as error:
            wrong, at = f"byte 0x{content[error.start]:02x} is not UTF-8", error.start
    line = content.count(b"\n", 0, at) + 1
    findings.problem(Place(path, line), f"{wrong}; save the file as UTF-8 text")
    return ""
