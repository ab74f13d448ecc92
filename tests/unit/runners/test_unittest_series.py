"""Tests of one module that share what is set up for them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nrunner.runners.unittest_series import UnittestSeries

MODULE = """
import unittest
SEEN = []
def setUpModule(): SEEN.append("setUpModule")
def tearDownModule(): SEEN.append("tearDownModule")
class A(unittest.TestCase):
    @classmethod
    def setUpClass(cls): SEEN.append("setUpClass")
    @classmethod
    def tearDownClass(cls): SEEN.append("tearDownClass")
    def test_1(self): SEEN.append("A1")
    def test_2(self): raise KeyboardInterrupt
    def test_3(self): SEEN.append("A3")
class B(unittest.TestCase):
    def test_1(self): SEEN.append("B1")
"""


class Rehearsal:
    """A series of a module that is written for it."""

    def __init__(self, folder: Path, name: str, text: str) -> None:
        (folder / f"{name}.py").write_text(text)
        self._folder, self._name = folder, name
        self._series = UnittestSeries()

    def run(self, test: str, follower: str = "") -> dict[str, Any]:
        uri = f"{self._name}.py:{test}"
        following = f"{self._name}.py:{follower}" if follower else ""
        return self._series.run({"base_dir": str(self._folder), "uri": uri}, following)

    def leave(self) -> str:
        return self._series.leave()

    @property
    def seen(self) -> list[str]:
        seen: list[str] = sys.modules[self._name].SEEN
        return seen


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "").parent == tmp_path:
            del sys.modules[name]


def test_a_class_and_a_module_end_with_the_last_test_that_is_theirs(folder: Path) -> None:
    series = Rehearsal(folder, "ser1", MODULE)
    assert series.run("A.test_1", "A.test_3")["result"] == "pass"
    assert series.seen == ["setUpModule", "setUpClass", "A1"]
    series.run("A.test_3", "B.test_1")
    assert series.seen[3:] == ["A3", "tearDownClass"]
    series.run("B.test_1")
    assert series.seen[5:] == ["B1", "tearDownModule"]


def test_what_was_announced_need_not_come(folder: Path) -> None:
    series = Rehearsal(folder, "ser2", MODULE)
    series.run("A.test_1", "A.test_3")
    series.run("B.test_1", "B.test_1")
    assert series.seen[3:] == ["tearDownClass", "B1"]
    assert series.leave() == ""
    assert series.seen[5:] == ["tearDownModule"]
    assert series.leave() == ""


def test_a_test_that_breaks_off_leaves_what_is_set_up_to_the_others(folder: Path) -> None:
    series = Rehearsal(folder, "ser3", MODULE)
    series.run("A.test_1", "A.test_2")
    assert series.run("A.test_2", "A.test_3")["fail_reason"] == "KeyboardInterrupt"
    series.run("A.test_3")
    assert series.seen == [
        *("setUpModule", "setUpClass", "A1", "A3"),
        *("tearDownClass", "tearDownModule"),
    ]


def test_a_test_that_breaks_off_as_the_last_one_has_all_torn_down(folder: Path) -> None:
    series = Rehearsal(folder, "ser4", MODULE)
    assert series.run("A.test_2")["result"] == "error"
    assert series.seen == ["setUpModule", "setUpClass", "tearDownClass", "tearDownModule"]


def test_trouble_in_leaving_is_told(folder: Path) -> None:
    text = MODULE.replace('SEEN.append("tearDownModule")', "1 / 0")
    series = Rehearsal(folder, "ser5", text)
    series.run("A.test_1", "A.test_3")
    assert series.leave() == "tearDownModule (ser5): ZeroDivisionError: division by zero"


def test_what_cannot_be_imported_is_wrong_with_each_test(folder: Path) -> None:
    series = Rehearsal(folder, "ser6", "import nowhere_at_all\n")
    both = [series.run("A.test_1", "A.test_2"), series.run("A.test_2")]
    assert both[0] == both[1]
    assert both[0]["fail_class"] == "ModuleNotFoundError"


def test_a_test_that_is_not_there_is_told_apart_from_one_that_fails(folder: Path) -> None:
    series = Rehearsal(folder, "ser7", MODULE)
    assert series.run("A.test_99", "A.test_1")["malformed"] is True
    assert series.run("A.test_1")["result"] == "pass"


def test_why_a_test_of_a_series_is_skipped_need_not_be_text(folder: Path) -> None:
    text = "import unittest\nclass A(unittest.TestCase):\n"
    for number, reason in enumerate(("42", "ImportError('no numpy')")):
        text += f"    @unittest.skip({reason})\n    def test_{number}(self): pass\n"
    series = Rehearsal(folder, "ser_skips", text)
    outcomes = [series.run(f"A.test_{number}", "A.test_1") for number in range(2)]
    assert [outcome["result"] for outcome in outcomes] == ["skip", "skip"]
    assert [outcome["fail_reason"] for outcome in outcomes] == ["42", "no numpy"]
