"""Hint files say of which kind tests are, and what is wrong with them is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrunner.errors import ConfigError
from nrunner.resolver.base import Answer, Context
from nrunner.resolver.engine import resolve
from nrunner.resolver.hint import HintResolver
from nrunner.resolver.hint_file import read_hints
from nrunner.resolver.registry import load_resolvers
from nrunner.runnable import Runnable

HINT = """\
[kinds]
tap = ./tests/*.t
     tests/odd
exec-test = tests/run*

[tap]
uri = $testpath
kwargs = PERL5LIB=./lib,TEST=$testpath

[exec-test]
uri = ./driver
args = --test,$testpath
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    for name in ("a.t", "b.t", "odd", "run1", "other"):
        (tmp_path / "tests" / name).touch()
    return tmp_path


def test_what_a_hint_says_of_a_file_counts_however_it_is_called(folder: Path) -> None:
    (folder / ".avocado.hint").write_text(HINT)
    for reference in ("tests/run1", "./tests/run1", "tests/../tests/run1"):
        answer = HintResolver().resolve(reference, Context(folder, config={"x": 1}))
        wanted = Runnable("exec-test", "./driver", ("--test", "tests/run1"), config={"x": 1})
        assert (answer.answer, answer.runnables) == (Answer.SUCCESS, (wanted,))
    assert HintResolver().resolve("tests/other", Context(folder)).answer is Answer.NOT_MINE


def test_a_folder_is_walked_with_its_hints(folder: Path) -> None:
    (folder / ".nrunner.hint").write_text(HINT)
    (folder / ".avocado.hint").write_text("[kinds]\nnoop = tests/*\n[noop]\nuri = x\n")
    found = resolve(["tests"], load_resolvers([])[0], Context(folder))
    assert [(each.runnables[0].kind, each.runnables[0].uri) for each in found] == [
        ("tap", "./tests/a.t"),
        ("tap", "./tests/b.t"),
        ("tap", "tests/odd"),
        ("exec-test", "./driver"),
    ]
    assert found[0].runnables[0].kwargs == {"PERL5LIB": "./lib", "TEST": "./tests/a.t"}


def test_all_tests_of_a_hint_are_known_by_their_paths(folder: Path) -> None:
    assert read_hints(folder) == {}
    (folder / ".avocado.hint").write_text(HINT)
    assert list(read_hints(folder)) == ["./tests/a.t", "./tests/b.t", "tests/odd", "tests/run1"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[tap]\nuri = x\n", "use .avocado.hint: it has no section [kinds]"),
        ("[kinds]\ntap = x\n", "there is no section [tap] for a kind that it names"),
        ("[kinds]\ntap = x\n[tap]\n", 'section [tap] has no "uri"'),
        (
            "[kinds]\ntap = tests/*\n[tap]\nuri = $testpath\nkwargs = A\n",
            'section [tap]: "kwargs": expected KEY=VALUE: A',
        ),
        ("kinds\n", "use .avocado.hint: File contains no section headers"),
        ("[kinds]\na = b\na = c\n", "already exists"),
        ("\ud800", "use .avocado.hint: 'utf-8' codec can't decode"),
    ],
)
def test_what_is_wrong_with_a_hint_is_told(folder: Path, text: str, reason: str) -> None:
    (folder / ".avocado.hint").write_text(text, "utf-8", "surrogatepass")
    with pytest.raises(ConfigError) as caught:
        read_hints(folder)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
