"""doctor: what the machine allows the daemon, and what would grant the rest."""

from __future__ import annotations

from collections.abc import Iterable

from cvec_circus.commands.base import Call, Command, Fields
from cvec_circus.commands.render import Table


class Doctor(Command):
    name = "doctor"
    doc = "Show what the machine allows the daemon, the effect of each lack, and its remedy."

    def execute(self, call: Call) -> Fields | None:
        call.target.examine_machine(lambda checks: call.answer.ok(checks=checks))
        return None

    def words(self, reply: Fields) -> Table:
        return checks_table(reply["checks"])


def checks_table(checks: Iterable[Fields]) -> Table:
    """Render checks, each with its sentences."""
    rows = [[str(row["name"]), "ok" if row["ok"] else "lacking", _text(row)] for row in checks]
    return Table(("CHECK", "STATE", "FOUND"), rows, note=True)


def _text(row: Fields) -> str:
    told = f"{row['found']}."
    return told if row["ok"] else f"{told} So {row['lack']}. To change that: {row['remedy']}."
