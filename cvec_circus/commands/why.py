"""why: where a watcher stands and why, with the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from signal import SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV

from cvec_circus.base.figures import counted, duration
from cvec_circus.commands.base import MATCH, NAMES, Call, Command, Fields
from cvec_circus.commands.render import by_name, check_lines, ending
from cvec_circus.system.signals import to_name
from cvec_circus.wire.outcome import lasting, standing

CRASHES = frozenset({SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV})
"""Signals that a program earns by a fault of its own."""


class Why(Command):
    name = "why"
    doc = "Explain the states of watchers, with the evidence."
    properties = (NAMES, MATCH)
    usage = "NAME [NAME ...]"

    def execute(self, call: Call) -> Fields | None:
        return call.tell(call.each(known=True), call.target.explain)

    def words(self, reply: Fields) -> str:
        if "watchers" in reply:
            return "\n\n".join(self.words(one) for _, one in by_name(reply["watchers"]))
        sentence = reply["sentence"]
        end = "" if sentence.endswith((".", "!", "?")) else "."  # a program has written that
        return "\n".join([f"{sentence}{end}", *_evidence(reply)])


def _evidence(reply: Fields) -> Iterator[str]:
    deaths = reply["deaths"]
    edges = [_edge(row, reply["name"]) for row in reply["waits_for"]]
    if any(edge not in reply["sentence"] for edge in edges):
        yield "it waits for:"
        yield from (f"    {edge}" for edge in edges)
    if reply["rollout"]:
        under_way = reply["rollout"]
        by = f" by {under_way['actor']}" if under_way["actor"] else ""
        count = f"{under_way['replaced']} of {counted(under_way['total'], 'process')} replaced"
        yield f"rollout ({under_way['cause']}{by}), for {duration(under_way['for'])}: {count}"
    if reply["failed_rollout"] not in reply["sentence"]:  # "" is in each
        yield f"the last rollout failed: {reply['failed_rollout']}"
    yield from check_lines(reply["checks"])
    for row in reply["signals"]:
        yield _signal(row)
    if deaths:
        yield f"last deaths ({len(deaths)}), the latest first:"
        for row in deaths:
            yield f"    {_death(row)}"
            yield from (f"        | {line}" for line in row["output"] or ())
    if deaths and reply["unkept"]:
        yield str(reply["unkept"])
    for channel, text in sorted(reply["lost"].items()):
        yield f"its {channel} is lost: {text}"
    if reply["strays"]:
        yield "left behind:"
        yield from (f"    process {row['pid']}: {row['command']}" for row in reply["strays"])


def _edge(row: Fields, name: str) -> str:
    about = "" if row["watcher"] == name else f"{row['watcher']}: "
    if "waits_for" not in row:
        return f"{about}{row['why']}" if about else str(row["why"]).removeprefix("waits for ")
    told = f"; {row['why']}" if row["why"] else ""
    need = f"be {row['need']}" if row["need"] == "ready" else f"have {row['need']}"
    return f"{about}{row['waits_for']} to {need}: it {standing(row['phase'])}{told}"


def _signal(row: Fields) -> str:
    by = f" from {row['actor']}" if row["actor"] else ""
    told = "; ".join(filter(None, (row["why"], row["refusal"])))
    text = f"{duration(row['age'])} ago: process {row['pid']} (slot {row['wid']})"
    return f"{text} was sent SIG{to_name(row['signum'])}{by}" + (f": {told}" if told else "")


def _death(row: Fields) -> str:
    """Render a death in a line."""
    what = f"{duration(row['age'])} ago: process {row['pid']} (slot {row['wid']})"
    if row["failure"]:
        return f"{what} could not run: {row['failure']}"
    how = ending(row["exit_code"], row.get("oom", False))
    how = f"{what} ended after {_lived(row['lived'])}: {how}"
    return f"{how}, {_by_whom(row)}" + ("" if row["ready"] else ", never ready")


def _by_whom(row: Fields) -> str:
    signum = -(row["exit_code"] or 0)
    if row.get("oom"):
        return "by the kernel: its cgroup was out of memory"
    if row["cause"] == "exit" and signum > 0:
        if signum in CRASHES:
            return "a crash"
        memory = ", or the kernel for lack of memory" if signum == SIGKILL else ""
        return f"sent by a person or a program{memory}, not by the daemon"
    if row["cause"] == "exit":
        return f"by itself, {row['why']}" if row["why"] else "by itself"
    by = f" by {row['actor']}" if row["actor"] else ""
    cause = "the watcher gave up" if row["cause"] == "giveup" else row["cause"]
    return f"{cause}{by}" + (f": {row['why']}" if row["why"] else "")


def _lived(seconds: float) -> str:
    return lasting(seconds) if seconds < 60 else duration(seconds)
