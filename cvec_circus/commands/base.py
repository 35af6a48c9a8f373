"""What a command is made of; what it asks of the daemon that carries it out is in `target`.

A command is a schema (its properties), `execute` for the daemon, and `properties_of` and `words`
for the command line. It holds no state: one object of each class serves all requests.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable

import cvec_circus  # its logger is made on first use
from cvec_circus.base.figures import first_of
from cvec_circus.base.named import NamedTuple
from cvec_circus.base.overrides import warn_of_overrides
from cvec_circus.commands import target as asked
from cvec_circus.commands.kinds import (
    MATCH_METHODS,
    PROVED,
    to_match_method,
    to_reason,
    to_waiting,
    to_watchers,
)
from cvec_circus.commands.naming import one_or_more
from cvec_circus.commands.target import Answer, CommandTarget, Shape, TargetWatcher, Watchers
from cvec_circus.compat.command import MessageMaker
from cvec_circus.exc import EXIT_OK, EXIT_PROBLEM, EXIT_REFUSED, ArgumentError, MessageError
from cvec_circus.options.kinds import to_boolean, to_integer, to_seconds
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.wire.topics import fold

if TYPE_CHECKING:
    from cvec_circus.commands.render import Table
    from cvec_circus.wire.cause import Cause
    from cvec_circus.wire.orders import Order

LEFT_BEHIND = "{watcher}: process {pid} is left behind: {command}"
GAP = "{}: was down for a moment: the old process was stopped first"
HUNG_UP = "{}: got SIGHUP; its processes were not replaced, and nothing can be rolled back"
Fields = dict[str, Any]


class Property(NamedTuple):
    """One property of a command. Immutable.

    Attributes:
        kind: Converts a value: a function of `options.kinds` or `commands.kinds`.
        low: The smallest number allowed; None for what is not a number.
        high: The largest number allowed; None for the kind's own bound.
        null: Whether ``null`` stands for "not given". Not for names: ``stop`` with a null name
            comes from a bug in a script, and would stop everything.
        switch: Whether the command line takes it as ``--name``, without a value if it is a boolean.
        doc: A sentence for the help and the command reference.
        choices: The words to complete a command line with; `kind` decides which are taken.
    """

    name: str
    kind: Callable[[Any], Any]
    mandatory: bool = False
    default: Any = None
    low: float | None = None
    high: float | None = None
    null: bool = True
    switch: bool = False
    doc: str = ""
    choices: Sequence[str] = ()

    @property
    def help(self) -> str:
        """What it means, and its default if it has one."""
        return f"{self.doc} `{self.default}` by default." if self.default else self.doc

    def convert(self, value: Any) -> Any:
        """Convert a value.

        Raises:
            MessageError: The value is wrong; the text names the property.
        """
        bounds = () if self.low is None else (self.low, self.high)
        try:
            return self.kind(value, *bounds)
        except ValueError as problem:
            raise MessageError(f"message invalid: {self.name}: {problem}") from None


_NAMES = "The watchers, by name or pattern: one, or a list"
NAMES = Property("name", to_watchers, mandatory=True, null=False, doc=f"{_NAMES}.")
FIRST_NAMES = NAMES._replace(doc=f"{_NAMES}; on the command line, one name or pattern.")
ANY_NAMES = NAMES._replace(mandatory=False, doc=f"{_NAMES}; by default all.")
PID = Property("pid", to_integer, low=1, doc="One process of one watcher; by default all.")
MOST_NAMED = 5
"""Unknown properties in a line of the log."""
MOST_PATTERNS = 20
"""In a list: each one is compared with the name of every watcher."""
_MATCH = "How names match: glob, simple or regex."
MATCH = Property("match", to_match_method, switch=True, doc=_MATCH, choices=MATCH_METHODS)
_WAITING = 'Answer when it is done; with "proved", when what was started is also ready.'
COMMON = (
    Property("waiting", to_waiting, default=False, doc=_WAITING),
    Property("timeout", to_seconds, low=0, doc="Seconds after which a waiting request fails."),
    Property("reason", to_reason, default="", switch=True, doc="Why: for the event and the log."),
    MATCH._replace(switch=False),
)
"""Properties of every command that changes something."""

CONCEAL = Property("conceal", to_boolean, default=False, doc="Show *** for known secrets.")
"""A property of every command: its answer has `***` in place of known secrets."""
_MEANINGLESS = frozenset(prop.name for prop in COMMON)
"""What a command that only reads takes without effect: Circus' clients send it with any command."""


class Switch(NamedTuple):
    """A switch of the command line that sets a property. Immutable.

    Attributes:
        name: Without its dashes, shown with ``-``; ``_`` means the same.
        prop: The name of the property.
        value: What the property is set to; None if the switch takes a value.
        doc: Its line in the help; the property's own if it is "".
        choices: As for the property, likewise.
    """

    name: str
    prop: str
    value: Any = None
    doc: str = ""
    choices: Sequence[str] = ()


YES = Switch("yes", "yes", True, "Do not ask first, which happens at a terminal only.")
_UNTIL = ("Answer when it is done.", "Answer when it is done and ready.")


class Call(NamedTuple):
    """A request for a command: what is asked of which daemon, and its answer. Immutable."""

    command: str
    target: CommandTarget
    props: Fields  # every property of the command, typed
    answer: Answer

    @property
    def cause(self) -> Cause:
        """The cause of what the request orders."""
        return self.answer.cause(f"command:{self.command}", self.props["reason"])

    def one(self) -> TargetWatcher:
        """Find the one watcher that `name` stands for.

        Raises:
            MessageError: There is none, or there are several.
        """
        name, found = self.props["name"], self.each()
        if len(found) > 1:
            text = name if isinstance(name, str) else ", ".join(name)[:200]
            names = first_of(sorted(watcher.name for watcher in found), MOST_NAMED)
            raise MessageError(f"{text} matches {len(found)} watchers; name one: {names}")
        return found[0]

    def each(self, known: bool = False, starts: bool = False) -> Watchers:
        """Find the watchers that the names and patterns in `name` stand for, each once, in order.

        Args:
            known: Whether those count that were left out.
            starts: Whether the order starts them: of several that one pattern matches, stopped ones
                without `autostart` are left alone.

        Raises:
            MessageError: A name or pattern matches none, or there are too many patterns.
        """
        given, match = self.props["name"], self.props["match"] or "glob"
        chosen: dict[TargetWatcher, None] = {}
        patterns = 0
        for name in [given] if isinstance(given, str) else given:
            found = self.target.matching(name, match, known)
            patterns += not is_name(name, found)
            if patterns > MOST_PATTERNS:
                raise MessageError(f"message invalid: name: more than {MOST_PATTERNS} patterns")
            some = self.target.to_start(found) if starts and len(found) > 1 else found
            chosen.update(dict.fromkeys(some))
        return list(chosen)

    def several(self, starts: bool = False) -> Watchers | None:
        """Find the watchers, as `each`; None stands for all."""
        return None if self.props["name"] is None else self.each(starts=starts)

    def names(self, watchers: Watchers) -> bool:
        """Tell whether `name` is the very name of the one watcher found.

        Then the reply is that of Circus. A list or a pattern gets a reply whose form does not
        depend on how many watchers it stands for.
        """
        name = self.props["name"]
        return isinstance(name, str) and is_name(name, watchers)

    def tell(self, watchers: Watchers, about: Callable[[Any], Fields]) -> Fields:
        """Answer a question about one watcher; for a list or a pattern, that of each, by name."""
        if self.names(watchers):
            return about(watchers[0])
        return {"watchers": {watcher.name: about(watcher) for watcher in watchers}}

    def give(self, order: Order, shape: Shape = lambda outcome: {}) -> Fields | None:
        """Give an order; if the sender waits, answer at its end with what `shape` makes of it.

        Returns:
            The result of `Command.execute`.
        """
        waiting = self.props["waiting"]
        wait = self.answer.wait(shape, waiting == PROVED) if waiting else None
        self.target.give(order, wait)
        return None if wait else {}


class Command(MessageMaker):
    """A command of the wire; see the module's docstring. Immutable, as each one is.

    Attributes:
        doc: One sentence on what it does, for the help.
        properties: Its schema, beside `CONCEAL`, and `COMMON` if it is `mutating`.
        usage: What the help shows for the arguments. Each word stands for a property: that of
            its name, or the one given in `named`. The last one takes a list if "...]" follows.
        switches: Switches of the command line beside those that properties have.
        local: Switches that the command line itself follows; the daemon does not get them.
        mutating: Whether it changes anything: refused while the daemon is stopping.
        urgent: Answered while the daemon is stopping although it changes something.
        proves: Whether `--waiting` waits until what it has started is ready.
        waits: Whether its answer may take any time.
        ignores_unknown: Whether unknown properties are logged and ignored, and not refused.
    """

    name = ""
    doc = ""
    properties: tuple[Property, ...] = ()
    usage = ""
    named: tuple[tuple[str, str], ...] = ()
    switches: tuple[Switch, ...] = ()
    local: tuple[Switch, ...] = ()
    mutating = False
    urgent = False
    proves = False
    waits = False
    ignores_unknown = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        warn_of_overrides(cls, ("execute", "message"), "the daemon takes no more; write a plugin")

    def __init__(self) -> None:
        properties = (CONCEAL, *(COMMON if self.mutating else ()), *self.properties)
        self.by_name = {prop.name: prop for prop in properties}
        self.defaults = {prop.name: prop.default for prop in properties}
        self.mandatory = [prop.name for prop in properties if prop.mandatory]
        words = {word: word.lower() for word in re.findall("[A-Z]+", self.usage)}
        words.update(self.named)
        self.arguments = {w: self.by_name[key] for w, key in words.items() if key in self.by_name}
        own = ((k, one.kind) for k, one in self.by_name.items() if one.switch)
        flags = (Switch(k.replace("_", "-"), k, kind is to_boolean or None) for k, kind in own)
        waiting = Switch("waiting", "waiting", PROVED if self.proves else True, _UNTIL[self.proves])
        self.all_switches = (*((waiting,) if self.mutating else ()), *flags, *self.switches)
        self.switches_shown = (*self.all_switches, *self.local)

    # -- the daemon's side, on the supervisor thread

    def validate(self, props: Mapping[str, Any]) -> Fields:
        """Check the properties of a message against the schema.

        Returns:
            Every property of the schema with its typed value or its default; with `warnings`, a
            list, if there are unknown ones that are ignored.

        Raises:
            MessageError: A property is missing, unknown or wrong; the text names it.
        """
        typed, unknown = self.defaults.copy(), list[str]()
        for key, value in props.items():
            prop = self.by_name.get(key)
            if prop is not None:
                if value is not None or not prop.null:
                    typed[key] = prop.convert(value)
            elif self.mutating or key not in _MEANINGLESS:
                unknown.append(f"{key[:60]!r}{self.near(key[:60])}")
                if not self.ignores_unknown:
                    raise MessageError(f"message invalid: unknown property {unknown[0]}")
        for key in self.mandatory:
            if props.get(key) is None:
                raise MessageError(f"message invalid {key!r} is missing")
        if unknown:
            text = f"ignored unknown properties: {', '.join(unknown[:MOST_NAMED])}"
            cvec_circus.logger.warning("%s %s: %s", self.name, props["name"], text)
            typed["warnings"] = [text]
        return typed

    def near(self, key: str) -> str:
        """Return what to say of an unknown property: which one may be meant."""
        return did_you_mean(key, self.by_name)

    def call(self, target: CommandTarget, props: Fields, answer: Answer) -> Call:
        """Make the call that `wanted` and `execute` take."""
        return Call(self.name, target, props, answer)

    def wanted(self, call: Call) -> asked.Wanted:
        """Return what to look up before `execute`.

        Raises:
            CircusError: The message makes no sense.
        """
        return asked.Wanted()

    def execute(self, call: Call) -> Fields | None:
        """Carry the command out.

        Returns:
            The fields of the reply, or None when `call.answer` is called later, exactly once.
        """
        raise NotImplementedError

    # -- the command line's side, on any thread

    def properties_of(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        """Turn a command line into properties.

        Args:
            args: The words after the command, in order.
            switches: The values of the switches, by the name of the property.

        Raises:
            ArgumentError: The words do not fit; the text is for the person who typed them.
        """
        names, values = [prop.name for prop in self.arguments.values()], list[Any](args)
        last = len(names) - 1
        if self.usage.endswith("...]") and len(args) > last:
            rest = args[last:]
            values[last:] = [one_or_more(rest) if names[last] == "name" else rest]
        elif len(args) > len(names):
            raise ArgumentError(f"too many arguments: {shlex.join(args[len(names) :])}")
        return self.typed({**dict(zip(names, values)), **switches})

    def typed(self, given: Mapping[str, Any]) -> Fields:
        """Convert what a command line gives, less the switches that the daemon does not get.

        Raises:
            ArgumentError: Something is missing or wrong.
        """
        for word, prop in self.arguments.items():
            if prop.mandatory and prop.name not in given:
                raise ArgumentError(f"{word} is missing")
        local = {switch.prop for switch in self.local}
        wire = {key: value for key, value in given.items() if key not in local}
        key, words = "", {one.prop: f"--{one.name}" for one in self.all_switches}
        words.update({prop.name: word for word, prop in self.arguments.items()})
        try:
            return {(key := name): self.by_name[name].convert(wire[name]) for name in wire}
        except MessageError as problem:
            text = str(problem).removeprefix("message invalid: ").removeprefix(f"{key}: ")
            raise ArgumentError(f"{words.get(key, key)}: {text}") from None

    def exit_code(self, reply: Fields) -> int:
        """Return the exit code of the command line for a reply."""
        if reply.get("status") != "error":
            return EXIT_OK
        return EXIT_PROBLEM if reply.get("accepted") else EXIT_REFUSED

    def chosen(self, reply: Fields, local: Mapping[str, Any], is_terminal: bool) -> Fields:
        """Return what a person sees of a reply, by the switches of the command line."""
        return reply

    def concealed(self, reply: Fields) -> Fields:
        """Return a reply without the values that a terminal does not show; in the same object, its
        words are searched for them."""
        return reply

    def words(self, reply: Fields) -> str | Table:
        """Render a reply that is not an error for people."""
        return "ok"

    def script(self, reply: Fields) -> str | Table:
        """Render it for scripts: as circusctl prints it, where that knows the command."""
        return self.words(reply)

    def remarks(self, reply: Fields) -> Iterator[str]:
        """Say what beside its success a person has to know of an order, a line each."""
        told = reply if self.mutating else {}  # what answers a question has fields of its own
        yield from map(LEFT_BEHIND.format_map, told.get("strays", ()))
        for text, key in ((GAP, "gap"), (HUNG_UP, "hup"), ("warning: {}", "warnings")):
            yield from map(text.format, told.get(key, ()))


def is_name(text: str, found: Watchers) -> bool:
    """Tell whether a text is the very name of the one watcher found by it, and no pattern."""
    return [fold(one.name) for one in found] == [fold(text)]


def __getattr__(name: str) -> Any:
    """Find what programs for Circus import from here, on first use."""
    from cvec_circus.compat.paths import find

    return find(__name__, name)
