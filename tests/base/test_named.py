"""Our named tuples behave as those of `typing`."""

from __future__ import annotations

import json
import typing
import unittest

from cvec_circus.base import named


class Ours(named.NamedTuple):
    """A pair. Immutable."""

    first: int
    second: str = "b"

    @property
    def both(self) -> str:
        """Both of them."""
        return f"{self.first}{self.second}"

    @classmethod
    def of(cls, first: int) -> Ours:
        """Make one."""
        return cls(first)


class Theirs(typing.NamedTuple):
    """A pair. Immutable."""

    first: int
    second: str = "b"


class TestNamedTuple(unittest.TestCase):
    def test_fields_and_defaults(self) -> None:
        self.assertEqual(Ours(1), Theirs(1))
        self.assertEqual(Ours(second="c", first=2), (2, "c"))
        self.assertEqual(Ours._fields, Theirs._fields)
        self.assertEqual(Ours._field_defaults, Theirs._field_defaults)
        with self.assertRaises(TypeError):
            Ours()  # type: ignore[call-arg]

    def test_it_is_a_tuple(self) -> None:
        self.assertEqual(json.dumps(Ours(1)), '[1, "b"]')
        self.assertEqual(Ours(1)._replace(first=3)._asdict(), {"first": 3, "second": "b"})
        with self.assertRaises(AttributeError):
            Ours(1).first = 2  # type: ignore[misc]
        with self.assertRaises(AttributeError):
            Ours(1).third = 2  # type: ignore[attr-defined]

    def test_methods_and_names(self) -> None:
        self.assertEqual(Ours.of(1).both, "1b")
        self.assertEqual(repr(Ours(1)), "Ours(first=1, second='b')")
        self.assertEqual((Ours.__doc__, Ours.__module__), (Theirs.__doc__, __name__))
