"""Schemas: the types of a plugin's configuration, in the syntax of ConfigObj's validate.

A class declares its options once, and its configuration arrives typed and complete, whatever its
source::

    schema = {"url": "string", "window": "float(min=0, default=1.0)", "tags": "list"}

A key without a default is mandatory. Text is read as everywhere else in a configuration, and
refused with the same words: a list is text with commas in it, and an empty text is None where
that is the default.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from cvec_circus.exc import OptionError, PluginError
from cvec_circus.options.kinds import (
    shown,
    to_boolean,
    to_choice,
    to_float,
    to_integer,
    to_signal,
    to_text,
)
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.options.watcher import PLUGIN_OPTIONS

if TYPE_CHECKING:
    from configobj.validate import Validator

Schema = Mapping[str, str]

OWN_KEYS = frozenset({"name", "use"})
"""Keys of every plugin that no schema needs to name."""

MISSING = "missing; it has no default"

MANDATORY = object()
"""The default of an option that has none."""


def typed(schema: Schema, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with the types and the defaults of a schema. Any thread.

    Typed values are unchanged, so this may be repeated. Keys outside the schema stay too: options
    of the plugin's watcher, for example. An empty schema changes nothing.

    Raises:
        OptionError: A value does not pass its check, or one is missing.
        PluginError: The schema itself cannot be used.
    """
    return {**config, **{key: _value(schema, key, config) for key in _keys(schema)}}


def typed_value(schema: Schema, key: str, value: Any) -> Any:
    """Return one value with its type: a watcher's, overriding the plugin's.

    Raises:
        OptionError: The value does not pass, or the schema has no such key.
        PluginError: The schema itself cannot be used.
    """
    if key not in schema:
        raise OptionError(key, f"unknown option{did_you_mean(key, schema)}")
    return _value(schema, key, {key: value})


def problems(schema: Schema, config: Mapping[str, Any]) -> Iterator[OptionError]:
    """Yield all problems of a configuration, where `typed` raises the first.

    Raises:
        PluginError: The schema itself cannot be used.
    """
    for key in _keys(schema):
        try:
            _value(schema, key, config)
        except OptionError as error:
            yield error


def unknown(schema: Schema, config: Mapping[str, Any]) -> dict[str, str]:
    """Return the unknown keys, each with the hint that follows it, or "".

    A key with a dot is never unknown, nor is any key if there is no schema.
    """
    if not schema:
        return {}
    return {key: did_you_mean(key, schema) for key in config if not _is_known(schema, key)}


def default(check: str) -> Any:
    """Return the default that a check names, or `MANDATORY`; raises PluginError if it is wrong."""
    validator = _validator()
    try:
        return validator.get_default_value(check)
    except KeyError:
        return MANDATORY
    except (validator.baseErrorClass, SyntaxError, ValueError, TypeError) as error:
        raise PluginError(f"the check {check!r} cannot be used: {error}") from None


def _keys(schema: Schema) -> Iterable[str]:
    if not isinstance(schema, Mapping) or not all(isinstance(key, str) for key in schema):
        raise PluginError("schema: not a mapping of keys to checks")
    return schema


def _is_known(schema: Schema, key: str) -> bool:
    return key in schema or key in OWN_KEYS or "." in key or PLUGIN_OPTIONS.find(key) is not None


def _value(schema: Schema, key: str, config: Mapping[str, Any]) -> Any:
    check, value = schema[key], config.get(key)
    try:
        fallback = default(check)
    except PluginError as error:
        raise PluginError(f"schema: {key}: {error}") from None
    if value is None and fallback is MANDATORY:
        near = [one for one in config if not _is_known(schema, one)]
        raise OptionError(key, f"{MISSING}{did_you_mean(key, near)}")
    if value is None or (value == "" and fallback is None):
        return fallback
    try:
        return _validator().check(check, value)
    except (_validator().baseErrorClass, ValueError) as error:
        if type(error).__name__ == "VdtUnknownCheckError":
            raise PluginError(f"schema: {key}: {error}") from None
        raise OptionError(key, str(error)) from None
    except (SyntaxError, TypeError) as error:
        raise PluginError(f"schema: {key}: the check {check!r} cannot be used: {error}") from None


@cache
def _validator() -> Validator:
    from configobj.validate import Validator  # most plugins have no schema

    return Validator(
        {
            "boolean": to_boolean,
            "integer": _integer,
            "float": _float,
            "string": _string,
            "option": to_choice,
            "signal": to_signal,
            "list": _words,
            "tuple": lambda *given, **limits: tuple(_words(*given, **limits)),
            "string_list": _words,
            "force_list": _words,
            "int_list": _list_of(to_integer),
            "float_list": _list_of(to_float),
            "bool_list": _list_of(to_boolean),
        }
    )


def _bound(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise TypeError(f"{text!r} is not a bound") from None  # the author's slip, not the user's


def _integer(value: Any, min: str = "-inf", max: str = "inf") -> int:
    return to_integer(value, _bound(min), _bound(max))


def _float(value: Any, min: str = "-inf", max: str = "inf") -> float:
    return to_float(value, _bound(min), _bound(max))


def _string(value: Any, min: str = "0", max: str = "inf") -> str:
    _check_length(to_text(value), "characters", min, max)
    return to_text(value)


def _words(value: Any, min: str = "0", max: str = "inf") -> list[Any]:
    """Return a list that may be given as text, as in a file: `a, "b, c", d`."""
    if isinstance(value, str):
        lines = csv.reader(value.splitlines(), skipinitialspace=True)
        value = [word.strip() for line in lines for word in line if word.strip()]
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{shown(value)} is not a list")
    _check_length(value, "values", min, max)
    return list(value)


def _list_of(kind: Callable[[Any], Any]) -> Callable[..., list[Any]]:
    return lambda *given, **limits: [kind(each) for each in _words(*given, **limits)]


def _check_length(value: str | list[Any] | tuple[Any, ...], what: str, low: str, high: str) -> None:
    if len(value) < _bound(low):
        raise ValueError(f"{shown(value)} has fewer than {low} {what}")
    if len(value) > _bound(high):
        raise ValueError(f"{shown(value)} has more than {high} {what}")
