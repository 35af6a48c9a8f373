"""get: some options of a watcher."""

from __future__ import annotations

from cvec_circus.commands.base import NAME, Call, Fields, Property
from cvec_circus.commands.kinds import to_names
from cvec_circus.commands.options import OptionsCommand
from cvec_circus.exc import MessageError
from cvec_circus.options.nearest import did_you_mean


class Get(OptionsCommand):
    name = "get"
    doc = "Show some options of a watcher."
    properties = (NAME, Property("keys", to_names, mandatory=True, doc="The options' names."))
    usage = "NAME OPTION [OPTION ...]"
    named = (("OPTION", "keys"),)

    def execute(self, call: Call) -> Fields | None:
        options = call.target.options(call.one())
        options.update({f"hooks.{name}": hook for name, hook in options.get("hooks", {}).items()})
        for key in call.props["keys"]:
            if key not in options:
                near = did_you_mean(key[:60], options)
                raise MessageError(f"{key[:60]!r} option not found{near}")
        return {"options": {key: options[key] for key in call.props["keys"]}}
