import json
from typing import Any

import pytest

from nrunner.schema import Problem, line_of, load_schema, nearest, path_text, problems


def _one(data: Any) -> Problem:
    found = problems(data, "recipe")
    assert len(found) == 1, found
    return found[0]


def test_a_right_recipe_has_no_problems() -> None:
    recipe = {
        "kind": "exec-test",
        "uri": "/bin/true",
        "args": ["a"],
        "kwargs": {"ANY": 1},
        "requirements": [{"type": "file", "uri": "x", "anything": [1]}],
        "dependencies": [{"type": "package", "name": "gcc"}],
        "tags": {"slow": None, "net": ["virtio"]},
        "config": {"runner.exectest.exitcodes.skip": [77]},
        "variant": None,
        "identifier": "me",
    }
    assert problems(recipe, "recipe") == []
    assert problems([recipe, recipe], "recipe") == []


def test_an_unknown_key_names_the_nearest_valid_one() -> None:
    problem = _one({"kind": "noop", "requirement": []})
    assert problem.path == ("requirement",)
    assert str(problem) == 'key "requirement": unknown key; did you mean "requirements"?'


def test_a_key_like_no_other_gets_no_suggestion() -> None:
    assert str(_one({"kind": "noop", "zzz": 1})) == 'key "zzz": unknown key'


def test_a_missing_key_is_named() -> None:
    assert str(_one({"uri": "x"})) == 'key "kind" is missing'
    assert str(_one([{"kind": "noop"}, {}])) == 'key "[1]": key "kind" is missing'


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (3, "expected an object, got a number"),
        ({"kind": None}, 'key "kind": expected a string, got null'),
        ({"kind": True}, 'key "kind": expected a string, got true'),
        ({"kind": ""}, 'key "kind": must not be empty'),
        ([], "must not be empty"),
        ({"kind": "x", "args": [1]}, 'key "args[0]": expected a string, got a number'),
        ({"kind": "x", "uri": []}, 'key "uri": expected a string or null, got a list'),
        (
            {"kind": "x", "dependencies": [{}]},
            'key "dependencies[0]": key "type" is missing',
        ),
        (
            {"kind": "x", "tags": {"net": "virtio"}},
            'key "tags.net": expected a list or null, got a string',
        ),
    ],
)
def test_a_wrong_value_is_said_in_words(data: Any, text: str) -> None:
    assert str(_one(data)) == text


def test_every_problem_is_said_in_the_order_of_the_file() -> None:
    found = problems([{"uri": 1, "kin": "x"}, {"kind": "noop", "args": {}}], "recipe")
    assert [each.where for each in found] == ["[0]", "[0].uri", "[0].kin", "[1].args"]


def test_line_of_finds_keys_items_and_the_nearest_object_around_what_is_missing() -> None:
    text = '[\n {"kind": "noop"},\n {"kind": "x",\n  "a\\"b": {"c": [1,\n 2, "}"]},\n  "d": 1}\n]'
    assert json.loads(text)
    assert line_of(text, ()) == 1
    assert line_of(text, (0,)) == 2
    assert line_of(text, (1,)) == 3
    assert line_of(text, (1, 'a"b')) == 4
    assert line_of(text, (1, 'a"b', "c", 1)) == 5
    assert line_of(text, (1, "d")) == 6
    assert line_of(text, (1, "missing")) == 3
    assert line_of('{"b": 1,\n"a":\n"b"}', ("b",)) == 1
    assert line_of("", ("a",)) is None


def test_line_of_survives_deep_nesting_and_rubbish() -> None:
    assert line_of("[" * 5000, (0,) * 5000) == 1
    assert line_of(']}:,"', ("a",)) == 1 or line_of(']}:,"', ("a",)) is None


def test_paths_read_as_people_write_them() -> None:
    assert path_text((1, "requirements", 0, "type")) == "[1].requirements[0].type"
    assert path_text(("runner", "x")) == "runner.x"


def test_nearest_says_nothing_rather_than_something_far_off() -> None:
    assert nearest("requirments", ["requirements", "tags"]) == "requirements"
    assert nearest("zzz", ["requirements"]) == ""


def test_the_schema_is_itself_valid() -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(load_schema("recipe"))
