"""What is accepted without jsonschema is what jsonschema accepts."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from nrunner.schema import load_schema
from nrunner.shape import surely_fits

WORDS = st.sampled_from(["kind", "uri", "args", "kwargs", "tags", "type", "$schema", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)
STRINGS = st.lists(st.text(max_size=3), max_size=2)
REQUIREMENTS = st.lists(
    st.fixed_dictionaries(
        {"type": st.text(max_size=3)},
        optional={"uri": st.none() | st.text(), "args": STRINGS, "x": JSON},
    ),
    max_size=2,
)
RIGHT = {
    "$schema": st.text(max_size=3),
    "uri": st.none() | st.text(max_size=3),
    "args": STRINGS,
    "kwargs": st.dictionaries(WORDS, JSON, max_size=2),
    "requirements": REQUIREMENTS,
    "dependencies": REQUIREMENTS,
    "tags": st.none() | st.dictionaries(WORDS, st.none() | STRINGS, max_size=2),
    "config": st.dictionaries(WORDS, JSON, max_size=2),
    "variant": st.none() | st.dictionaries(WORDS, JSON, max_size=2),
    "identifier": st.none() | st.text(max_size=3),
}
RECIPES = st.fixed_dictionaries({"kind": st.text(max_size=3)}, optional=RIGHT)
NEARLY = st.builds(
    lambda recipe, key, value: {**recipe, key: value},
    RECIPES,
    st.sampled_from(["kind", *RIGHT, "unknown"]),
    JSON,
)
FILES = RECIPES | NEARLY | st.lists(RECIPES | NEARLY, max_size=3) | JSON

RECIPE = load_schema("recipe")
VALIDATOR = Draft202012Validator(RECIPE)


@given(FILES)
def test_of_recipes_both_say_the_same(data: Any) -> None:
    assert surely_fits(data, RECIPE) == VALIDATOR.is_valid(data)


KEYWORDS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["array", "object", "string", "null", "integer", "number"]),
        "minLength": st.integers(0, 2),
        "minItems": st.integers(0, 2),
        "maxLength": st.integers(0, 2),
        "minimum": st.integers(-1, 2),
        "maximum": st.integers(-1, 2),
        "required": st.lists(WORDS, max_size=2, unique=True),
        "enum": st.lists(st.text(max_size=1), min_size=1, max_size=2),
    },
)
SCHEMAS = st.recursive(
    KEYWORDS,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(WORDS, inner, max_size=3),
            "additionalProperties": inner | st.booleans(),
            "items": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "not": inner,
        },
    ),
    max_leaves=5,
)


@given(JSON, SCHEMAS)
def test_nothing_is_accepted_that_any_schema_refuses(data: Any, schema: dict[str, Any]) -> None:
    assert not surely_fits(data, schema) or Draft202012Validator(schema).is_valid(data)
