"""Runnables and requirements from JSON and back, and what is said about JSON that is neither."""

from __future__ import annotations

import pytest

from nrunner.errors import RecipeError
from nrunner.runnable import Requirement, Runnable, tags_from_json, tags_to_json

FULL = {
    "kind": "exec-test",
    "uri": "./check.sh",
    "args": ["-v", ""],
    "kwargs": {"DEBUG": "1", "N": 2},
    "requirements": [{"type": "file", "uri": "mylib.py"}, {"type": "package", "name": "gcc"}],
    "tags": {"slow": None, "net": ["e1000", "virtio"]},
    "config": {"runner.exectest.exitcodes.skip": [77]},
    "variant": {"variant_id": "fast-1", "variant": []},
    "identifier": "check",
}


def test_a_recipe_is_read_and_written_whole():
    runnable = Runnable.from_json(FULL)
    assert runnable == Runnable(
        "exec-test",
        "./check.sh",
        ("-v", ""),
        {"DEBUG": "1", "N": 2},
        (Requirement("file", "mylib.py"), Requirement("package", kwargs={"name": "gcc"})),
        {"slow": None, "net": frozenset({"e1000", "virtio"})},
        {"runner.exectest.exitcodes.skip": [77]},
        {"variant_id": "fast-1", "variant": []},
        "check",
    )
    assert runnable.to_json() == FULL


def test_keys_that_say_nothing_are_not_written():
    assert Runnable("noop").to_json() == {"kind": "noop"}
    assert Requirement("file").to_json() == {"type": "file"}


@pytest.mark.parametrize("key", [key for key in FULL if key != "kind"])
def test_null_says_as_little_as_a_key_that_is_not_there(key):
    assert Runnable.from_json({"kind": "noop", key: None}) == Runnable("noop")


def test_a_variant_that_is_empty_is_not_the_same_as_none():
    assert Runnable.from_json({"kind": "noop", "variant": {}}).to_json()["variant"] == {}


def test_keys_that_nobody_knows_are_passed_over():
    assert Runnable.from_json({"kind": "noop", "colour": "blue"}) == Runnable("noop")


def test_dependencies_is_another_word_for_requirements():
    data = {
        "kind": "noop",
        "requirements": [{"type": "a"}],
        "dependencies": [{"type": "b"}],
    }
    kinds = [each.kind for each in Runnable.from_json(data).requirements]
    assert kinds == ["a", "b"]


@pytest.mark.parametrize("word", ["requirements", "dependencies"])
def test_requirements_tags_and_variant_are_found_in_kwargs_too(word):
    inner = {word: [{"type": "file"}], "tags": {"slow": None}, "variant": {"variant_id": "v"}}
    runnable = Runnable.from_json({"kind": "noop", "kwargs": {"A": "1", **inner}})
    assert runnable.kwargs == {"A": "1"}
    assert runnable.requirements == (Requirement("file"),)
    assert runnable.tags == {"slow": None}
    assert runnable.variant_id == "v"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tags", {"slow": None}),
        ("variant", {}),
        ("requirements", []),
        ("dependencies", [{"type": "file"}]),
    ],
)
def test_what_is_given_twice_is_refused_rather_than_lost(key, value):
    with pytest.raises(RecipeError, match=f'key "{key}" is given twice'):
        Runnable.from_json({"kind": "noop", key: value, "kwargs": {key: value}})
    data = {"kind": "noop", key: None, "kwargs": {key: value}}
    assert Runnable.from_json(data) == Runnable.from_json({"kind": "noop", key: value})


def test_reading_changes_nothing_that_was_read():
    data = {"kind": "noop", "kwargs": {"tags": {"slow": None}}}
    Runnable.from_json(data)
    assert data == {"kind": "noop", "kwargs": {"tags": {"slow": None}}}


@pytest.mark.parametrize(
    ("runnable", "name"),
    [
        (Runnable("noop"), "noop"),
        (Runnable("noop", "uri"), "uri"),
        (Runnable("noop", "uri", identifier="identifier"), "identifier"),
        (Runnable("noop", ""), "noop"),
    ],
)
def test_people_call_it_by_the_most_telling_of_its_names(runnable, name):
    assert runnable.name == name


@pytest.mark.parametrize(
    ("variant", "name"),
    [(None, None), ({}, None), ({"variant_id": None}, None), ({"variant_id": 3}, "3")],
)
def test_a_variant_may_have_a_name(variant, name):
    assert Runnable("noop", variant=variant).variant_id == name


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "recipe: expected an object, got null"),
        ([], "recipe: expected an object, got a list"),
        ("noop", "recipe: expected an object, got a string"),
        ({}, 'recipe: key "kind" is missing'),
        ({"kind": None}, 'key "kind": expected a non-empty string, got null'),
        ({"kind": ""}, 'key "kind": expected a non-empty string, got an empty one'),
        ({"kind": 3}, 'key "kind": expected a non-empty string, got a number'),
        ({"uri": []}, 'key "uri": expected a string, got a list'),
        ({"uri": False}, 'key "uri": expected a string, got a boolean'),
        ({"args": "-v"}, 'key "args": expected a list of strings, got a string'),
        ({"args": 0}, 'key "args": expected a list of strings, got a number'),
        ({"args": {}}, 'key "args": expected a list of strings, got an object'),
        ({"args": ["-v", 1]}, 'key "args[1]": expected a string, got a number'),
        ({"kwargs": []}, 'key "kwargs": expected an object, got a list'),
        ({"requirements": {}}, 'key "requirements": expected a list, got an object'),
        ({"requirements": False}, 'key "requirements": expected a list, got a boolean'),
        ({"dependencies": ""}, 'key "dependencies": expected a list, got a string'),
        (
            {"requirements": ["file"]},
            'key "requirements[0]": requirement: expected an object, got a string',
        ),
        (
            {"dependencies": [{"type": "file"}, {}]},
            'key "dependencies[1]": requirement: key "type" is missing',
        ),
        (
            {"requirements": [{"type": "file", "uri": 1}]},
            'key "requirements[0]": key "uri": expected a string, got a number',
        ),
        ({"tags": []}, 'key "tags": expected an object, got a list'),
        ({"tags": {"net": "virtio"}}, 'key "tags.net": expected a list of strings or null'),
        ({"tags": {"net": [1]}}, 'key "tags.net": expected a list of strings or null'),
        ({"config": 1.5}, 'key "config": expected an object, got a number'),
        ({"variant": "fast"}, 'key "variant": expected an object, got a string'),
        ({"identifier": {}}, 'key "identifier": expected a string, got an object'),
        ({"kwargs": {"tags": 1}}, 'key "tags": expected an object, got a number'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_recipe_that_is_wrong_is_refused_by_the_name_of_the_key(data, message):
    if isinstance(data, dict) and data and "kind" not in data:
        data = {"kind": "noop", **data}
    with pytest.raises(RecipeError) as caught:
        Runnable.from_json(data)
    assert str(caught.value) == message


def test_a_requirement_keeps_what_its_kind_needs_beside_the_known_keys():
    data = {"type": "package", "uri": "u", "args": ["a"], "name": "gcc", "action": {"x": [1]}}
    requirement = Requirement.from_json(data)
    assert requirement == Requirement("package", "u", ("a",), {"name": "gcc", "action": {"x": [1]}})
    assert requirement.to_json() == data


def test_equal_requirements_have_one_key_in_whatever_order_they_were_written():
    one = Requirement.from_json({"type": "package", "name": "gcc", "version": {"a": 1, "b": 2}})
    two = Requirement.from_json({"version": {"b": 2, "a": 1}, "name": "gcc", "type": "package"})
    assert one == two
    assert one.key == two.key


@pytest.mark.parametrize(
    "other",
    [
        Requirement("file", "b"),
        Requirement("file"),
        Requirement("pip", "a"),
        Requirement("file", "a", ("x",)),
        Requirement("file", "a", (), {"x": 1}),
    ],
)
def test_requirements_that_differ_have_different_keys(other):
    assert Requirement("file", "a").key != other.key


def test_tags_are_written_in_order():
    tags = {"net": frozenset({"virtio", "e1000"}), "slow": None, "none": frozenset()}
    assert tags_to_json(tags) == {"net": ["e1000", "virtio"], "slow": None, "none": []}
    assert tags_from_json(tags_to_json(tags)) == tags


@pytest.mark.parametrize("kind", [Runnable, Requirement])
def test_neither_can_be_changed(kind):
    with pytest.raises(AttributeError):
        kind("noop").kind = "other"
