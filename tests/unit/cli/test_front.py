"""What is said without click is what click says."""

from __future__ import annotations

import os

import pytest

from nrunner.cli.front import said_at_once
from nrunner.cli.group import cli


@pytest.fixture(autouse=True)
def _no_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


def terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    size = os.terminal_size((columns, 24))
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: size)


@pytest.mark.parametrize("columns", [80, 90, 100, 300])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_the_help_is_the_one_that_click_makes(monkeypatch, columns, flag):
    terminal(monkeypatch, columns)
    context = cli.make_context("nrunner", ["config"])
    assert said_at_once([flag]) == context.get_help()


def test_a_narrow_terminal_gets_its_help_from_click(monkeypatch):
    terminal(monkeypatch, 60)
    assert said_at_once(["--help"]) is None


def test_a_width_that_somebody_asks_for_is_left_to_click(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert said_at_once(["--help"]) is None


def test_the_version_is_the_one_that_click_tells(capsys):
    with pytest.raises(SystemExit):
        cli(["--version"], "nrunner")
    assert capsys.readouterr().out == f"{said_at_once(['--version'])}\n"


@pytest.mark.parametrize("words", [[], ["run", "--help"], ["--help", "run"], ["--debug"]])
def test_everything_else_is_left_to_others(words):
    assert said_at_once(words) is None
