"""Schemas: what kinds of values a plugin's configuration has, in the words of ConfigObj's validate.

A class says it once, and its configuration arrives typed and complete, whatever it came as::

    schema = {"url": "string", "window": "float(min=0, default=1.0)", "tags": "list"}

A key without a default is mandatory. Text is read as everywhere else in a configuration, and
refused with the same words: a list is text with commas in it, and nothing at all is None where
that is the default.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from cvec_circus.exc import OptionError, PluginError
from cvec_circus.options.kinds import shown, to_boolean, to_choice, to_integer, to_seconds, to_text
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.options.watcher import PLUGIN_OPTIONS

if TYPE_CHECKING:
    from configobj.validate import Validator

Schema = Mapping[str, str]

OWN_KEYS = frozenset({"name", "use"})
"""Keys of every plugin that no schema needs to name."""

MISSING = "missing; it has no default"


def typed(schema: Schema, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with the types and the defaults of a schema. Any thread.

    What is typed already stays as it is, so it does not matter how often this is done. Keys that
    the schema does not have stay too: options of the plugin's watcher, for example.

    Args:
        schema: The checks by their keys; an empty one changes nothing.
        config: The configuration, text or typed.

    Raises:
        OptionError: A value does not pass its check, or one is missing.
        PluginError: The schema itself cannot be used.
    """
    full = dict(config)
    for key, check in _checks(schema):
        full[key] = _value(schema, key, check, config)
    return full


def typed_value(schema: Schema, key: str, value: Any) -> Any:
    """Return one value as its check has it: that of a watcher, in place of the plugin's.

    Raises:
        OptionError: The value does not pass, or the schema has no such key.
        PluginError: The schema itself cannot be used.
    """
    if key not in schema:
        raise OptionError(key, f"unknown option{did_you_mean(key, schema)}")
    return _value(schema, key, schema[key], {key: value})


def problems(schema: Schema, config: Mapping[str, Any]) -> Iterator[OptionError]:
    """Yield all that is wrong with a configuration, where `typed` raises the first of it.

    Raises:
        PluginError: The schema itself cannot be used.
    """
    for key, check in _checks(schema):
        try:
            _value(schema, key, check, config)
        except OptionError as error:
            yield error


def unknown(schema: Schema, config: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys that nothing is known of, each with the hint that follows it, or "".

    None is unknown to a plugin without a schema, nor one with a dot.
    """
    if not schema:
        return {}
    return {key: did_you_mean(key, schema) for key in config if not _is_known(schema, key)}


def _checks(schema: Schema) -> Iterable[tuple[str, str]]:
    if not isinstance(schema, Mapping) or not all(isinstance(key, str) for key in schema):
        raise PluginError("schema: not a mapping of keys to checks")
    return schema.items()


def _is_known(schema: Schema, key: str) -> bool:
    return key in schema or key in OWN_KEYS or "." in key or PLUGIN_OPTIONS.find(key) is not None


def default(check: str) -> Any:
    """Return the default that a check names.

    Raises:
        KeyError: It names none, so that the key is mandatory.
        PluginError: The check cannot be used.
    """
    try:
        return _validator().get_default_value(check)
    except (_validator().baseErrorClass, SyntaxError, ValueError, TypeError) as error:
        raise PluginError(f"the check {check!r} cannot be used: {error}") from None


def parameters(check: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the values that a check's parentheses list, and those that have a name there."""
    from configobj.validate import Validator

    def record(value: str, *values: str, **named: str) -> tuple[Any, Any]:
        return values, named

    kind = check.partition("(")[0].strip()
    found: tuple[tuple[str, ...], dict[str, str]] = Validator({kind: record}).check(check, "")
    return found


def _value(schema: Schema, key: str, check: str, config: Mapping[str, Any]) -> Any:
    value = config.get(key)
    try:
        stands_for = default(check)
    except KeyError:
        if value is None:
            near = [one for one in config if not _is_known(schema, one)]
            raise OptionError(key, f"{MISSING}{did_you_mean(key, near)}") from None
    except PluginError as error:
        raise PluginError(f"schema: {key}: {error}") from None
    else:
        if value is None or (value == "" and stands_for is None):
            return stands_for
    try:
        return _validator().check(check, value)
    except _validator().baseErrorClass as error:
        if type(error).__name__ == "VdtUnknownCheckError":
            raise PluginError(f"schema: {key}: {error}") from None
        raise OptionError(key, str(error)) from None
    except ValueError as error:
        raise OptionError(key, str(error)) from None
    except (SyntaxError, TypeError) as error:
        raise PluginError(f"schema: {key}: the check {check!r} cannot be used: {error}") from None


@cache
def _validator() -> Validator:
    """Return what knows the checks; most plugins have none, so most never need it."""
    from configobj.validate import Validator

    return Validator(
        {
            "boolean": to_boolean,
            "integer": _integer,
            "float": _float,
            "string": _string,
            "option": to_choice,
            "list": _words,
            "tuple": _tuple,
            "string_list": _words,
            "force_list": _words,
            "int_list": _list_of(to_integer),
            "float_list": _list_of(to_seconds),
            "bool_list": _list_of(to_boolean),
        }
    )


def _bound(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise TypeError(f"{text!r} is no bound") from None  # the author's slip, not the user's


def _integer(value: Any, min: str = "-inf", max: str = "inf") -> int:
    return to_integer(value, _bound(min), _bound(max))


def _float(value: Any, min: str = "-inf", max: str = "inf") -> float:
    return to_seconds(value, _bound(min), _bound(max))


def _string(value: Any, min: str = "0", max: str = "inf") -> str:
    _check_length(to_text(value), "characters", min, max)
    return to_text(value)


def _words(value: Any, min: str = "0", max: str = "inf") -> list[Any]:
    """Return a list that may come as text, as a file has it: `a, "b, c", d`."""
    if isinstance(value, str):
        lines = csv.reader(value.splitlines(), skipinitialspace=True)
        value = [word.strip() for line in lines for word in line if word.strip()]
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{shown(value)} is not a list")
    _check_length(value, "values", min, max)
    return list(value)


def _tuple(value: Any, min: str = "0", max: str = "inf") -> tuple[Any, ...]:
    return tuple(_words(value, min, max))


def _list_of(kind: Callable[[Any], Any]) -> Callable[..., list[Any]]:
    def check(value: Any, min: str = "0", max: str = "inf") -> list[Any]:
        return [kind(each) for each in _words(value, min, max)]

    return check


def _check_length(value: str | list[Any] | tuple[Any, ...], what: str, low: str, high: str) -> None:
    if len(value) < _bound(low):
        raise ValueError(f"{shown(value)} has less than {low} {what}")
    if len(value) > _bound(high):
        raise ValueError(f"{shown(value)} has more than {high} {what}")
