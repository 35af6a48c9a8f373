"""set: change options of a watcher while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cvec_circus.commands.base import (
    NAME,
    Answer,
    Command,
    CommandTarget,
    Fields,
    Property,
    later,
    one,
    waiter,
)
from cvec_circus.commands.conversion import (
    convert_accounts,
    convert_options,
    typed_if_possible,
)
from cvec_circus.exc import ArgumentError
from cvec_circus.options.kinds import to_mapping
from cvec_circus.options.rights import ACCOUNTS
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.wire.orders import SetOptions

if TYPE_CHECKING:
    from cvec_circus.options.rights import Accounts


class Set(Command):
    """Immutable. The command `set`."""

    name = "set"
    doc = "Change options of a watcher."
    properties = (
        NAME,
        Property("options", to_mapping, mandatory=True, doc="Options and their new values."),
    )
    usage = "NAME OPTION VALUE [OPTION VALUE ...]"
    named = (("OPTION", "options"),)
    mutating = True

    def accounts(self, target: CommandTarget, props: Fields) -> Accounts | None:
        """Look up whom its processes will run as."""
        if props["options"].keys().isdisjoint(ACCOUNTS):
            return None
        return convert_accounts(props["options"], target.options(one(target, props)))

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Convert the options and have them changed."""
        watcher = one(target, props)
        options = convert_options(props["options"])
        changed = WATCHER_OPTIONS.changes(options, watcher.options)
        wait = waiter(props, answer)
        cause = answer.cause("command:set", props["reason"])
        target.give(SetOptions(watcher, changed, cause), wait)
        return later(wait)

    def message(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        """Take a name and pairs of an option and its value."""
        if len(args) < 3 or len(args) % 2 == 0:
            raise ArgumentError("NAME and pairs of OPTION and VALUE are wanted")
        pairs = zip(args[1::2], args[2::2])
        options = {key: typed_if_possible(key, value) for key, value in pairs}
        return self.typed({"name": args[0], "options": options, **switches})
