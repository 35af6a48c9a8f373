"""What programs for Circus do with the commands that `get_commands` returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus.compat.members import Members
from cvec_circus.compat.messages import make_message


class MessageMaker(Members):
    """Makes the messages of a command. Immutable, safe from any thread."""

    _circus_class = "commands.base.Command"
    name = ""
    msg_type = "dealer"
    by_name: Mapping[str, Any]
    all_switches: Sequence[Any]

    def make_message(self, **props: Any) -> dict[str, Any]:
        """Make a message of this command, with its properties, for `CircusClient.call`."""
        return make_message(props.pop("command", self.name), **props)

    def message(self, *args: str, **opts: Any) -> Any:
        """Make the message of a command line.

        Args:
            args: The words after the command, in order.
            opts: The switches, by name. One that is None, or False where that is no value, is one
                that was not given; one that the command does not have is ignored.

        Raises:
            cvec_circus.exc.ArgumentError: The words do not fit.
        """
        return self.make_message(**self.properties_of(args, self._given(opts)))

    def properties_of(self, args: Sequence[str], switches: Mapping[str, Any]) -> dict[str, Any]:
        """Turn a command line into properties; see `Command`."""
        raise NotImplementedError

    def _given(self, opts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the properties that switches stand for, without those that were not given."""
        values = {one.name: one for one in self.all_switches}
        given = {}
        for name, value in opts.items():
            prop, switch = self.by_name.get(name), values.get(name)
            if value is None or (value is False and not (prop and isinstance(prop.default, bool))):
                continue
            if prop is not None:
                given[name] = value
            elif switch is not None:
                given[switch.prop] = value if switch.value is None else switch.value
        return given
