"""Commands of Circus that this version does not have: known, and refused in one clear line."""

from __future__ import annotations

from cvec_circus.commands.base import Answer, Command, CommandTarget, Fields
from cvec_circus.exc import MessageError
from cvec_circus.wire.messages import COMMAND_FAILED


class _Unavailable(Command):
    """Immutable. A command that only says that it is not there."""

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Refuse."""
        raise MessageError(f"{self.name} is not available in this version", COMMAND_FAILED)


class ReloadConfig(_Unavailable):
    """Immutable. The command `reloadconfig`."""

    name = "reloadconfig"
    doc = "Not available in this version: read the configuration again."
    mutating = True
