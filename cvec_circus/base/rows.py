"""Rows: dicts that stand for sets in order. Thousands are empty most of the time, and are one."""

from __future__ import annotations

from typing import Any, TypeVar

Item = TypeVar("Item")
Row = dict[Item, None]

EMPTY: dict[Any, Any] = {}
"""Every empty row, and every other dict that is seldom filled: it stays empty."""


def enter(row: Row[Item], item: Item) -> Row[Item]:
    """Return a row with an item more."""
    if not row:
        return {item: None}
    row[item] = None
    return row


def strike(row: Row[Item], item: Item) -> Row[Item]:
    """Return a row without an item, which it need not have."""
    row.pop(item, None)
    return row or EMPTY
