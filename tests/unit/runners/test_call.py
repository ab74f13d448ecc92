import json
from pathlib import Path

import pytest

from nrunner.errors import RecipeError, UsageError
from nrunner.runnable import Runnable
from nrunner.runners.call import Call, read_call, read_recipe


def test_options_and_words_may_be_mixed() -> None:
    words = ["-i", "1-x", "A=1", "-k", "tap", "-u", "a.t", "B=json:[1]", "-j", "J", "-t", "test"]
    words += ["-a", "x", "output_dir=/out", "-a", "-y", "-s", "sock", "-s", "host:1", "-c", "{}"]
    runnable = Runnable("tap", "a.t", ("x", "-y"), {"A": "1", "B": [1]})
    expected = Call(runnable, "/out", "1-x", "J", ("sock", "host:1"))
    assert read_call(words, None, task=True) == expected


def test_long_and_attached_forms_are_understood() -> None:
    words = ["--identifier=1", "--kind=tap", "-uU", "--arg", "a", "--status-uri=s", "--job-id=J"]
    call = read_call([*words, "--config={}", "--category=test"], None, task=True)
    assert call == Call(Runnable("tap", "U", ("a",)), None, "1", "J", ("s",))


def test_the_kind_defaults_to_that_of_the_executable() -> None:
    assert read_call([], "noop", task=False).runnable == Runnable("noop")
    assert read_call(["-k", "tap"], "noop", task=False).runnable.kind == "tap"


def test_encoded_arguments_are_decoded() -> None:
    words = ["-a", "base64:LWRhc2g=", "-a", "base64:YmFzZTY0Ong=", "-a", "json:{}", "-a", ""]
    call = read_call(words, "exec-test", task=False)
    assert call.runnable.args == ("-dash", "base64:x", "json:{}", "")


def test_what_cannot_be_decoded_means_itself():
    """Avocado sends texts that begin so as they are; to refuse them would hang its job."""
    words = ["-i", "1", "-a", "base64:?", "-a", "base64:notreally", "A=json:{", "B=json:literal"]
    runnable = read_call(words, "tap", task=True).runnable
    assert runnable.args == ("base64:?", "base64:notreally")
    assert runnable.kwargs == {"A": "json:{", "B": "json:literal"}


def test_tags_and_variant_travel_as_words() -> None:
    words = ['tags=json:{"a": null, "b": ["c"]}', 'variant=json:{"variant_id": "v"}', "K=json:5"]
    runnable = read_call(words, "exec-test", task=False).runnable
    assert runnable.tags == {"a": None, "b": frozenset({"c"})}
    assert runnable.variant_id == "v"
    assert runnable.kwargs == {"K": 5}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "needs -i ID"),
        (["-i"], "option -i needs a value"),
        (["-i", "1", "--kin", "x"], "unknown option --kin; did you mean --kind"),
        (["-i", "1", "word"], "expected KEY=VALUE or an option, got 'word'"),
        (["-i", "1", "=x"], "expected KEY=VALUE"),
        (["-i", "1", "-c", "{"], "-c: not JSON"),
        (["-i", "1", "-k", "tap", "-c", "[]"], 'key "config": expected an object'),
        (["-i", "1"], "what kind is it"),
        (["-i", "1", "-k", ""], 'key "kind"'),
        (["-i", "1", "-k", "tap", "tags=json:5"], 'key "tags"'),
    ],
)
def test_wrong_words_are_refused_with_the_reason(words: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        read_call(words, None, task=True)


def test_an_empty_output_folder_is_refused() -> None:
    with pytest.raises(RecipeError, match="output_dir"):
        read_call(["output_dir="], "noop", task=False)


def test_options_of_tasks_are_unknown_to_runnables() -> None:
    with pytest.raises(UsageError, match="unknown option -i"):
        read_call(["-i", "1"], "noop", task=False)


def recipe(folder: Path, data: object) -> str:
    path = folder / "recipe.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return str(path)


def test_a_task_recipe_keeps_an_integer_id(tmp_path: Path) -> None:
    data = {"id": 7, "runnable": {"kind": "noop"}, "status_uris": ["s"], "category": "test"}
    call = read_recipe(recipe(tmp_path, data), task=True)
    assert call == Call(Runnable("noop"), None, 7, None, ("s",))


def test_a_recipe_may_say_the_output_folder(tmp_path: Path) -> None:
    data = {"kind": "tap", "uri": "a", "kwargs": {"output_dir": "/out", "A": "b"}}
    call = read_recipe(recipe(tmp_path, data), task=False)
    assert call == Call(Runnable("tap", "a", kwargs={"A": "b"}), "/out")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("{", "not JSON"),
        ([], "expected an object"),
        ({"runnable": {"kind": "noop"}}, 'key "id"'),
        ({"id": True, "runnable": {"kind": "noop"}}, 'key "id"'),
        ({"id": "1"}, 'key "runnable"'),
        ({"id": "1", "runnable": {}}, 'key "kind" is missing'),
        ({"id": "1", "runnable": {"kind": "noop"}, "status_uris": "x"}, 'key "status_uris"'),
        ({"id": "1", "runnable": {"kind": "noop"}, "status_uris": [1]}, 'key "status_uris"'),
        ({"id": "1", "runnable": {"kind": "noop"}, "status_uris": 5}, 'key "status_uris"'),
        ({"id": "1", "runnable": {"kind": "noop"}, "job_id": 5}, 'key "job_id"'),
        ({"id": "1", "runnable": {"kind": "noop", "output_dir": 5}}, 'key "output_dir"'),
        ({"id": "1", "runnable": {"kind": "noop", "kwargs": []}}, 'key "kwargs"'),
    ],
)
def test_a_wrong_recipe_is_refused_with_file_and_key(
    tmp_path: Path, data: object, reason: str
) -> None:
    path = recipe(tmp_path, data)
    with pytest.raises(RecipeError, match=reason) as caught:
        read_recipe(path, task=True)
    assert str(caught.value).startswith(path)


def test_a_missing_recipe_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"/none\.json: cannot be read: No such file"):
        read_recipe("/none.json", task=False)


def test_a_setting_that_is_null_is_none(tmp_path: Path) -> None:
    words = ["-k", "robot", "-c", '{"runner.isolation": null, "runner.python": "python3"}']
    found = read_call(words, None, task=False).runnable
    assert found.config == {"runner.python": "python3"}
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({"kind": "robot", "config": {"runner.isolation": None}}))
    assert read_recipe(str(recipe), task=False).runnable.config == {}
