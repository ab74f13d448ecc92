"""What reading a module tells, without importing it."""

import sys
import textwrap
from pathlib import Path

import pytest

from nrunner.resolver.python_survey import Reading, select, survey
from nrunner.resolver.python_tree import Tree


def _write(top: Path, **files: str) -> None:
    for name, text in files.items():
        path = top.joinpath(*name.split("__")).with_suffix(".py")
        if name.endswith("__init"):
            path = path.with_name("__init__.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def _survey(top: Path, text: str, **files: str) -> Reading:
    _write(top, test_m=text, **files)
    tree = Tree(top)
    return survey(tree, tree.read("test_m", top / "test_m.py"))


def _names(reading: Reading) -> list[str]:
    return [each.name for each in reading.tests]


def _sure(top: Path, text: str, **files: str) -> list[str]:
    reading = _survey(top, text, **files)
    assert reading.doubts == ()
    assert not reading.has_load_tests
    return _names(reading)


def _doubts(top: Path, text: str, **files: str) -> list[str]:
    return [f"{each.line}: {each.text}" for each in _survey(top, text, **files).doubts]


def test_classes_and_methods_stand_in_unittests_order(tmp_path: Path) -> None:
    text = """
        import unittest
        class B(unittest.TestCase):
            def test_b(self): ...
            def test_a(self): ...
            async def testC(self): ...
            def helper(self): ...
            def tests(self): ...
        class A(unittest.IsolatedAsyncioTestCase):
            async def test(self): ...
        """
    assert _sure(tmp_path, text) == ["A.test", "B.testC", "B.test_a", "B.test_b", "B.tests"]


@pytest.mark.parametrize(
    ("imports", "base"),
    [
        ("import unittest as u", "u.TestCase"),
        ("from unittest import TestCase as T", "T"),
        ("from unittest.case import TestCase", "TestCase"),
        ("import unittest.case", "unittest.case.TestCase"),
        ("from unittest import case", "case.TestCase"),
        (
            "try:\n    import unittest2 as u\nexcept ImportError:\n    import unittest as u",
            "u.TestCase",
        ),
        ("import unittest\nT = unittest.TestCase", "T"),
        ("import unittest, typing", "unittest.TestCase, typing.Generic[str]"),
    ],
)
def test_test_cases_are_known_however_unittest_is_imported(
    tmp_path: Path, imports: str, base: str
) -> None:
    assert _sure(tmp_path, f"{imports}\nclass A({base}):\n    def test(self): ...\n") == ["A.test"]


def test_tests_are_inherited_from_bases_and_mixins(tmp_path: Path) -> None:
    text = """
        from unittest import TestCase
        class Mixin:
            def test_mixin(self): ...
            def test_hidden(self): ...
        class Base(TestCase):
            def test_base(self): ...
        class Child(Mixin, Base):
            test_hidden = None
            def test_child(self): ...
        """
    child = ["Child.test_base", "Child.test_child", "Child.test_mixin"]
    assert _sure(tmp_path, text) == ["Base.test_base", *child]


def test_the_method_resolution_order_is_pythons(tmp_path: Path) -> None:
    text = """
        from unittest import TestCase
        class Root(TestCase):
            def test(self): ...
        class Left(Root): ...
        class Right(Root):
            test = None
        class Both(Left, Right): ...
        """
    assert _sure(tmp_path, text) == ["Left.test", "Root.test"]


@pytest.mark.parametrize(
    ("imports", "base"),
    [
        ("import base", "base.Base"),
        ("import base as b", "b.Base"),
        ("from base import Base as X", "X"),
        ("import pkg.inner", "pkg.inner.Base"),
        ("import pkg.inner as p", "p.Base"),
        ("from pkg import inner", "inner.Base"),
        ("from pkg.user import Again", "Again"),
        ("from pkg.user import relative", "relative.Base"),
        ("from pkg import Exported", "Exported"),
    ],
)
def test_bases_come_from_other_files_of_the_tree(tmp_path: Path, imports: str, base: str) -> None:
    code = "import unittest\nclass Base(unittest.TestCase):\n    def test(self): ...\n"
    files = {
        "base": code,
        "pkg__init": "from .inner import Base as Exported\n",
        "pkg__inner": code,
        "pkg__user": "from .inner import Base as Again\nfrom . import inner as relative\n",
    }
    names = _sure(tmp_path, f"{imports}\nclass Mine({base}):\n    pass\n", **files)
    assert "Mine.test" in names


def test_an_imported_test_case_is_a_test_of_this_module_too(tmp_path: Path) -> None:
    code = "import unittest\nclass T(unittest.TestCase):\n    def test(self): ...\n"
    assert _sure(tmp_path, "from base import T as U\n", base=code) == ["U.test"]
    star = "__all__ = ['T']\n" + code + "class Other(T): ...\n"
    assert _sure(tmp_path, "from base2 import *\n", base2=star) == ["T.test"]


def test_imports_in_a_circle_end(tmp_path: Path) -> None:
    text = """
        import unittest, other
        from other import Y
        class X(unittest.TestCase):
            def test(self): ...
        """
    other = "from test_m import *\nimport test_m\nY = test_m.Y\nclass Z(test_m.X): ...\n"
    assert _names(_survey(tmp_path, text, other=other)) == ["X.test"]


def test_a_class_that_inherits_from_itself_or_from_nothing_known_is_no_test(tmp_path: Path) -> None:
    assert _sure(tmp_path, "class A(B): ...\nclass B(A): ...\n") == []


def test_methods_may_be_assigned(tmp_path: Path) -> None:
    text = """
        import functools, unittest
        def function(self): ...
        class A(unittest.TestCase):
            test_function = function
            test_lambda = lambda self: None
            test_skipped = unittest.skip("no")(function)
            test_partial = functools.partial(function, 1)
            def helper(self): ...
            test_helper = helper
            test_number = 3
            test_list = [function]
            test_text = f"{function}"
            @property
            def test_property(self): ...
            @functools.cached_property
            def test_cached(self): ...
            @staticmethod
            def test_static(): ...
        A.test_later = function
        A.test_number_later = 3
        """
    names = ["function", "helper", "lambda", "later", "partial", "skipped", "static"]
    assert _sure(tmp_path, text) == [f"A.test_{name}" for name in names]


def test_skipped_and_patched_tests_are_tests(tmp_path: Path) -> None:
    text = """
        import sys, unittest
        from unittest import mock
        from helper import slow
        @unittest.skipIf(True, "no")
        class A(unittest.TestCase):
            @unittest.skip("no")
            @mock.patch("os.getcwd")
            @unittest.expectedFailure
            @slow
            def test(self): ...
        """
    assert _sure(tmp_path, text, helper="def slow(f):\n    return f\n") == ["A.test"]


def test_run_test_counts_where_there_is_nothing_else(tmp_path: Path) -> None:
    text = """
        import unittest
        class A(unittest.TestCase):
            def runTest(self): ...
        class B(A):
            def test(self): ...
        """
    assert _sure(tmp_path, text) == ["A.runTest", "B.test"]


def test_what_is_deleted_or_overwritten_is_gone(tmp_path: Path) -> None:
    text = """
        import unittest
        class Base(unittest.TestCase):
            def test(self): ...
        class Mine(Base): ...
        class Twice(Base): ...
        class Twice: ...
        del Base
        """
    assert _sure(tmp_path, text) == ["Mine.test"]


def test_classes_inside_classes_are_bases_but_no_tests_of_the_module(tmp_path: Path) -> None:
    text = """
        import unittest
        class Hidden:
            class Base(unittest.TestCase):
                def test(self): ...
        class Mine(Hidden.Base): ...
        """
    assert _sure(tmp_path, text) == ["Mine.test"]


def test_what_runs_only_as_a_program_is_not_looked_at(tmp_path: Path) -> None:
    text = """
        import unittest
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            class Never(unittest.TestCase):
                def test(self): ...
        if not TYPE_CHECKING:
            class Always(unittest.TestCase):
                def test(self): ...
        if __name__ == "__main__":
            class Main(unittest.TestCase):
                def test(self): ...
            unittest.main()
        """
    assert _sure(tmp_path, text) == ["Always.test"]


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("X = type('X', (A,), {})", "11: X may be a class made at run time"),
        ("globals()['X'] = A", "11: names are made by globals()"),
        ("for n in 'ab':\n    globals()[n] = A", "12: names are made by globals()"),
        ("setattr(A, 'test_x', f)", "11: setattr() may define tests"),
        ("exec('class X(A): pass')", "11: exec() may define tests"),
        ("globals().update(x=A)", "11: globals().update() may define tests"),
        ("X = f(A)", "11: X may be a class made at run time"),
        ("f(A)", "11: f() may define tests"),
        ("X = make()", "11: X may be a class made at run time"),
        ("add()", "11: add() may define tests"),
        ("A.add()", "11: A.add() may define tests"),
        ("if f:\n    class X(A): ...", "12: class X depends on the condition of line 11"),
        ("for x in f:\n    class X(A): ...", "12: class X depends on the loop of line 11"),
        ("@outside.thing\nclass X(A): ...", "12: class X is changed by a decorator"),
        ("@make\nclass X(A): ...", "12: class X is changed by a decorator"),
        ("class X(A, metaclass=outside.M): ...", "11: class X has a metaclass"),
        ("class X(A, outside.Mixin): ...", "11: class X inherits from outside.Mixin"),
        ("class X(outside.TestCase): ...", "11: class X inherits from outside.TestCase"),
        ("class X(outside.B):\n    def test(s): ...", "11: class X inherits from outside.B"),
        ("class X(make()): ...", "11: class X inherits from"),
        ("class X(A):\n    test_x = outside.f()", "11: X.test_x may or may not be a test"),
        ("class X(A):\n    @outside.many\n    def test_x(s): ...", "13: X.test_x may or"),
        ("class X(A):\n    if f:\n        def test_x(s): ...", "13: test_x depends on"),
        ("class X(A):\n    for n in 'ab':\n        vars()[n] = f", "13: names are made by vars()"),
        ("class X(A):\n    def __init_subclass__(cls): ...", "11: class X changes its subclasses"),
        ("class X(A):\n    @abc.abstractmethod\n    def x(s): ...", "13: X.x is abstract"),
        (
            "from outside import *\nclass X(Base):\n    def test(s): ...",
            "12: class X inherits from",
        ),
        ("from outside_tests import *", "11: from outside_tests import *"),
        # its runTest is taken for a test by some versions of unittest
        ("from unittest import *", "1: FunctionTestCase comes from unittest"),
        ("from outside import TestThings", "1: TestThings comes from outside"),
        ("if f:\n    del A", "12: A may be deleted"),
    ],
)
def test_where_running_may_show_other_tests_there_is_a_doubt(
    tmp_path: Path, text: str, doubt: str
) -> None:
    before = """\
        import unittest, outside, abc
        def f(x): ...
        def make():
            class Inner(unittest.TestCase): ...
            return Inner
        def add():
            setattr(A, "test_y", f)
        class A(unittest.TestCase):
            def test(self): ...

        """
    found = _doubts(tmp_path, textwrap.dedent(before) + text)
    assert [each for each in found if each.startswith(doubt)], found


@pytest.mark.parametrize(
    "text",
    [
        "log = logging.getLogger(__name__)",
        "HERE = os.path.dirname(__file__)",
        "x = outside.load('data')",
        "if sys.platform == 'linux':\n    import fcntl",
        "try:\n    import outside\nexcept ImportError:\n    outside = None",
        "for x in range(3):\n    print(x)",
        "class Model(outside.Model):\n    name = outside.Text()",
        "class Worker(threading.Thread): ...",
        "class Pair(collections.namedtuple('Pair', 'a b')): ...",
        "from os.path import *",
        "f(3)",
        "@functools.total_ordering\nclass X(A): ...",
        "class X(A, metaclass=abc.ABCMeta): ...",
        "class X(A):\n    data = outside.f()\n    def helper(self): ...",
    ],
)
def test_what_has_nothing_to_do_with_tests_leaves_no_doubt(tmp_path: Path, text: str) -> None:
    before = """\
        import abc, collections, functools, logging, os, outside, sys, threading, unittest
        def f(x): ...
        class A(unittest.TestCase):
            def test(self): ...
        """
    assert _doubts(tmp_path, textwrap.dedent(before) + text) == []


def test_doubts_in_files_that_are_not_about_tests_are_of_no_interest(tmp_path: Path) -> None:
    text = """
        import outside
        from outside import *
        Model = type("Model", (object,), {})
        globals()["x"] = 1
        class Thing(outside.Base):
            def run(self): ...
        """
    assert _doubts(tmp_path, text) == []


def test_load_tests_is_seen_however_it_comes(tmp_path: Path) -> None:
    assert _survey(tmp_path, "def load_tests(loader, tests, pattern): ...").has_load_tests
    assert _survey(tmp_path, "from outside import load_tests").has_load_tests


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1", "it has no classes and does not import unittest"),
        ("import unittest", "it imports unittest, but has no classes"),
        (
            "class TestX:\n    def test(self): ...",
            "none of its classes is a unittest.TestCase (TestX)",
        ),
        (
            "import unittest\nclass X(unittest.TestCase):\n    def check(self): ...",
            "its test cases have no test methods (X)",
        ),
    ],
)
def test_a_module_without_tests_says_why(tmp_path: Path, text: str, reason: str) -> None:
    assert _survey(tmp_path, text).reason == reason


SELECTED = """
import unittest, outside
class A(unittest.TestCase):
    def test_one(self): ...
    def test_two(self): ...
    def other(self): ...
    class Inner(unittest.TestCase):
        def test_in(self): ...
class Plain:
    def test_one(self): ...
"""


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("A", ["A.test_one", "A.test_two"]),
        ("A.test_one", ["A.test_one"]),
        ("A.other", ["A.other"]),
        ("A.Inner", ["A.Inner.test_in"]),
        ("A.Inner.test_in", ["A.Inner.test_in"]),
    ],
)
def test_a_class_or_a_test_can_be_selected(tmp_path: Path, name: str, names: list[str]) -> None:
    _write(tmp_path, test_m=SELECTED)
    tree = Tree(tmp_path)
    reading = select(tree, tree.read("test_m", tmp_path / "test_m.py"), name)
    assert _names(reading) == names
    assert reading.doubts == ()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("B", 'there is no class "B"; there are A, Plain'),
        ("Plane", 'there is no class "Plane"; did you mean "Plain"?'),
        ("A.test_on", 'in class A there is no test "test_on"; did you mean "test_one"?'),
        ("Plain", "class Plain is no unittest.TestCase"),
        ("Plain.test_one", "class Plain is no unittest.TestCase"),
        ("A.Iner.test_in", 'in class A there is no class "Iner"; did you mean "Inner"?'),
        ("unittest.TestCase", 'there is no class "unittest"; there are A, Plain'),
    ],
)
def test_what_is_not_there_is_named_with_what_comes_nearest(
    tmp_path: Path, name: str, reason: str
) -> None:
    _write(tmp_path, test_m=SELECTED)
    tree = Tree(tmp_path)
    reading = select(tree, tree.read("test_m", tmp_path / "test_m.py"), name)
    assert (_names(reading), reading.reason) == ([], reason)


def test_nothing_is_imported_or_run(tmp_path: Path) -> None:
    text = """
        import unittest
        open("ran", "w").close()
        raise SystemExit
        class A(unittest.TestCase):
            def test(self): ...
        """
    before = set(sys.modules)
    assert _sure(tmp_path, text) == ["A.test"]
    assert not (tmp_path / "ran").exists()
    assert "test_m" not in set(sys.modules) - before
