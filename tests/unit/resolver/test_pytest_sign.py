from pathlib import Path

import pytest

from nrunner.resolver.base import Context
from nrunner.resolver.pytest_sign import has_usual_name, is_for_pytest

FUNCTION = "def test_a():\n    pass\n"
PLAIN_CLASS = "class TestA:\n    def test_b(self):\n        pass\n"
CASE = "import unittest\nclass TestA(unittest.TestCase):\n    def test_b(self):\n        pass\n"
LATE_CASE = "from elsewhere import Base\nclass TestA(Base):\n    def test_b(self):\n        pass\n"


def sign(folder: Path, text: str, name: str = "test_it.py") -> bool:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return is_for_pytest(name, Context(folder))


@pytest.mark.parametrize(
    "text",
    [
        FUNCTION,
        "async " + FUNCTION,
        PLAIN_CLASS,
        "import pytest\n" + CASE,
        "import os.path as p, pytest\nfrom elsewhere import *\n",
        "from pytest import mark\n" + LATE_CASE,
        "import pytest\n" + FUNCTION + "not Python\n",
        "def test_a(:\n",
    ],
    ids=lambda text: text[:30],
)
def test_test_functions_plain_classes_and_whatever_imports_pytest_is_for_pytest(
    tmp_path: Path, text: str
) -> None:
    assert sign(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "def helper():\n    pass\n",
        CASE,
        CASE + FUNCTION,
        LATE_CASE,
        "class TestMixin:\n    def test_b(self):\n        pass\n" + CASE,
        "import unittest\ndef test_suite():\n    return 1\ndef load_tests(*_):\n    return 2\n",
        "import unittest\ndef test_a(:\n",
    ],
    ids=lambda text: text[-30:],
)
def test_test_cases_and_what_has_no_tests_is_not(tmp_path: Path, text: str) -> None:
    assert not sign(tmp_path, text)


def test_a_helper_that_imports_pytest_is_not_for_it(tmp_path: Path) -> None:
    assert not sign(tmp_path, "import pytest\n", "helper.py")


def test_test_cases_are_for_pytest_where_it_is_at_home(tmp_path: Path) -> None:
    assert not sign(tmp_path, CASE, "sub/test_it.py")
    (tmp_path / "conftest.py").write_text("")
    assert sign(tmp_path, CASE, "sub/test_it.py")
    assert not sign(tmp_path, CASE, "sub/cases.py")
    assert not sign(tmp_path / "sub", CASE, "test_it.py")  # what is further up is not ours


def test_a_file_that_cannot_be_read_is_nobodys(tmp_path: Path) -> None:
    assert not is_for_pytest("nosuch.py", Context(tmp_path))


@pytest.mark.parametrize(
    ("name", "usual"),
    [("test_a.py", True), ("x/a_test.py", True), ("tests.py", False), ("test_x/a.py", False)],
)
def test_the_names_that_pytest_looks_for(name: str, usual: bool) -> None:
    assert has_usual_name(name) is usual
