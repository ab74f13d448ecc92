"""The resolver with a pytest that answers what the test says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nrunner.resolver import python_question
from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.bounded import BoundedError
from nrunner.resolver.engine import resolve
from nrunner.resolver.pytest import PytestResolver
from nrunner.resolver.python_question import LoaderError
from nrunner.resolver.python_unittest import PythonUnittestResolver

TEXT = "def test_a():\n    pass\n"


class Pytest:
    """Stands for the interpreter that is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, Any] = {}
        self.error: str | None = None
        self.bad: dict[str, str] = {}
        """What is wrong with paths, each of which spoils the answer for all."""
        self.asked: list[list[str]] = []
        self.python = ""

    def has(self, file: str, *names: str, **more: Any) -> None:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TEXT)
        self.files[str(path)] = {"tests": [{"names": each} for each in names], **more}

    def __call__(self, command: Any, spec: Any, context: Context) -> dict[str, Any]:
        self.asked.append(spec["paths"])
        self.python = command[0]
        assert spec["base_dir"] == str(context.base_dir)
        if self.error is not None:
            raise LoaderError(self.error) from BoundedError()
        for path, error in self.bad.items():
            if path in spec["paths"]:
                return {"error": error}
        return {"files": self.files}


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pytest:
    found = Pytest(tmp_path)
    monkeypatch.setattr(python_question, "ask", found)
    return found


def ask(user: Pytest, *references: str, **rest: Any) -> list[Resolution]:
    context = Context(user.folder, python="their-python", **rest)
    return resolve(references, [PytestResolver(), PythonUnittestResolver()], context)


def uris(resolutions: list[Resolution]) -> list[str]:
    return [f"{each.kind} {each.uri}" for found in resolutions for each in found.runnables]


def test_pytest_is_asked_once_for_all_and_in_the_interpreter_that_is_named(user: Pytest) -> None:
    user.has("test_a.py", "test_a")
    user.has("sub/test_b.py", "TestB::test_b[1]", "TestB::test_b[2]")
    user.has("sub/deep/test_c.py", "test_c")
    user.has("test_d.py", "test_d")
    found = ask(user, "test_a.py", "sub", "test_[d].py", "sub/test_b.py::TestB")
    assert uris(found) == [
        "pytest test_a.py::test_a",
        "pytest sub/deep/test_c.py::test_c",
        "pytest sub/test_b.py::TestB::test_b[1]",
        "pytest sub/test_b.py::TestB::test_b[2]",
        "pytest test_d.py::test_d",
        "pytest sub/test_b.py::TestB::test_b[1]",
        "pytest sub/test_b.py::TestB::test_b[2]",
    ]
    assert user.asked == [["test_a.py", "sub", "test_d.py", "sub/test_b.py"]]
    assert user.python == "their-python"


def test_pytest_is_not_asked_where_nothing_looks_like_it(user: Pytest) -> None:
    case = "import unittest\nclass A(unittest.TestCase):\n    def test_a(self):\n        pass\n"
    (user.folder / "test_u.py").write_text(case)
    (user.folder / "data.txt").write_text("")
    assert uris(ask(user, ".")) == ["python-unittest test_u.py:A.test_a"]
    assert user.asked == []


def test_a_name_leads_to_a_test_to_those_of_a_class_and_to_its_variants(user: Pytest) -> None:
    user.has("test_a.py", "test_a[1]", "test_a[2]", "test_ab", "TestA::test_a")
    assert len(uris(ask(user, "test_a.py::test_a"))) == 2
    assert uris(ask(user, "test_a.py::test_a[2]")) == ["pytest test_a.py::test_a[2]"]
    assert uris(ask(user, "test_a.py::TestA")) == ["pytest test_a.py::TestA::test_a"]
    [missing] = ask(user, "test_a.py::test_ac")
    assert missing.answer is Answer.CORRUPT
    assert missing.reason == 'test_a.py: there is no test "test_ac"; did you mean "test_ab"?'


def test_a_test_may_be_named_as_those_of_unittest_are_and_by_an_expression(user: Pytest) -> None:
    user.has("test_a.py", "test_a[1]", "test_a[2]", "TestB::test_a", "TestB::test_c")
    assert uris(ask(user, "test_a.py:TestB.test_c")) == ["pytest test_a.py::TestB::test_c"]
    assert uris(ask(user, "test_a.py:test_a")) == [
        "pytest test_a.py::test_a[1]",
        "pytest test_a.py::test_a[2]",
    ]
    assert uris(ask(user, r"test_a.py:B\.test_.$", "pytest:test_a.py:c$")) == [
        "pytest test_a.py::TestB::test_a",
        "pytest test_a.py::TestB::test_c",
        "pytest test_a.py::TestB::test_c",
    ]
    missing, broken = ask(user, "test_a.py:TestB.test_d", "test_a.py:(")
    assert missing.reason.startswith('test_a.py: there is no test "TestB::test_d"; did you mean')
    assert broken.reason.startswith("test_a.py: ( is no regular expression")
    assert {missing.answer, broken.answer} == {Answer.CORRUPT}
    assert all(paths == ["test_a.py"] for paths in user.asked)


def test_a_file_that_cannot_be_collected_is_corrupt_and_the_others_are_not(user: Pytest) -> None:
    user.has("test_a.py", error="ImportError: no x (test_a.py:1)")
    user.has("test_b.py", "test_b")
    bad, good = ask(user, ".")
    assert (bad.answer, bad.reason) == (
        Answer.CORRUPT,
        "test_a.py: ImportError: no x (test_a.py:1)",
    )
    assert uris([good]) == ["pytest test_b.py::test_b"]


def test_what_is_wrong_with_a_package_is_wrong_with_all_its_files(user: Pytest) -> None:
    user.has("sub/test_a.py")
    user.files.clear()
    user.files[str(user.folder / "sub/__init__.py")] = {"tests": [], "error": "NameError: x"}
    [bad] = ask(user, "sub/test_a.py")
    assert (bad.answer, bad.reason) == (Answer.CORRUPT, "sub/test_a.py: NameError: x")


def test_without_an_answer_each_file_of_tests_says_why_but_no_other_file(user: Pytest) -> None:
    user.has("test_a.py")
    user.has("helper.py")
    user.error = "their-python has no pytest"
    [bad] = ask(user, ".")
    assert (bad.answer, bad.reason) == (Answer.CORRUPT, "test_a.py: their-python has no pytest")
    assert len(user.asked) == 1
    [named] = ask(user, "helper.py")
    assert named.answer is Answer.CORRUPT


def test_what_is_wrong_with_one_reference_is_nothing_to_the_others(user: Pytest) -> None:
    user.has("a/test_a.py", "test_a")
    user.has("b/test_b.py", "test_b")
    user.bad["b"] = "b/conftest.py: NameError: x"
    good, bad = ask(user, "a", "b")
    assert uris([good]) == ["pytest a/test_a.py::test_a"]
    assert user.asked == [["a", "b"], ["a"], ["b"]]
    user.files.pop(str(user.folder / "b/test_b.py"))
    good, bad = ask(user, "a", "b")
    assert (bad.answer, bad.reason) == (
        Answer.CORRUPT,
        "b/test_b.py: b/conftest.py: NameError: x",
    )


def test_what_is_wrong_with_all_is_not_asked_for_each(user: Pytest) -> None:
    names = [f"test_{number}.py" for number in range(10)]
    for name in names:
        user.has(name)
        user.bad[name] = "pytest: unrecognized arguments"
    user.files.clear()
    found = ask(user, *names)
    assert [each.reason for each in found] == [
        f"{name}: pytest: unrecognized arguments" for name in names
    ]
    assert len(user.asked) == 4


def test_a_file_that_skips_itself_is_one_task(user: Pytest) -> None:
    user.has("test_a.py", skip="no display")
    assert uris(ask(user, "test_a.py")) == ["pytest test_a.py"]
    assert uris(ask(user, "test_a.py::test_a")) == ["pytest test_a.py::test_a"]


def test_what_options_deselect_is_no_test_and_that_is_said(user: Pytest) -> None:
    user.has("test_a.py", deselected=2)
    [none] = ask(user, "test_a.py")
    assert none.answer is Answer.NOT_MINE
    assert "pytest's options deselect all of its tests (2)" in none.reason
    [named] = ask(user, "test_a.py::test_a")
    assert named.reason == 'test_a.py: there is no test "test_a" that pytest\'s options select'


def test_marks_and_docstrings_say_more_of_a_test(user: Pytest) -> None:
    user.has("test_a.py")
    text = ':nrunner: tags=net\n:nrunner: requires={"type": "file", "uri": "x"}\n'
    user.files[str(user.folder / "test_a.py")]["tests"] = [
        {"names": "test_a", "tags": ["slow"], "texts": [[text, "test_a.py"]]}
    ]
    [[test]] = [each.runnables for each in ask(user, "test_a.py")]
    assert dict(test.tags) == {"slow": None, "net": None}
    assert [each.uri for each in test.requirements] == ["x"]


def test_a_configuration_that_a_file_alone_would_not_find_goes_with_its_tests(user: Pytest) -> None:
    user.has("test_a.py", "test_a", rootdir="/top", inifile="/top/tox.ini")
    [[test]] = [each.runnables for each in ask(user, "test_a.py")]
    assert dict(test.kwargs) == {"rootdir": "/top", "inifile": "/top/tox.ini"}


def test_whatever_else_pytest_finds_in_a_folder_of_its_own_is_a_test(user: Pytest) -> None:
    user.has("test_a.py", "test_a")
    user.has("data.yaml", "line 3")
    assert uris(ask(user, ".")) == ["pytest data.yaml::line 3", "pytest test_a.py::test_a"]
    assert ask(user, "data.yaml")[0].answer is Answer.NOT_MINE
    assert uris(ask(user, "pytest:data.yaml")) == ["pytest data.yaml::line 3"]


def test_files_that_do_not_look_like_tests_are_pytests_if_it_found_some(user: Pytest) -> None:
    user.has("test_a.py", "test_a")
    user.has("doctests.py", "doctests.f")
    user.has("cases.py", "A::test_a")
    (user.folder / "doctests.py").write_text("def f():\n    pass\n")
    case = "import unittest\nclass A(unittest.TestCase):\n    def test_a(self):\n        pass\n"
    (user.folder / "cases.py").write_text(case)
    assert uris(ask(user, ".")) == [
        "python-unittest cases.py:A.test_a",
        "pytest doctests.py::doctests.f",
        "pytest test_a.py::test_a",
    ]
    assert "doctests" not in str(uris(ask(user, ".", python_tests="unittest")))


@pytest.mark.parametrize(
    ("python_tests", "function", "case"),
    [
        ("auto", "pytest", "python-unittest"),
        ("pytest", "pytest", "pytest"),
        ("unittest", "", "python-unittest"),
    ],
)
def test_whose_a_file_is_can_be_set(
    user: Pytest, python_tests: str, function: str, case: str
) -> None:
    user.has("test_f.py", "test_a")
    user.has("test_u.py", "A::test_a")
    text = "import unittest\nclass A(unittest.TestCase):\n    def test_a(self):\n        pass\n"
    (user.folder / "test_u.py").write_text(text)
    kinds = [
        "".join(test.kind for test in each.runnables)
        for each in ask(user, "test_f.py", "test_u.py", python_tests=python_tests)
    ]
    assert kinds == [function, case]
    assert uris(ask(user, "pytest:test_u.py", python_tests=python_tests)) == [
        "pytest test_u.py::A::test_a"
    ]


def test_without_an_interpreter_a_file_is_one_task(user: Pytest) -> None:
    user.has("test_a.py", "test_a")
    user.has("helper.py")
    [found] = ask(user, ".", static=True)
    assert uris([found]) == ["pytest test_a.py"]
    assert found.reason == "one task for all: pytest is not asked which tests there are"
    assert uris(ask(user, "test_a.py::test_x", static=True)) == ["pytest test_a.py::test_x"]
    assert user.asked == []
