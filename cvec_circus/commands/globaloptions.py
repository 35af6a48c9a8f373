"""globaloptions: the options of the daemon itself."""

from __future__ import annotations

from cvec_circus.commands.base import Call, Fields, Property
from cvec_circus.commands.options import OptionsCommand
from cvec_circus.exc import MessageError
from cvec_circus.options.kinds import to_text
from cvec_circus.options.nearest import did_you_mean


class GlobalOptions(OptionsCommand):
    name = "globaloptions"
    doc = "Show the options of the daemon itself."
    properties = (Property("option", to_text, doc="One option; by default all."),)
    usage = "[OPTION]"

    def execute(self, call: Call) -> Fields | None:
        options, wanted = call.target.global_options(), call.props["option"]
        if wanted is None:
            return {"options": options}
        if wanted not in options:
            near = did_you_mean(wanted[:60], options)
            raise MessageError(f"{wanted[:60]!r} not an existing option{near}")
        return {"options": {wanted: options[wanted]}}
