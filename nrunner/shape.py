"""Whether data have the shape that a JSON Schema asks for: surely, or perhaps not.

Knows the few keywords that recipes need and is unsure where it meets another, so that a good file
is accepted without importing ``jsonschema``, which takes longer than a small job. What is wrong
with the others is said by ``nrunner.schema``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["surely_fits"]

Schema = Mapping[str, Any]


def surely_fits(data: Any, schema: Schema) -> bool:
    """Say whether `data` are valid; False if they are not, or if that is not easily told."""
    try:
        return _fits(data, schema, schema)
    except (KeyError, RecursionError):
        return False


def _fits(data: Any, schema: Schema, root: Schema) -> bool:
    """Decide; raise KeyError at a word that is not known here."""
    return all(key in _SILENT or _CHECKS[key](data, schema, root) for key in schema)


def _type(data: Any, schema: Schema, _root: Schema) -> bool:
    names = schema["type"]
    return any(type(data) is _TYPES[each] for each in ([names] if type(names) is str else names))


_TYPES = {
    "array": list,
    "boolean": bool,
    "null": type(None),
    "object": dict,
    "string": str,
    "integer": int,
}
"""Other numbers are not among them: that some of those are integers is not easily told."""


def _required(data: Any, schema: Schema, _root: Schema) -> bool:
    return type(data) is not dict or all(key in data for key in schema["required"])


def _members(data: Any, schema: Schema, root: Schema) -> bool:
    if type(data) is not dict:
        return True
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    return all(_member(each, known.get(key, others), root) for key, each in data.items())


def _member(data: Any, schema: Schema | bool, root: Schema) -> bool:
    return schema if isinstance(schema, bool) else _fits(data, schema, root)


def _items(data: Any, schema: Schema, root: Schema) -> bool:
    return type(data) is not list or all(_fits(each, schema["items"], root) for each in data)


def _number_of_items(data: Any, schema: Schema, _root: Schema) -> bool:
    return type(data) is not list or len(data) >= schema["minItems"]


def _length(data: Any, schema: Schema, _root: Schema) -> bool:
    return type(data) is not str or len(data) >= schema["minLength"]


def _bound(data: Any, schema: Schema, _root: Schema) -> bool:
    if type(data) is not int:
        return type(data) is not float
    return bool(schema.get("minimum", data) <= data <= schema.get("maximum", data))


def _reference(data: Any, schema: Schema, root: Schema) -> bool:
    return _fits(data, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)


def _condition(data: Any, schema: Schema, root: Schema) -> bool:
    return _fits(data, schema["then" if _fits(data, schema["if"], root) else "else"], root)


_SILENT = frozenset({"$schema", "$id", "$defs", "title", "description", "then", "else"})
"""Words that demand nothing, or nothing by themselves."""

_CHECKS: Mapping[str, Callable[[Any, Schema, Schema], bool]] = {
    "$ref": _reference,
    "additionalProperties": _members,
    "if": _condition,
    "items": _items,
    "maximum": _bound,
    "minItems": _number_of_items,
    "minLength": _length,
    "minimum": _bound,
    "properties": _members,
    "required": _required,
    "type": _type,
}
