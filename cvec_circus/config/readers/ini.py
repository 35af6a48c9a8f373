"""INI files: from text to sections and keys.

The grammar is the one that Circus' files are written in, that of Python's old INI parser:

* `#`, `;` or the word `rem` at the very beginning of a line makes it a comment;
* `[section]` begins a section, and what follows the bracket is a note;
* whichever of `=` and `:` comes first splits a key from its value;
* ` ; note` ends a value, if the first `;` in it has white space before it; `#` does not;
* an indented line continues the value above it, as a line of its own and with nothing cut; blank
  lines and comments in between do not matter;
* nothing else has a meaning: commas, quotes and `%` are part of the value, and only the value `""`
  alone is empty;
* a line that is probably a header without a bracket, or with a blank before it, is a problem of the
  section above.

What continues a key that was given already continues the value that counts, the first one. Circus
fails at an indented line with no value above it; here it is read as if not indented.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cvec_circus.base.patterns import regex
from cvec_circus.config.section import Entry, Findings, Place

MOST_COMPLAINTS = 20
"""How many lines of one file are reported; a picture would fill the screen."""

_NOTE = regex(r"\s[;#]")
_KIND = "(?:watcher|plugin|socket|env)"
_BEGINS = regex(rf"([^\w=:]*|[^=:]*[\[({{<])\s*({_KIND})(\s*:)", re.IGNORECASE)
_BARE = regex(r"[\w.*?@+,[\]-]+(?: [\w.*?@+,[\]-]+)*")
_WHOLE = regex(rf"(\[(?:circus|env|default|{_KIND}\s*:.*)\])\s*(?:[;#].*)?", re.IGNORECASE)
_PAIRS = ("[]", "()", "{}")
_MARKS = "[](){}<>\"' \t;"


def parse(text: str, path: str, findings: Findings) -> list[Entry]:
    """Return the headers and keys of a file in their order.

    Args:
        text: The whole file.
        path: Its name, for what is found.
        findings: Takes the lines that mean nothing.
    """
    complaints: list[tuple[int, str, str]] = []
    entries: list[Entry] = []
    section: str | None = None
    for number, first, indented in _logical_lines(text):
        if first.startswith("["):
            section, note = _header(first)
            if section:
                entries.append(Entry(section, None, "", number, note))
            if said := _why_no_header(first, section):
                complaints.append((number, said, section))
        elif section is None:
            text = f"not an INI file: line {number} is outside any [section]"
            complaints.append((number, text, ""))
            section = ""  # one complaint stands for all lines up to the next header
        elif section and (meant := _header_meant(first)):
            said = f"this is not a section header; write {meant}"
            complaints.append((number, said, section))
        elif section:
            key, separator, value, note = _split(first)
            if not key or not separator:
                said = "this is neither KEY = VALUE nor a section header"
                complaints.append((number, said, ""))
                continue
            complaints += _indented_headers(key, section, indented)
            value = "\n".join([value, *(line for _, line in indented)])
            entries.append(Entry(section, key, value, number, note, indented))
    _report(complaints, path, findings)
    return entries


def _report(complaints: list[tuple[int, str, str]], path: str, findings: Findings) -> None:
    if len(complaints) > MOST_COMPLAINTS:
        more = f"and {len(complaints) - MOST_COMPLAINTS} more lines like these"
        complaints[MOST_COMPLAINTS:] = [(complaints[-1][0], more, "")]
    for number, complaint, header in complaints:
        findings.at(Place(path, number), complaint, header, is_problem=True)


def _logical_lines(text: str) -> Iterator[tuple[int, str, list[tuple[int, str]]]]:
    """Yield the number of a line, its text, and the lines that continue it with their numbers."""
    current = ""
    begins = 0
    indented: list[tuple[int, str]] = []
    continuable = False
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        stripped = line.strip()
        if not stripped or line[0] in "#;" or is_remark(line):
            continue
        if continuable and line[0].isspace():
            indented.append((number, stripped))
            continue
        if stripped[0] in "#;":
            continue
        if current:
            yield begins, current, indented
        current, begins, indented = stripped, number, []
        continuable = stripped[0] != "["
    if current:
        yield begins, current, indented


def is_remark(line: str) -> bool:
    """Tell whether the word `rem` makes a line a comment."""
    return line[:1] in ("r", "R") and line.split(None, 1)[0].lower() == "rem"


def _header(line: str) -> tuple[str, str]:
    """Return the section's name, "" when the line is not a header, and what follows the bracket.

    A name may have brackets in it (`[env:web[0-9]]`), and so may the note after it: so the last
    bracket before a note closes the name.
    """
    note = _NOTE.search(line)
    for end in ([note.start()] if note else []) + [len(line)]:
        close = line.rfind("]", 0, end)
        if close > 0:
            return line[1:close].strip(), line[close + 1 :].strip()
    return "", ""


def _header_meant(line: str) -> str:
    """Return what to write for a line that is read as a key, and looks like a header that has lost
    a bracket or has another mark for it; "" for any other line.

    As a key of the section above, it would take away what the header begins.
    """
    found = _BEGINS.match(line)
    if found is None:
        return ""
    before, kind, colon = found.groups()
    text = _NOTE.split(line[found.end() :], maxsplit=1)[0].rstrip(" \t;")
    if "=" in text:
        return ""
    name = text.rstrip(_MARKS)
    name += "]" * (name.count("[") - name.count("]"))
    header = f"[{kind}{colon}{name}]"
    lost = (
        one for one in _PAIRS if text.endswith(one[1]) and text.count(one[1]) > text.count(one[0])
    )
    if before or any(lost):
        return header
    is_bare = colon == ":" and _BARE.fullmatch(text)
    return f"{header}, or {kind} = {text} for a key" if is_bare else ""


def _why_no_header(line: str, section: str) -> str:
    """Return what is wrong with a line that begins with a bracket, "" if it is a header."""
    if not section:
        name = _NOTE.split(line[:60])[0].strip(_MARKS) if "]" not in line else ""
        return f"this is not a section header; write [{name or 'NAME'}]"
    kind, _, name = section.partition(":")
    if ("[" in name) != ("]" in name) and re.fullmatch(_KIND, kind):
        meant = name.replace("[", "").replace("]", "").strip()
        return f"a bracket too many or too few; write [{kind}:{meant}]"
    return ""


def _indented_headers(
    key: str, section: str, indented: list[tuple[int, str]]
) -> Iterator[tuple[int, str, str]]:
    """Yield a complaint of each header among the lines that continue a value."""
    for number, line in indented:
        if found := _WHOLE.fullmatch(line):
            said = f"indented, so a part of {key} above; begin {found[1]} at the margin"
            yield number, said, section


def _split(line: str) -> tuple[str, str, str, str]:
    """Return key, separator, value and note; the separator is "" when there is none."""
    places = [place for place in (line.find("="), line.find(":")) if place >= 0]
    if not places:
        return line, "", "", ""
    at = min(places)
    value, note = line[at + 1 :].strip(), ""
    semicolon = value.find(";")
    if semicolon > 0 and value[semicolon - 1].isspace():
        value, note = value[:semicolon].rstrip(), value[semicolon:]
    return line[:at].rstrip(), line[at], "" if value == '""' else value, note
