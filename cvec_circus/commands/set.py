"""set: change options of a watcher while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cvec_circus.commands.base import NAME, YES, Call, Command, Fields, Property
from cvec_circus.commands.target import gaps
from cvec_circus.exc import ArgumentError, MessageError, OptionError, OptionsError
from cvec_circus.options.kinds import to_mapping
from cvec_circus.options.rights import ACCOUNTS, accounts_of
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.wire.orders import SetOptions

if TYPE_CHECKING:
    from cvec_circus.options.rights import Accounts

_MAX_KEY = 200
_UNKNOWN = "unknown option"


class Set(Command):
    name = "set"
    doc = "Change options of a watcher."
    properties = (
        NAME,
        Property("options", to_mapping, mandatory=True, doc="Options and their new values."),
    )
    usage = "NAME OPTION VALUE [OPTION VALUE ...]"
    named = (("OPTION", "options"),)
    local = (YES,)
    mutating = True
    proves = True

    def accounts(self, call: Call) -> Accounts | None:
        if call.props["options"].keys().isdisjoint(ACCOUNTS):
            return None
        return convert_accounts(call.props["options"], call.target.options(call.one()))

    def execute(self, call: Call) -> Fields | None:
        watcher = call.one()
        options = convert_options(call.props["options"])
        changed = WATCHER_OPTIONS.changes(options, watcher.options)
        # What it has already may be what is being rolled out: the order waits for that, too.
        names = (key if key in watcher.options else key.partition(".")[0] for key in options)
        same = {name: watcher.options[name] for name in names if name in watcher.options}
        return call.give(SetOptions(watcher, {**same, **changed}, call.cause), gaps)

    def properties_of(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        if len(args) < 3 or len(args) % 2 == 0:
            name = args[0] if args else "NAME"
            raise ArgumentError(
                f"give OPTION VALUE pairs after NAME; `cvec_circusctl options {name}` lists them"
            )
        options = {
            key: _typed_if_possible(key, value) for key, value in zip(args[1::2], args[2::2])
        }
        return self.typed({"name": args[0], "options": options, **switches})


def convert_options(given: Mapping[str, Any], is_open: bool = False) -> dict[str, Any]:
    """Convert the options that `add` and `set` get, by the table of the configuration.

    Args:
        given: Options as they came, text or typed.
        is_open: Whether any other key is a freeform option, as it is where a watcher is described.

    Raises:
        MessageError: Keys without a dot are no options, in the words of Circus, or several things
            are wrong: it names all.
        OptionError: A value is wrong.
    """
    for key in given:
        if len(key) > _MAX_KEY:
            raise MessageError(f"unknown key {key[:60]!r}...: longer than {_MAX_KEY} characters")
    problems: list[OptionError] = []
    if given.get("cmd", True) in (None, ""):
        # Which is no default to go back to.
        problems.append(OptionError("cmd", "the command is empty"))
    converted: dict[str, Any] = {}
    try:
        converted = WATCHER_OPTIONS.convert(given, is_open)
    except OptionsError as several:
        problems += several.problems
    except OptionError as problem:
        problems.append(problem)
    said = list(dict.fromkeys(map(_in_words, problems)))
    if len(said) == 1 and said[0] == str(problems[0]):
        raise problems[0]
    if said:
        raise MessageError("; ".join(said))
    return converted


def _in_words(problem: OptionError) -> str:
    if problem.reason.startswith(_UNKNOWN):
        return f"unknown key {problem.option!r}{problem.reason[len(_UNKNOWN) :]}"
    return str(problem)


def convert_accounts(given: Mapping[str, Any], current: Mapping[str, Any]) -> Accounts | None:
    """Convert the accounts among the options that `add` and `set` get.

    Args:
        given: The options.
        current: Those the watcher has.

    Returns:
        The accounts that processes run as with them; None if the options name none, or what is
        none, which is an error with all the others.
    """
    try:
        said = WATCHER_OPTIONS.convert({key: given[key] for key in ACCOUNTS if key in given})
    except OptionError:
        return None
    return accounts_of({**current, **said}) if said else None


def _typed_if_possible(key: str, value: str) -> Any:
    """Convert an option of a command line; keep as text what the table refuses, hooks and checks.

    The daemon refuses it then, in its own words: its version may differ from the command line's.
    """
    if key.partition(".")[0] in ("hooks", "ready", "live"):
        return value
    try:
        return WATCHER_OPTIONS.convert({key: value})[key]
    except OptionError:
        return value
