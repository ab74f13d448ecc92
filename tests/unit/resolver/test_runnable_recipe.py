import json
from pathlib import Path
from typing import Any

import pytest

from nrunner.config import OPTIONS
from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.runnable_recipe import RunnableRecipeResolver

_LIMITS = ("task_timeout", "task_slow", "task_silence")


def _resolve(folder: Path, content: str | bytes, name: str = "a.json") -> Resolution:
    data = content.encode() if isinstance(content, str) else content
    (folder / name.rpartition(":")[2]).write_bytes(data)
    return RunnableRecipeResolver().resolve(name, Context(folder, config={"a": 1, "b": 1}))


def test_one_object_or_a_list_become_runnables(tmp_path: Path) -> None:
    one: dict[str, Any] = {"kind": "exec-test", "uri": "/bin/true", "config": {"b": 2}}
    [runnable] = _resolve(tmp_path, json.dumps(one)).runnables
    assert (runnable.kind, runnable.uri) == ("exec-test", "/bin/true")
    assert runnable.config == {"a": 1, "b": 2}
    assert len(_resolve(tmp_path, json.dumps([one, one])).runnables) == 2


def test_dependencies_are_another_word_for_requirements(tmp_path: Path) -> None:
    text = '{"kind": "noop", "dependencies": [{"type": "file", "uri": "x"}]}'
    [runnable] = _resolve(tmp_path, text).runnables
    assert [each.uri for each in runnable.requirements] == ["x"]


def test_every_problem_is_told_with_its_line_and_the_nearest_key(tmp_path: Path) -> None:
    text = '[\n{"kind": "noop",\n "ur": "x"},\n{"uri": "y", "args": [1]}\n]'
    resolution = _resolve(tmp_path, text)
    assert resolution.answer is Answer.CORRUPT
    assert resolution.reason.split("; ") == [
        'a.json:3: key "[0].ur": unknown key',
        'did you mean "uri"?',
        'a.json:4: key "[1]": key "kind" is missing',
        'a.json:4: key "[1].args[0]": expected a string, got a number',
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"kind": "noop",\n"uri" 1}', "a.json:2:7: not JSON: expecting ':' delimiter"),
        (b'\xef\xbb\xbf{"kind": 1}', "a.json:1: key"),
        (b'{"kind": "\xff"}', "a.json: not UTF-8: byte 10 is wrong"),
        ('{"kind": ' + "[" * 100_000, "a.json: nested too deeply"),
        ('{"kind": ' + "1" * 5000 + "}", "a.json: not JSON: "),
        ('{"kind": "noop", "kwargs": {"tags": 3}}', 'a.json: key "tags": expected an object'),
        (
            '{"kind": "noop", "config": {"runner.idempotent": "yes"}}',
            'a.json:1: key "config.runner.idempotent": expected true or false, got a string',
        ),
        (
            '[{"kind": "noop",\n"config": {"run.env": {"A": "b"}}}]',
            'a.json:2: key "[0].config.run.env": suites have this setting; in a recipe it is'
            " runner.env",
        ),
        (
            '{"kind": "noop", "config": {"run.task_timeout": 1}}',
            'a.json:1: key "config.run.task_timeout": suites have this setting, recipes do not',
        ),
    ],
)
def test_a_broken_recipe_is_corrupt(tmp_path: Path, content: str | bytes, reason: str) -> None:
    resolution = _resolve(tmp_path, content)
    assert resolution.answer is Answer.CORRUPT
    assert resolution.reason.startswith(reason)


@pytest.mark.parametrize("name", ["env", "grace", "idempotent", *_LIMITS])
def test_settings_of_suites_are_refused_in_recipes(tmp_path: Path, name: str) -> None:
    assert OPTIONS[f"run.{name}"].per_suite
    resolution = _resolve(tmp_path, json.dumps({"kind": "noop", "config": {f"run.{name}": 1}}))
    assert resolution.answer is Answer.CORRUPT
    assert f'key "config.run.{name}": suites have this setting' in resolution.reason


def test_what_recipes_of_avocado_are_configured_with_is_taken(tmp_path: Path) -> None:
    config = {
        "run.keep_tmp": False,
        "run.test_parameters": [["a", "b"]],
        "job.run.store_logging_stream": [],
        "runner.exectest.clear_env": None,
        "runner.identifier_format": "{uri}",
    }
    [runnable] = _resolve(tmp_path, json.dumps({"kind": "noop", "config": config})).runnables
    assert runnable.config == {"a": 1, "b": 1, **config}


@pytest.mark.parametrize("content", ["{}", "[]", "3", '{"name": "x", "dependencies": {}}', "{"])
def test_json_that_is_data_is_declined_unless_it_is_called_a_recipe(
    tmp_path: Path, content: str
) -> None:
    resolution = _resolve(tmp_path, content)
    assert resolution.answer is Answer.NOT_MINE
    assert resolution.reason.startswith("a.json:1:")
    assert _resolve(tmp_path, content, "runnable-recipe:a.json").answer is Answer.CORRUPT


def test_other_files_and_folders_are_declined(tmp_path: Path) -> None:
    (tmp_path / "d.json").mkdir()
    for reference in ("missing.json", "d.json", "/bin/true"):
        resolution = RunnableRecipeResolver().resolve(reference, Context(tmp_path))
        assert (resolution.answer, resolution.reason) == (Answer.NOT_MINE, "")
