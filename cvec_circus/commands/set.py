"""set: change options of watchers while they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cvec_circus.commands.base import FIRST_NAMES, MATCH, YES, Call, Command, Fields, Property
from cvec_circus.commands.target import CommandTarget, TargetWatcher, Wanted, gaps
from cvec_circus.exc import ArgumentError, MessageError, OptionError, OptionsError
from cvec_circus.options.kinds import to_mapping
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.options.needs import NEEDS
from cvec_circus.options.rights import ACCOUNTS, accounts_of
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.wire.orders import SetOptions, together
from cvec_circus.wire.topics import fold

if TYPE_CHECKING:
    from cvec_circus.options.hooks import Use
    from cvec_circus.options.rights import Accounts

_MAX_KEY = 200
_UNKNOWN = "unknown option"

ENDED = ("stopped", "completed", "failed")
"""The phases that only an order ends."""

LOCATING = ("env", "working_dir", "virtualenv")
"""The options that decide where a hook is found."""


class Set(Command):
    name = "set"
    doc = "Change options of watchers."
    properties = (
        FIRST_NAMES,
        MATCH,
        Property("options", to_mapping, mandatory=True, doc="Options and their new values."),
    )
    usage = "NAME OPTION VALUE [OPTION VALUE ...]"
    named = (("OPTION", "options"),)
    local = (YES,)
    mutating = True
    proves = True

    def wanted(self, call: Call) -> Wanted:
        given = call.props["options"]
        has_accounts = not given.keys().isdisjoint(ACCOUNTS)
        if not (has_accounts or has_hooks(given)):
            return Wanted()
        accounts: dict[Accounts, str] = {}
        watchers = call.each()
        for one in watchers if has_accounts else ():
            name = one.name if len(watchers) > 1 else ""
            found = convert_accounts(given, call.target.options(one))
            if found is not None:
                accounts.setdefault(found, name)
        return Wanted(accounts, [use for one in watchers for use in uses_of(given, one.options)])

    def execute(self, call: Call) -> Fields | None:
        """Judge the options for each watcher, then give one order: to all of them, or to none."""
        watchers = call.each()
        options, cause = convert_options(call.props["options"]), call.cause
        each, idle = [], []
        for watcher in watchers:
            try:
                changed = WATCHER_OPTIONS.changes(options, watcher.options)
            except OptionError as problem:
                if len(watchers) == 1:
                    raise
                raise MessageError(f"{watcher.name}: {problem}") from None
            phase = call.target.phase(watcher) if options.get("schedule") else ""
            if phase in ENDED:
                idle.append(f"{watcher.name} is {phase}; its schedule counts once it is started")
            each.append(SetOptions(watcher, {**_same(options, watcher), **changed}, cause))
        doubts = [*call.props.get("warnings", ()), *doubts_of(options, call.target), *idle]
        more = {"warnings": doubts} if doubts else {}
        reply = call.give(together(each, cause), lambda outcome: {**gaps(outcome), **more})
        return None if reply is None else {**reply, **more}

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


def _same(options: Mapping[str, Any], watcher: TargetWatcher) -> dict[str, Any]:
    """Return what a watcher has of these options already.

    It may be what is being rolled out: the order waits for that, too.
    """
    names = (key if key in watcher.options else key.partition(".")[0] for key in options)
    return {name: watcher.options[name] for name in names if name in watcher.options}


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


def doubts_of(options: Mapping[str, Any], target: CommandTarget) -> list[str]:
    """Return the warnings about what `add` and `set` take, and nothing has yet.

    Args:
        options: The converted options that were given.
        target: Knows the watchers that there are.
    """
    wanted = [(key, name) for key in NEEDS for name in options.get(key) or ()]
    known = {fold(one.name): one.name for one in target.known()} if wanted else {}
    said = []
    for key, name in wanted:
        if fold(name) not in known:
            near = did_you_mean(name, known.values())
            said.append(f"{key}: there is no watcher {name}{near}; a start waits for it")
    return said


def has_hooks(given: Mapping[str, Any]) -> bool:
    """Tell whether there are hooks among the options that `add` and `set` get."""
    return any(key.partition(".")[0] == "hooks" for key in given)


def uses_of(given: Mapping[str, Any], current: Mapping[str, Any]) -> list[Use]:
    """Return the hooks among the options that `add` and `set` get; none of wrong ones, which are an
    error with all the others.

    Args:
        given: The options.
        current: Those the watcher has.
    """
    if not has_hooks(given):
        return []
    from cvec_circus.options.hooks import PREFIX, uses  # most options are none

    wanted = (*LOCATING, "hooks")
    try:
        said = WATCHER_OPTIONS.convert({k: given[k] for k in given if k.split(".")[0] in wanted})
    except OptionError:
        return []
    hooks = dict(said.pop("hooks", None) or {})
    hooks.update({k[len(PREFIX) :]: said.pop(k) for k in list(said) if k.startswith(PREFIX)})
    return list(uses(hooks, {**current, **said}))


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
