"""reloadconfig: read the configuration again and apply what differs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cvec_circus.commands.base import Call, Command, Fields, Property
from cvec_circus.commands.kinds import to_path
from cvec_circus.commands.render import option
from cvec_circus.options.kinds import to_boolean
from cvec_circus.options.secrets import CONCEALED, conceal

ACTIONS = {"add": "added", "remove": "removed", "change": "changed"}
PROCESSES = {"start": "is started", "stop": "is stopped", "replace": "its processes are replaced"}
SOCKETS = {
    "open": "opened",
    "close": "closed once no process serves it",
    "change": "changed",
    "replace": "replaced",
}
EFFECTS = {"fresh": " (with fresh processes)", "restart": " needs a restart of the daemon"}
OCTAL = frozenset({"umask", "endpoint_mode"})
STREAMS = frozenset({"stdout_stream", "stderr_stream"})
LONGEST = 60
CONTEXT = 15
"""Characters that are shown before what differs."""

_PATH = "The file to read; by default the one that the daemon was started with."
_FORCE = "Apply it even if that removes all or most of the running watchers."
_DRY_RUN = "Show the plan and change nothing."


class ReloadConfig(Command):
    name = "reloadconfig"
    doc = "Read the configuration again and apply the changes, or none if anything is wrong."
    properties = (
        Property("path", to_path, doc=_PATH),
        Property("dry_run", to_boolean, default=False, switch=True, doc=_DRY_RUN),
        Property("force", to_boolean, default=False, switch=True, doc=_FORCE),
    )
    usage = "[FILE]"
    named = (("FILE", "path"),)
    mutating = True
    proves = True

    def execute(self, call: Call) -> Fields | None:
        call.target.reload_configuration(call.props, call.answer)
        return None

    def properties_of(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        """Make the path absolute: the daemon's working directory may be another."""
        path = [os.path.abspath(one) if one else one for one in args[:1]]
        return super().properties_of([*path, *args[1:]], switches)

    def words(self, reply: Fields) -> str:
        plan = reply.get("plan")
        if plan is None:
            return "ok"
        lines = [*_steps(plan["watchers"], "watcher "), *_steps(plan["plugins"], "")]
        for step in plan["sockets"]:
            name, source, action = step["name"], step["source"], SOCKETS[step["action"]]
            if source == name:
                action += " by the one of before, which its old processes still serve"
            was = f", which was {source}," if source not in ("", name) else ""
            lines.append(f"socket {name}{was}: {action}")
            lines += _changes(step["changes"])
        if plan["circus"]:
            lines.append("[circus]:")
            lines += _changes(plan["circus"])
        if not plan["changes"]:
            lines.append("nothing changes")
        elif reply.get("dry_run"):
            lines.append("nothing was changed: this was a dry run")
            if "removes" in reply:
                counts = f"{len(reply['removes'])} of {reply['running']}"
                lines.append(f"--force is needed: {counts} running watchers are removed")
        return "\n".join(lines)

    def concealed(self, reply: Fields) -> Fields:
        """Hide values before they are cut short: half an address shows its password."""
        if "plan" not in reply:  # Circus' daemon has none
            return reply
        plan = dict(reply["plan"])
        for kind in ("watchers", "plugins", "sockets"):
            steps = plan.get(kind, ())
            plan[kind] = [{**conceal("", one), "changes": _all_concealed(one)} for one in steps]
        return {**reply, "plan": {**plan, "circus": list(map(_concealed, plan["circus"]))}}

    def script(self, reply: Fields) -> str:
        """Say ok; of a dry run, which Circus has not, show the plan."""
        return self.words(reply) if reply.get("dry_run") else "ok"


def _steps(steps: Sequence[Fields], kind: str) -> Iterator[str]:
    for step in steps:
        action, changes = step["action"], step["changes"]
        what = [ACTIONS[action]]
        if step["processes"]:
            if action != "remove":
                what.append(PROCESSES.get(step["processes"]) or step["processes"])
        elif action == "change" and all(change["effect"] == "kept" for change in changes):
            what = ["as it is"]
        why = f" ({step['why']})" if step["why"] else ""
        yield f"{kind}{step['name']}: {', '.join(what)}{why}"
        yield from _changes(step["changes"])


def _changes(changes: Sequence[Fields]) -> Iterator[str]:
    for change in (part for whole in changes for part in _parts(whole)):
        name = change["option"]
        before, after = _short(*(_text(name, change[key]) for key in ("before", "after")))
        if change["effect"] == "kept":
            yield f"    {name}: {before}, kept as set at run time; the file has {after}"
        else:
            yield f"    {name}: {before} -> {after}{EFFECTS.get(change['effect'], '')}"


def _all_concealed(step: Fields) -> list[Fields]:
    """Return the changes of a step, of a stream by its parts: what differs is not seen later."""
    return [_concealed(part) for change in step["changes"] for part in _parts(change)]


def _concealed(change: Fields) -> Fields:
    name = change["option"]
    return {**change, **{key: conceal(name, change[key]) for key in ("before", "after")}}


def _parts(change: Fields) -> Iterator[Fields]:
    """Yield the parts of a stream that change, or else the change itself."""
    name, before, after = change["option"], change["before"], change["after"]
    if not (name in STREAMS and isinstance(before, Mapping) and isinstance(after, Mapping)):
        yield change
        return
    for key in sorted({*before, *after}):
        was, is_now = before.get(key), after.get(key)
        if was != is_now:
            yield {**change, "option": f"{name}.{key}", "before": was, "after": is_now}


def _short(before: str, after: str) -> list[str]:
    """Cut two texts so that what differs is seen."""
    texts, pairs = [before, after], enumerate(zip(before, after))
    begin = next((at for at, (a, b) in pairs if a != b), min(map(len, texts))) - CONTEXT
    if max(map(len, texts)) > LONGEST and begin > CONTEXT:
        texts = [f"...{text[begin:]}" for text in texts]
    return [text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..." for text in texts]


def _text(name: str, value: Any) -> str:
    if name in OCTAL and isinstance(value, int):
        return f"{value:03o}"
    if isinstance(value, (Mapping, list, tuple)):
        value = option(name, value) or None
    if isinstance(value, str) and value != CONCEALED:
        value = repr(value)
    return "nothing" if value is None else str(value)
