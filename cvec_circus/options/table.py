"""Tables of options: a row for each option, and what can be done with a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.exc import OptionError, raise_all
from cvec_circus.options.kinds import KINDS
from cvec_circus.options.nearest import LONGEST_WORD, did_you_mean


class Option(NamedTuple):
    """One thing that can be configured. Immutable.

    `docs/option_texts.py` says what each does, for the reference.
    """

    name: str  # in a file and on the wire; one that ends in `*` stands for all keys that begin so
    kind: str  # how a value is understood: a name in `kinds.KINDS`
    default: Any  # the value when none is given, already of its kind
    reloads: bool = False  # whether a change needs fresh processes to take effect
    low: float | None = None  # the smallest number allowed
    high: float | None = None  # the greatest number allowed
    choices: tuple[str, ...] = ()  # the values that a `choice` may have
    warning: str = ""  # for an option without effect: what to say when it is given
    # Whether the user named by `endpoint_owner` may set it. True only of what decides neither which
    # program runs, nor as whom, nor with what, nor who can write its files.
    harmless: bool = False
    # Whether only a configuration can have it: it says what the other options are.
    is_directive: bool = False

    @property
    def is_family(self) -> bool:
        """Whether this row stands for all keys that begin with its name."""
        return self.name.endswith("*")


class OptionTable:
    """The options of a watcher, a socket, a plugin or the daemon. Immutable.

    A key has a row of its own, or belongs to a family of keys that has a row (`rlimit_*`), or is
    freeform: such keys have a dot in them (`flapping.max_retry`) and are kept as they are, for
    plugins and for people to read.

    Attributes:
        by_name: The rows by their names, in the order of the reference.
    """

    def __init__(self, options: Iterable[Option]) -> None:
        self.by_name = {option.name: option for option in options}
        self._families = [
            (option.name[:-1], option) for option in self.by_name.values() if option.is_family
        ]
        self._defaults = {
            option.name: option.default
            for option in self
            if not (option.is_family or option.is_directive or "." in option.name)
        }

    def __iter__(self) -> Iterator[Option]:
        return iter(self.by_name.values())

    def find(self, key: str) -> Option | None:
        """Return the row for a key, its family's if it has none of its own, or None."""
        option = self.by_name.get(key)
        if option is None:
            for prefix, family in self._families:
                if key.startswith(prefix):
                    return family
        return option

    def near(self, key: str) -> str:
        """Return the hint that follows an unknown key: "; did you mean NAME?" or ""."""
        family, dot, part = key.partition(".")
        if dot:
            families = (prefix[:-1] for prefix, _ in self._families if prefix.endswith("."))
            near = did_you_mean(family, families)
            return f"{near[:-1]}.{part[:LONGEST_WORD]}?" if near else ""
        known = (option.name for option in self if not option.is_family)
        return did_you_mean(key, known)

    def convert(self, given: Mapping[str, Any], is_open: bool = False) -> dict[str, Any]:
        """Return the same keys with values of their kinds.

        Args:
            given: Options as they came, text or typed.
            is_open: Whether every freeform key will do; otherwise it has a dot in it.

        Raises:
            OptionError: Values that their options do not take, or unknown keys without a dot, or
                with one and near to that of a family. It names all.
        """
        converted, problems = {}, []
        for key, value in given.items():
            option = self.find(key)
            try:
                if option is None and not is_open and ("." not in key or self.near(key)):
                    raise OptionError(key, f"unknown option{self.near(key)}")
                if option is not None and option.is_directive:
                    raise OptionError(key, "only a configuration file can have it")
                converted[key] = self.convert_one(key, value)
            except OptionError as problem:
                problems.append(problem)
        raise_all(problems)
        return converted

    def convert_one(self, key: str, value: Any) -> Any:
        """Return one value as its option's kind wants it; a freeform one as it is.

        Raises:
            OptionError: The option does not take the value.
        """
        option = self.find(key)
        if option is None:
            return value
        try:
            return convert(option, value)
        except ValueError as error:
            raise OptionError(key, str(error)) from None

    def defaults(self) -> dict[str, Any]:
        """Return the default of every option, in a fresh dict; its values are never changed.

        Options with a dot in their name are parts of another one and have no default of their own.
        """
        return dict(self._defaults)

    def complete(
        self, given: Mapping[str, Any], current: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return a full set of options.

        Args:
            given: Converted options.
            current: The full set that they change; None to begin with the defaults.
        """
        return {**(self.defaults() if current is None else current), **given}


def convert(option: Option, value: Any) -> Any:
    """Return a value as the option's kind wants it.

    An option whose default is None can be given that way too: null in a message, nothing in a file.

    Raises:
        ValueError: The option does not take the value; the text does not name the option.
    """
    if option.default is None and (value is None or value == ""):
        return None
    kind = KINDS[option.kind]
    if option.low is None and option.high is None:
        return kind(value, *option.choices)
    return kind(value, option.low, option.high)
