"""What is read without click is what click reads."""

from __future__ import annotations

from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrunner.cli import commands, listing, run
from nrunner.cli.form import Form, read
from nrunner.cli.group import cli
from nrunner.config import OPTIONS

COMMANDS = {"run": (run.FORM, commands.run), "list": (listing.FORM, commands.list_tests)}
FLAGS = sorted(
    {
        *(OPTIONS[key].flag for key in run.FORM.settings),
        *("--job", "--json", "--tap", "--detach", "--failfast", "--no-fail-fast", "--no-shuffle"),
        *("--job-dependency", "-v", "--verbose"),
        *("--help", "--", "--debug", "--shuf", "-", "-x", "-pA=b", "--unknown"),
    }
)
TEXTS = st.sampled_from(["x", "a.sh", "A=b", "2", "", "-", "=", "- x", "\udcff", "run"])
WORDS = st.lists(
    st.sampled_from(FLAGS) | TEXTS | st.builds("{}={}".format, st.sampled_from(FLAGS), TEXTS),
    max_size=6,
)


def read_by_click(command: click.Command, words: list[str]) -> dict[str, Any] | None:
    parent = cli.make_context("nrunner", ["config"])
    try:
        return dict(command.make_context("run", list(words), parent).params)
    except (click.ClickException, click.exceptions.Exit):
        return None


@pytest.mark.parametrize("name", COMMANDS)
@given(words=WORDS)
def test_what_is_read_at_all_is_read_as_click_does(name: str, words: list[str]) -> None:
    form, command = COMMANDS[name]
    asked = read(words, form)
    assert asked is None or asked == read_by_click(command, words)


@pytest.mark.parametrize(
    "words",
    [
        ["a.sh"],
        ["a.sh", "b.json", "-"],
        ["--job", "x.toml"],
        ["--max-parallel-tasks", "2", "a.sh"],
        ["--max-parallel-tasks=2", "--shuffle", "a.sh", "--no-fail-fast", "--failfast"],
        ["-p", "A=b", "-p", "C=d", "--filter-by-tags", "x", "--filter-by-tags=y", "a.sh"],
        ["--json", "out.json", "--tap=-", "a.sh", "--job-results-dir", "results"],
        ["--job-dependency", '{"type": "x"}', "a.sh", "--job-dependency=deps.json"],
    ],
)
def test_ordinary_lines_are_read_without_click(words: list[str]) -> None:
    assert read(words, run.FORM) == read_by_click(commands.run, words) is not None


@pytest.mark.parametrize(
    "words",
    [[], ["--help"], ["-h"], ["a", "--unknown"], ["a", "--shuf"], ["a", "--seed"], ["a", "--"]],
)
def test_what_is_out_of_the_ordinary_is_left_to_click(words: list[str]) -> None:
    assert read(words, run.FORM) is None


def test_every_flag_of_a_command_is_known() -> None:
    for form, command in COMMANDS.values():
        for each in command.params:
            if isinstance(each, click.Option):
                for flag in (*each.opts, *each.secondary_opts):
                    assert _is_read(flag, form), flag


def _is_read(flag: str, form: Form) -> bool:
    return any(read([flag, *value, "a"], form) is not None for value in ([], ["A=b"]))
