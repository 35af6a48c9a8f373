"""What every command is made of, and what it expects of the daemon that carries it out.

A command is a schema (its properties), `execute` for the daemon, and `message` and `words` for the
command line. It holds no state, so one object of each class serves all requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Protocol

from cvec_circus.commands.kinds import to_match_method, to_reason
from cvec_circus.commands.target import CommandTarget, Fields, TargetWatcher, Watchers
from cvec_circus.exc import ArgumentError, MessageError
from cvec_circus.options.kinds import to_boolean, to_seconds, to_text
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.wire.messages import COMMAND_FAILED

if TYPE_CHECKING:
    from cvec_circus.commands.render import Table
    from cvec_circus.options.rights import Accounts
    from cvec_circus.wire.cause import Cause
    from cvec_circus.wire.outcome import Outcome, Wait

__all__ = [
    "Answer",
    "Command",
    "CommandTarget",
    "Fields",
    "Property",
    "Switch",
    "TargetWatcher",
    "Watchers",
]

Shape = Callable[["Outcome"], Fields]


class Property(NamedTuple):
    """Immutable. One property of a command: its name, what it may hold, what it means.

    Attributes:
        name: The key in ``properties``.
        kind: One of the functions of `options.kinds` or `commands.kinds`.
        mandatory: A message without it is refused.
        default: What stands when it is missing.
        low: The smallest number allowed; None for what is no number.
        high: The largest number allowed; None for the kind's own bound.
        null: Whether ``null`` may stand for "not given". Not for names: ``stop`` with a null name
            comes from a fault in somebody's script, and would stop everything.
        doc: A sentence for the help and the command reference.
    """

    name: str
    kind: Callable[[Any], Any]
    mandatory: bool = False
    default: Any = None
    low: float | None = None
    high: float | None = None
    null: bool = True
    doc: str = ""

    @property
    def help(self) -> str:
        """What it means, and what stands when it is missing."""
        return f"{self.doc} `{self.default}` by default." if self.default else self.doc

    def convert(self, value: Any) -> Any:
        """Turn what came into the typed value.

        Raises:
            MessageError: With a sentence that names the property.
        """
        bounds = () if self.low is None else (self.low, self.high)
        try:
            return self.kind(value, *bounds)
        except ValueError as problem:
            raise MessageError(f"message invalid: {self.name}: {problem}") from None


NAME = Property("name", to_text, mandatory=True, null=False, doc="The watcher's name.")
ANY_NAME = Property("name", to_text, null=False, doc="A watcher's name; all of them without it.")
WAITING = Property("waiting", to_boolean, default=False, doc="Answer when it is done.")
TIMEOUT = Property(
    "timeout", to_seconds, low=0, doc="Seconds after which a waiting answer gives up."
)
MATCH = Property("match", to_match_method, doc="How the name matches: glob, simple or regex.")
REASON = Property("reason", to_reason, default="", doc="Why: for the event and the log.")


class Switch(NamedTuple):
    """Immutable. A switch of the command line that sets a property.

    Attributes:
        name: Without its dashes; ``_`` and ``-`` mean the same.
        prop: The name of the property.
        value: What it sets the property to; None means that the switch takes a value.
        doc: Its line in the help; the property's own when it is "".
    """

    name: str
    prop: str
    value: Any = None
    doc: str = ""


class Answer(Protocol):
    """Owned by the supervisor thread. The one answer that a request gets."""

    def ok(self, **fields: Any) -> None:
        """Report success."""

    def fail(self, reason: str, errno: int = COMMAND_FAILED) -> None:
        """Report a failure in a sentence."""

    def cause(self, text: str, why: str = "") -> Cause:
        """Make the cause of what the request orders; its sender is the actor."""

    def wait(self, shape: Shape) -> Wait:
        """Make what the core calls at the end of an order; `shape` turns the outcome to fields."""


class Command:
    """Immutable. A command of the wire; see the module's docstring.

    Attributes:
        name: As on the wire.
        doc: One sentence on what it does, for the help.
        properties: Its schema. A command that changes something also takes waiting, timeout,
            match and reason without naming them.
        arguments: Properties that the command line takes by position, in this order.
        usage: What the help shows for the arguments.
        named: The words of `usage` that stand for a property of another name.
        switches: What the command line takes by name; ``--waiting`` comes by itself.
        local: Switches that the command line itself follows; the daemon does not hear of them.
        mutating: Whether it changes anything: refused while the daemon is stopping.
        urgent: Answered while the daemon is stopping although it changes something.
    """

    name = ""
    doc = ""
    properties: tuple[Property, ...] = ()
    arguments: tuple[str, ...] = ()
    usage = ""
    named: tuple[tuple[str, str], ...] = ()
    switches: tuple[Switch, ...] = ()
    local: tuple[Switch, ...] = ()
    mutating = False
    urgent = False

    def __init__(self) -> None:
        common = (WAITING, TIMEOUT, MATCH, REASON) if self.mutating else ()
        self.by_name = {prop.name: prop for prop in (*common, *self.properties)}
        self.defaults = {prop.name: prop.default for prop in self.by_name.values()}
        self.mandatory = [prop.name for prop in self.properties if prop.mandatory]
        switches = (Switch("waiting", "waiting", True), Switch("reason", "reason"))
        self.all_switches = (*(switches if self.mutating else ()), *self.switches)

    def validate(self, given: Mapping[str, Any]) -> Fields:
        """Check the properties of a message against the schema.

        Returns:
            Every property of the schema with its typed value or its default.

        Raises:
            MessageError: Naming the property that is missing, unknown or wrong.
        """
        typed = self.defaults.copy()
        for key, value in given.items():
            prop = self.by_name.get(key)
            if prop is None:
                near = did_you_mean(key[:60], self.by_name)
                raise MessageError(f"message invalid: unknown property {key[:60]!r}{near}")
            if value is not None or not prop.null:
                typed[key] = prop.convert(value)
        for key in self.mandatory:
            if given.get(key) is None:
                raise MessageError(f"message invalid {key!r} is missing")
        return typed

    def accounts(self, target: CommandTarget, props: Fields) -> Accounts | None:
        """Return the users and groups that are to be looked up before; supervisor thread.

        Raises:
            CircusError: The message makes no sense.
        """
        return None

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Carry the command out; supervisor thread.

        Returns:
            The fields of the reply, or None when `answer` is called later, exactly once.
        """
        raise NotImplementedError

    def message(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        """Turn a command line into properties; client side.

        Args:
            args: The words after the command, in order.
            switches: What the switches set, by the name of the property.

        Raises:
            ArgumentError: When the words do not fit; its text is for the person who typed them.
        """
        if len(args) > len(self.arguments):
            raise ArgumentError(f"too many arguments: {' '.join(args[len(self.arguments) :])}")
        return self.typed({**dict(zip(self.arguments, args)), **switches})

    @property
    def switches_shown(self) -> tuple[Switch, ...]:
        """Every switch that a person may type."""
        return (*self.all_switches, *self.local)

    @property
    def takes(self) -> dict[str, str]:
        """What the words of `usage` mean, for the help."""
        words = self.usage.replace("[", " ").replace("]", " ").split()
        named = {word: dict(self.named).get(word, word.lower()) for word in words if word != "..."}
        return {word: self.by_name[key].help for word, key in named.items() if key in self.by_name}

    def typed(self, given: Mapping[str, Any]) -> Fields:
        """Type what a command line gives; nothing is added to it.

        Raises:
            ArgumentError: For what is missing or wrong.
        """
        missing = [key for key in self.mandatory if key not in given]
        if missing:
            raise ArgumentError(f"{missing[0].upper()} is missing")
        try:
            return {key: self.by_name[key].convert(value) for key, value in given.items()}
        except MessageError as problem:
            raise ArgumentError(str(problem).replace("message invalid: ", "")) from None

    def words(self, reply: Fields) -> str | Table:
        """Say a reply that is no error to people; client side."""
        return "\n".join(["ok", *map(_stray, reply.get("strays", ()))])


def _stray(stray: Fields) -> str:
    return f"{stray['watcher']}: process {stray['pid']} is left behind: {stray['command']}"


def nothing(outcome: Outcome) -> Fields:
    """Shape an outcome whose reply says "ok" and no more."""
    return {}


def ended(outcome: Outcome) -> Fields:
    """Shape the outcome of an order that ends watchers: the processes that are left of them."""
    return {"strays": outcome.strays} if outcome.strays else {}


def replaced(outcome: Outcome) -> Fields:
    """Shape the outcome of an order that replaces processes."""
    pids = {"stopped": outcome.stopped, "started": outcome.started, "kept": outcome.kept}
    return {"info": pids}


def waiter(props: Fields, answer: Answer, shape: Shape = nothing) -> Wait | None:
    """Make the wait that an order is given along, if its sender waits for the end of it."""
    return answer.wait(shape) if props["waiting"] else None


def later(wait: Wait | None) -> Fields | None:
    """Make the result of `execute`: None when `wait` will answer, else an answer without fields."""
    return None if wait else {}


def one(target: CommandTarget, props: Fields) -> TargetWatcher:
    """Find the one watcher that a message is about, by its name or by a pattern.

    Raises:
        MessageError: There is none, or the pattern fits several.
    """
    name, match = props["name"], props.get("match")
    if match is None:
        return target.find(name)
    found = target.matching(name, match)
    if len(found) > 1:
        names = ", ".join(sorted(watcher.name for watcher in found))
        raise MessageError(f"{name} matches {len(found)} programs, one is wanted: {names[:200]}")
    return found[0]


def several(target: CommandTarget, props: Fields) -> Watchers | None:
    """Find the watchers that a message is about; None stands for the whole arbiter.

    Raises:
        MessageError: No name matches.
    """
    if props["name"] is None:
        return None
    return target.matching(props["name"], props["match"] or "glob")
