"""graph: which watcher waits for which, drawn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable

from cvec_circus.commands.base import Call, Command, Fields, Switch
from cvec_circus.commands.render import by_name
from cvec_circus.exc import ArgumentError
from cvec_circus.options.nearest import did_you_mean

MISSING = "missing"
"""Stands for the phase of a watcher that others depend on and that is not there."""

PART = "part of it"
"""What a watcher needs of one that it is part of."""

_FORMS = ("text", "mermaid", "dot", "json")
_FORMAT = "How to draw it: text, mermaid, dot or json. `text` by default."


class Graph(Command):
    name = "graph"
    doc = "Draw which watcher waits for which."
    local = (Switch("format", "format", None, _FORMAT, _FORMS),)

    def execute(self, call: Call) -> Fields | None:
        return {"watchers": call.target.graph()}

    def properties_of(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        form = switches.get("format", "text")
        if form not in FORMATS:
            near = did_you_mean(form, FORMATS)
            raise ArgumentError(f"--format: {form!r} is not one of {', '.join(FORMATS)}{near}")
        return super().properties_of(args, switches)

    def chosen(self, reply: Fields, local: Mapping[str, Any], is_terminal: bool) -> Fields:
        return {**reply, "format": local.get("format", "text")}

    def words(self, reply: Fields) -> str:
        return FORMATS[reply.get("format", "text")](reply["watchers"])


Watchers = Mapping[str, Fields]


class Edge:
    """One watcher needs another. Immutable by convention."""

    def __init__(self, name: str, other: str, need: str) -> None:
        self.name, self.other, self.need = name, other, need


def edges(watchers: Watchers) -> Iterator[Edge]:
    """Yield every edge, from the one that waits to the one that it needs."""
    for name, row in by_name(watchers):
        for other, need in row["depends_on"].items():
            yield Edge(name, other, need)
        for other in row["part_of"]:
            yield Edge(name, other, PART)


def _phases(watchers: Watchers) -> dict[str, str]:
    """Return the phase of every watcher that is drawn."""
    found = {name: str(row["phase"]) for name, row in by_name(watchers)}
    for edge in edges(watchers):
        found.setdefault(edge.other, MISSING)
    return found


def draw_text(watchers: Watchers) -> str:
    """Draw a tree: below each watcher stand those that need it."""
    phases, below = _phases(watchers), dict[str, list[Edge]]()
    needy = set()
    for edge in edges(watchers):
        below.setdefault(edge.other, []).append(edge)
        needy.add(edge.name)
    shown: set[str] = set()
    text: list[str] = []

    def draw(root: str) -> None:
        rows = [(root, "", "", "")]  # the name, what stands before it and before those below, why
        while rows:
            name, own, before, need = rows.pop()
            told = f"{own}{name} ({phases[name]})" + (f": {need}" if need else "")
            edges_below = below.get(name, [])
            if name in shown:
                text.append(f"{told}, as above" if edges_below else told)
                continue
            text.append(told)
            shown.add(name)
            for number, edge in reversed(list(enumerate(edges_below, 1))):
                is_last = number == len(edges_below)
                verb = "is" if edge.need == "ready" else "has"
                how = edge.need if edge.need == PART else f"when {name} {verb} {edge.need}"
                branch, rest = ("`-- ", "    ") if is_last else ("|-- ", "|   ")
                rows.append((edge.name, before + branch, before + rest, how))

    for name in phases:
        if name not in needy:
            draw(name)
    for name in phases:  # those in a circle
        if name not in shown:
            draw(name)
    return "\n".join(text) or "no watchers"


def draw_mermaid(watchers: Watchers) -> str:
    """Draw a flow chart of Mermaid."""
    phases = _phases(watchers)
    ids = {name: f"w{number}" for number, name in enumerate(phases)}
    text = ["flowchart LR"]
    text += [f"    {ids[name]}[{_quoted(f'{name}: {phase}')}]" for name, phase in phases.items()]
    for edge in edges(watchers):
        text.append(f"    {ids[edge.name]} -->|{edge.need}| {ids[edge.other]}")
    return "\n".join(text)


def draw_dot(watchers: Watchers) -> str:
    """Draw a graph of Graphviz."""
    text = ["digraph watchers {", "    rankdir=LR;"]
    for name, phase in _phases(watchers).items():
        text.append(f"    {_escaped(name)} [label={_escaped(f'{name}: {phase}')}];")
    for edge in edges(watchers):
        ends = f"{_escaped(edge.name)} -> {_escaped(edge.other)}"
        text.append(f"    {ends} [label={_escaped(edge.need)}];")
    return "\n".join([*text, "}"])


def draw_json(watchers: Watchers) -> str:
    """Return it as JSON."""
    return json.dumps(watchers, indent=2, sort_keys=True)


_ENTITIES = str.maketrans(
    {"#": "#35;", "&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;"}
)


def _quoted(text: str) -> str:
    """Quote a label of Mermaid, which knows the entities of HTML."""
    return f'"{text.translate(_ENTITIES)}"'


def _escaped(text: str) -> str:
    """Quote a name or a label of Graphviz."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


FORMATS: dict[str, Callable[[Watchers], str]] = dict(
    zip(_FORMS, (draw_text, draw_mermaid, draw_dot, draw_json))
)
"""What draws each format."""
