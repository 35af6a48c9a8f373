"""The published schemas of what `--json` prints, taken strictly: no field that they do not name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FILE = Path(__file__).resolve().parents[2] / "docs" / "schemas.json"
OPEN = frozenset({"reply", "answer"})
"""Those that others add to."""


def published() -> dict[str, Any]:
    """Return the document."""
    document: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return document


def fields(name: str) -> set[str]:
    """Return the fields that the answer to a command may have, beside those of every answer."""
    return set(published()["$defs"][name].get("properties", ())) - {"status"}


class Schemas:
    """Validates what was printed. Owned by the test."""

    def __init__(self) -> None:
        document = published()
        Draft202012Validator.check_schema(document)
        self._strict = {
            name: one if name in OPEN else _closed(one) for name, one in document["$defs"].items()
        }

    def problems(self, name: str, value: Any) -> list[str]:
        """Return what is wrong with a value, a line each."""
        schema = {"$ref": f"#/$defs/{name}", "$defs": self._strict}
        found = Draft202012Validator(schema).iter_errors(value)
        return [f"{name}{error.json_path[1:]}: {error.message}" for error in found]


def _closed(schema: Any) -> Any:
    """Return a schema whose objects have the fields that it names, and no others."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(one) for key, one in schema.items()}
    is_answer = schema.get("$ref", "").rpartition("/")[2] in OPEN
    if "properties" in schema or is_answer:
        closed["unevaluatedProperties"] = False
    return closed
