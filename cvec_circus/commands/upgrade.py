"""upgrade: execute another Python, or another version, in the place of the daemon."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus.commands.base import Call, Command, Fields, Property
from cvec_circus.commands.kinds import to_path
from cvec_circus.exc import EXIT_OK, EXIT_PROBLEM, MessageError
from cvec_circus.wire.messages import COMMAND_FAILED

PYTHON = Property(
    "python",
    to_path,
    switch=True,
    doc="The interpreter to upgrade to; by default the daemon's own.",
)


class Upgrade(Command):
    name = "upgrade"
    doc = "Switch to another version, or another Python, in the same process, stopping nothing."
    properties = (PYTHON,)
    mutating = True
    waits = True

    def execute(self, call: Call) -> Fields | None:
        if call.target.upgrade is None:
            raise MessageError(
                "this daemon is embedded in a program: upgrade the program", COMMAND_FAILED
            )
        call.target.upgrade(call.props, call.answer)
        return None

    def properties_of(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        given = super().properties_of(args, switches)
        if os.sep in given.get("python", ""):
            given["python"] = os.path.abspath(given["python"])  # the daemon may be elsewhere
        return given

    def exit_code(self, reply: Fields) -> int:
        return EXIT_OK if reply.get("status") != "error" else EXIT_PROBLEM

    def words(self, reply: Fields) -> str:
        return (
            f"cvec_circus {reply['version']} on Python {reply['python']} ({reply['path']}), "
            f"before that {reply['previous_version']} on Python {reply['previous_python']}"
        )
