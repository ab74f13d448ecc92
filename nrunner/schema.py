"""JSON Schemas for what users write: loading them, and saying what is wrong with a file.

Recipes, job files and configuration are all checked here. Not responsible for reading those
files, nor for what their values mean. ``jsonschema`` is imported only when something is wrong, or
may be (``nrunner.shape``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrunner.record import dataclass
from nrunner.shape import surely_fits

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

__all__ = ["Problem", "line_of", "load_schema", "nearest", "path_text", "problems"]

_FOLDER = Path(__file__).parent / "schemas"

_TYPE_NAMES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file: where, what, and the name that may have been meant."""

    path: tuple[str | int, ...]
    message: str
    suggestion: str = ""

    @property
    def where(self) -> str:
        """The path as people write it: ``[1].requirements[0].type``."""
        return path_text(self.path)

    def __str__(self) -> str:
        text = f'key "{self.where}": {self.message}' if self.path else self.message
        return f'{text}; did you mean "{self.suggestion}"?' if self.suggestion else text


def path_text(path: Iterable[str | int]) -> str:
    """Return a path as people write it: ``[1].requirements[0].type``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return the valid name that looks most like `name`, or an empty string."""
    import difflib

    found = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.6)
    return found[0] if found else ""


@cache
def load_schema(name: str) -> Mapping[str, Any]:
    """Return the schema called `name` (``recipe``, ``config``, ``job``, ...)."""
    schema: Mapping[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text("utf-8"))
    return schema


def problems(data: Any, schema_name: str) -> list[Problem]:
    """Return everything that is wrong with `data`, in the order in which it stands there."""
    if surely_fits(data, load_schema(schema_name)):
        return []
    found: list[Problem] = []
    for error in _validator(schema_name).iter_errors(data):
        found.extend(_explain(error))
    unique = dict.fromkeys(found)
    return sorted(unique, key=lambda each: _order(data, each.path))


def line_of(text: str, path: Iterable[str | int]) -> int | None:
    """Return the line (from 1) on which the JSON `text` has what `path` leads to.

    For a path to a missing key, this is the line of the nearest object around it.
    """
    wanted = tuple(path)
    best: tuple[int, int] | None = None
    for found, offset in _members(text):
        if wanted[: len(found)] == found and (best is None or len(found) >= best[0]):
            best = (len(found), offset)
    return None if best is None else text.count("\n", 0, best[1]) + 1


@cache
def _validator(schema_name: str) -> Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(load_schema(schema_name))


def _order(data: Any, path: tuple[str | int, ...]) -> tuple[int, ...]:
    """Return the position of `path` in `data`, for sorting."""
    order: list[int] = []
    for step in path:
        if isinstance(data, Mapping) and step in data:
            order.append(list(data).index(str(step)))
            data = data[step]
        elif isinstance(data, list) and isinstance(step, int):
            order.append(step)
            data = data[step]
    return tuple(order)


def _explain(error: ValidationError) -> list[Problem]:
    path = tuple(error.absolute_path)
    explain = _EXPLANATIONS.get(str(error.validator))
    return explain(error, path) if explain else [Problem(path, _lower(error.message))]


def _unknown_keys(error: ValidationError, path: tuple[str | int, ...]) -> list[Problem]:
    schema: Any = error.schema
    known = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    extra = [
        key
        for key in _instance(error)
        if key not in known and not any(re.search(pattern, key) for pattern in patterns)
    ]
    return [Problem((*path, key), "unknown key", nearest(key, known)) for key in extra]


def _missing_key(error: ValidationError, path: tuple[str | int, ...]) -> list[Problem]:
    missing = [key for key in _wanted(error) if key not in _instance(error)]
    return [Problem(path, f'key "{key}" is missing') for key in missing]


def _wrong_type(error: ValidationError, path: tuple[str | int, ...]) -> list[Problem]:
    wanted = _wanted(error)
    names = [_TYPE_NAMES[each] for each in ([wanted] if isinstance(wanted, str) else wanted)]
    return [Problem(path, f"expected {' or '.join(names)}, got {_type_name(error.instance)}")]


def _wrong_value(error: ValidationError, path: tuple[str | int, ...]) -> list[Problem]:
    valid = [json.dumps(each) for each in _wanted(error)]
    names = [each for each in _wanted(error) if isinstance(each, str)]
    close = nearest(error.instance, names) if isinstance(error.instance, str) else ""
    shown = json.dumps(error.instance, default=str)
    return [Problem(path, f"{shown} is not one of {', '.join(valid)}", close)]


def _alternatives(error: ValidationError, path: tuple[str | int, ...]) -> list[Problem]:
    """Explain the alternative that came closest: the one that failed deepest inside."""
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.schema_path[0], []).append(inner)
    if not branches:
        return [Problem(path, _lower(error.message))]
    best = max(branches.values(), key=lambda each: min(len(one.path) for one in each))
    if all(not one.path for each in branches.values() for one in each):
        messages = [str(_explain(one)[0].message) for each in branches.values() for one in each]
        return [Problem(path, " or ".join(dict.fromkeys(messages)))]
    return [problem for one in best for problem in _explain(one)]


def _too_short(error: ValidationError, path: tuple[str | int, ...]) -> list[Problem]:
    return [Problem(path, "must not be empty" if error.instance in ("", []) else error.message)]


def _unwanted(error: ValidationError, path: tuple[str | int, ...]) -> list[Problem]:
    schema: Any = error.schema
    return [Problem(path, _lower(schema["description"]).rstrip("."))]


_EXPLANATIONS: Mapping[str, Callable[[ValidationError, tuple[str | int, ...]], list[Problem]]] = {
    "additionalProperties": _unknown_keys,
    "required": _missing_key,
    "type": _wrong_type,
    "enum": _wrong_value,
    "anyOf": _alternatives,
    "oneOf": _alternatives,
    "minLength": _too_short,
    "minItems": _too_short,
    "not": _unwanted,
}


def _wanted(error: ValidationError) -> Any:
    return error.validator_value


def _instance(error: ValidationError) -> Any:
    return error.instance


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return json.dumps(value)
    kinds = {dict: "an object", list: "a list", str: "a string", int: "a number", float: "a number"}
    return kinds.get(type(value), f"a {type(value).__name__}")


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


_TOKEN = r'(?s)"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+'


def _members(text: str) -> Iterator[tuple[tuple[str | int, ...], int]]:
    """Yield the path and the offset of every value; of a member of an object, that of its key."""
    steps: list[str | int] = []
    ready = True
    for match in re.finditer(_TOKEN, text):
        token = match.group()
        if token in "]}":
            del steps[-1:]
        elif token == ",":
            if steps and isinstance(steps[-1], int):
                steps[-1] += 1
            ready = True
        elif token == ":":
            ready = False
        elif ready and steps and isinstance(steps[-1], str) and token.startswith('"'):
            steps[-1] = _unquoted(token)
            yield tuple(steps), match.start()
        else:
            if not steps or isinstance(steps[-1], int):
                yield tuple(steps), match.start()
            ready = token == "{"
            if token in "{[":
                steps.append("" if token == "{" else 0)


def _unquoted(token: str) -> str:
    try:
        return str(json.loads(token, strict=False))
    except ValueError:
        return token
