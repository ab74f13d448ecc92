"""What is read of Avocado's configuration file, and what is said of a wrong one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nrunner.avocadofile import SHARED, read_ini
from nrunner.config import OPTIONS
from nrunner.errors import ConfigError

AVOCADO = json.loads(
    (Path(__file__).parents[1] / "fixtures/avocado/options.json").read_text("utf-8")
)
FILE = """\
# Of Avocado.
[run]
failfast = True
max_parallel_tasks = 3
results_dir = out
test_parameters = ["A=1", ("B", "x=y")]
status_server_auto = False
suite_runner =

[job.run]
timeout: 90

[filter.by_tags]
tags = ['a,b', '-c']
include_empty = on

[runner.exectest.exitcodes]
skip = [77, 78]

[core]
show = app,test

[job.run.result.xunit]
enabled = false
max_test_log_chars = 2k

[sysinfo.collect]
enabled = True
commands_timeout = -1

[plugins.of.others]
failfast = nonsense
"""


def values(folder: Path, text: str) -> dict[str, Any]:
    path = folder / "avocado.conf"
    path.write_text(text)
    return {key: value for key, (value, _) in read_ini(path).items()}


def test_what_both_know_is_read_and_all_else_passed_over(tmp_path: Path) -> None:
    assert values(tmp_path, FILE) == {
        "run.fail_fast": True,
        "run.max_parallel_tasks": 3,
        "run.results_dir": "out",
        "run.env": {"A": "1", "B": "x=y"},
        "run.job_timeout": 90.0,
        "filter.by_tags": ("a,b", "-c"),
        "filter.by_tags_include_empty": True,
        "runner.exectest.exitcodes.skip": (77, 78),
        "output.show": ("app", "test"),
        "results.xunit_max_test_log_chars": 2048,
        "sysinfo.collect.enabled": True,
        "run.results": ("json", "tap", "html"),
    }


def test_each_value_says_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "avocado.conf"
    path.write_text(FILE)
    found = read_ini(path)
    assert found["run.fail_fast"][1] == f"{path}:3"
    assert found["run.job_timeout"][1] == f"{path}:11"
    assert found["runner.exectest.exitcodes.skip"][1] == f"{path}:18"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[run]\nfailfast = perhaps\n", "avocado.conf:2: expected true or false, got 'perhaps'"),
        ("[run]\n\nmax_parallel_tasks = x\n", "avocado.conf:3: expected a whole number"),
        ("[filter.by_tags]\ntags = [a\n", "avocado.conf:2: expected a list as Python has it"),
        *(
            (f"[filter.by_tags]\ntags = {text}\n", f"as Python has it, got {text!r}")
            for text in ("(77)", "('abc')", "{1, 'a'}", "{[]}", "{'a': 1}", f"({'-' * 9_999}1)")
        ),
        *(
            (f"[run]\ntest_parameters = {text}\n", "expected NAME=VALUE, got '1'")
            for text in ("[1]", "[('1',)]")
        ),
        ("[job.run.result.tap]\nenabled = x\n", "avocado.conf:2: expected true or false"),
        ("failfast = True\n", "File contains no section headers"),
        ("[run]\n[run]\n", "already exists"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        values(tmp_path, text)
    assert reason in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"read .*gone: No such file or directory"):
        read_ini(tmp_path / "gone")


def test_the_names_are_those_of_both() -> None:
    assert set(SHARED) <= set(AVOCADO["settings"])
    assert set(SHARED.values()) <= set(OPTIONS)


def test_the_page_lists_them_all() -> None:
    page = Path(__file__).parents[2] / "docs/from-avocado.md"
    listed = [line for line in page.read_text("utf-8").splitlines() if line.startswith("| `")]
    for theirs, ours in SHARED.items():
        assert f"| `{theirs}` | `{ours}` |" in listed
