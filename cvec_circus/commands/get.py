"""get: some options of watchers."""

from __future__ import annotations

from cvec_circus.commands.base import FIRST_NAMES, MATCH, Call, Fields, Property
from cvec_circus.commands.kinds import to_names
from cvec_circus.commands.options import OptionsCommand
from cvec_circus.commands.target import TargetWatcher
from cvec_circus.exc import MessageError
from cvec_circus.options.nearest import did_you_mean


class Get(OptionsCommand):
    name = "get"
    doc = "Show some options of watchers."
    properties = (
        FIRST_NAMES,
        MATCH,
        Property("keys", to_names, mandatory=True, doc="The options' names."),
    )
    usage = "NAME OPTION [OPTION ...]"
    named = (("OPTION", "keys"),)

    def execute(self, call: Call) -> Fields | None:
        watchers, keys = call.each(), call.props["keys"]

        def some(watcher: TargetWatcher) -> Fields:
            options = call.target.options(watcher)
            hooks = options.get("hooks", {})
            options.update({f"hooks.{name}": hook for name, hook in hooks.items()})
            for key in keys:
                if key not in options:
                    whose = f"{watcher.name}: " if len(watchers) > 1 else ""
                    near = did_you_mean(key[:60], options)
                    raise MessageError(f"{whose}{key[:60]!r} option not found{near}")
            return {"options": {key: options[key] for key in keys}}

        return call.tell(watchers, some)
