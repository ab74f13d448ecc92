"""Any Runnable survives JSON, and any JSON is a Runnable or refused by name."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from nrunner.errors import RecipeError
from nrunner.runnable import Requirement, Runnable

TEXT = st.text(max_size=6)
WORD = st.text(min_size=1, max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ARGS = st.lists(TEXT, max_size=3).map(tuple)
URI = st.none() | TEXT


def objects(*reserved: str) -> st.SearchStrategy[dict[str, object]]:
    return st.dictionaries(TEXT.filter(lambda key: key not in reserved), JSON, max_size=3)


REQUIREMENTS = st.builds(Requirement, WORD, URI, ARGS, objects("type", "uri", "args"))
RUNNABLES = st.builds(
    Runnable,
    WORD,
    URI,
    ARGS,
    objects("tags", "variant", "dependencies", "requirements"),
    st.lists(REQUIREMENTS, max_size=3).map(tuple),
    st.dictionaries(TEXT, st.none() | st.frozensets(TEXT, max_size=3), max_size=3),
    objects(),
    st.none() | objects(),
    URI,
)
KEYS = ("kind", "uri", "args", "kwargs", "requirements", "dependencies", "tags", "config")
RECIPES = st.dictionaries(st.sampled_from((*KEYS, "variant", "identifier", "type")), JSON)


@given(RUNNABLES)
def test_a_runnable_survives_json(runnable):
    text = json.dumps(runnable.to_json())
    assert Runnable.from_json(json.loads(text)) == runnable


@given(REQUIREMENTS)
def test_a_requirement_survives_json_and_keeps_its_key(requirement):
    again = Requirement.from_json(json.loads(json.dumps(requirement.to_json())))
    assert again == requirement
    assert again.key == requirement.key


@given(JSON | RECIPES | RECIPES.map(lambda data: {"kind": "noop", **data}))
def test_any_json_is_read_or_refused_with_the_name_of_what_is_wrong(data):
    try:
        runnable = Runnable.from_json(data)
    except RecipeError as error:
        message = str(error)
        assert message.startswith(('key "', "recipe: "))
        assert not isinstance(data, dict) or any(f'"{key}' in message for key in (*KEYS, *data))
    else:
        assert Runnable.from_json(runnable.to_json()) == runnable
