import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nrunner.runners import unittest_child
from nrunner.runners.unittest_child import run_test
from nrunner.runners.unittest_prepared import Prepared, Workshop

SAMPLE = """
import asyncio, unittest

class Awkward(Exception):
    def __str__(self):
        raise ValueError("no text")

class T(unittest.TestCase):
    def test_pass(self): print("said by the test")
    def test_fail(self): self.assertEqual(1, 2, "numbers differ")
    def test_error(self): raise RuntimeError("boom\\nsecond line")
    def test_awkward(self): raise Awkward()
    def test_own(self): raise self.Own("x")
    class Own(Exception): pass
    @unittest.skip("no reason")
    def test_skip(self): pass
    def test_skip_inside(self): self.skipTest("not today")
    @unittest.skip(ImportError("no numpy"))
    def test_skip_error(self): pass
    @unittest.skip(42)
    def test_skip_number(self): pass
    @unittest.skip(Awkward())
    def test_skip_awkward(self): pass
    @unittest.skip(None)
    def test_skip_none(self): pass
    @unittest.expectedFailure
    def test_xfail(self): self.fail()
    @unittest.expectedFailure
    def test_xpass(self): pass
    def test_exit(self): raise SystemExit(3)
    def test_interrupt(self): raise KeyboardInterrupt
    def test_sub(self):
        for i in range(3):
            with self.subTest(i=i):
                self.assertEqual(i, 1)
    def test_sub_skips(self):
        for i in range(2):
            with self.subTest(i=i):
                if i: self.skipTest("odd")
    def test_all_subs_skip(self):
        with self.subTest(): self.skipTest("all")
    def test_two_things(self):
        self.addCleanup(lambda: 1 / 0)
        self.fail("first")

class SetUpSkips(unittest.TestCase):
    def setUp(self): self.skipTest("in setUp")
    def test(self): pass

class ClassSkips(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise unittest.SkipTest("in setUpClass")
    def test(self): pass

class ClassFails(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise OSError("no db")
    def test(self): pass

class ClassExits(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise SystemExit(4)
    def test(self): pass

class TearDownFails(unittest.TestCase):
    def tearDown(self): 1 / 0
    def test(self): pass

class CleanupFails(unittest.TestCase):
    @classmethod
    def setUpClass(cls): cls.addClassCleanup(lambda: 1 / 0)
    def test(self): pass

class A(unittest.IsolatedAsyncioTestCase):
    async def test_pass(self): await asyncio.sleep(0)
    async def test_fail(self): self.fail("later")
"""


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__path__", "")) + str(
            getattr(sys.modules[name], "__file__", "")
        ):
            del sys.modules[name]


def run(base: Path, uri: str, **rest: Any) -> dict[str, Any]:
    return run_test({"base_dir": str(base), "uri": uri, **rest})


def write(base: Path, name: str, text: str) -> None:
    path = base / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


SIMPLE = "import unittest\nclass T(unittest.TestCase):\n    def test(self): pass\n"


@pytest.mark.parametrize(
    ("test", "result", "reason"),
    [
        ("T.test_pass", "pass", None),
        ("T.test_fail", "fail", "AssertionError: 1 != 2 : numbers differ"),
        ("T.test_error", "error", "RuntimeError: boom"),
        ("T.test_awkward", "error", "sample.Awkward: (its text cannot be read)"),
        ("T.test_own", "error", "sample.T.Own: x"),
        ("T.test_skip", "skip", "no reason"),
        ("T.test_skip_inside", "skip", "not today"),
        ("T.test_skip_error", "skip", "no numpy"),
        ("T.test_skip_number", "skip", "42"),
        ("T.test_skip_awkward", "skip", "(its text cannot be read)"),
        ("T.test_skip_none", "skip", None),
        ("T.test_xfail", "pass", None),
        ("T.test_xpass", "fail", "unexpected success"),
        ("T.test_exit", "error", "SystemExit: 3"),
        ("T.test_interrupt", "error", "KeyboardInterrupt"),
        ("T.test_sub", "fail", "AssertionError: 0 != 1 (i=0); AssertionError: 2 != 1 (i=2)"),
        ("T.test_sub_skips", "pass", None),
        ("T.test_all_subs_skip", "skip", "all"),
        (
            "T.test_two_things",
            "fail",
            "AssertionError: first; ZeroDivisionError: division by zero",
        ),
        ("SetUpSkips.test", "skip", "in setUp"),
        ("ClassSkips.test", "skip", "in setUpClass"),
        ("ClassFails.test", "error", "setUpClass (sample.ClassFails): OSError: no db"),
        ("ClassExits.test", "error", "SystemExit: 4"),
        ("TearDownFails.test", "error", "ZeroDivisionError: division by zero"),
        (
            "CleanupFails.test",
            "error",
            "tearDownClass (sample.CleanupFails): ZeroDivisionError: division by zero",
        ),
        ("A.test_pass", "pass", None),
        ("A.test_fail", "fail", "AssertionError: later"),
    ],
)
def test_a_test_ends_as_unittest_says(
    base: Path, test: str, result: str, reason: str | None
) -> None:
    write(base, "sample.py", SAMPLE)
    outcome = run(base, f"sample.py:{test}")
    assert outcome["result"] == result
    assert outcome.get("fail_reason") == reason


@pytest.mark.parametrize(
    ("test", "reason"),
    [("error", "no numpy"), ("number", "42"), ("awkward", "(its text cannot be read)")],
)
def test_why_a_test_is_skipped_need_not_be_text_in_a_quiet_run(
    base: Path, test: str, reason: str
) -> None:
    write(base, "sample.py", SAMPLE)
    outcome = run(base, f"sample.py:T.test_skip_{test}", quiet=True)
    assert (outcome["result"], outcome["fail_reason"]) == ("skip", reason)


def test_a_failure_names_class_exception_and_traceback(base: Path) -> None:
    write(base, "sample.py", SAMPLE)
    outcome = run(base, "sample.py:T.test_fail")
    assert (outcome["class_name"], outcome["fail_class"]) == ("T", "AssertionError")
    assert 'sample.py", line' in outcome["traceback"]


def test_prints_and_report_reach_standard_output_in_order(
    base: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(base, "sample.py", SAMPLE)
    run(base, "sample.py:T.test_pass")
    out = capfd.readouterr().out
    assert out.startswith("said by the test\n")
    assert out.endswith("OK\n")
    assert "Ran 1 test in" in out


def test_of_a_test_that_passes_a_quiet_run_prints_only_what_the_test_does(
    base: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(base, "sample.py", SAMPLE)
    assert run(base, "sample.py:T.test_pass", quiet=True)["result"] == "pass"
    assert capfd.readouterr().out == "said by the test\n"
    assert run(base, "sample.py:T.test_skip", quiet=True)["result"] == "skip"
    assert capfd.readouterr().out == ""


def test_of_a_test_that_fails_a_quiet_run_prints_why(
    base: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(base, "sample.py", SAMPLE)
    run(base, "sample.py:T.test_fail", quiet=True)
    out = capfd.readouterr().out
    assert out.startswith("=" * 70 + "\nFAIL: test_fail (sample.T")
    assert out.count("Traceback") == 1


ODD = (
    SAMPLE
    + """
class Own(unittest.TestCase):
    def __init__(self, name): super().__init__("test_other")
    def test(self): self.fail("not this one")
    def test_other(self): pass

class Odd(unittest.TestCase):
    test_value = 5
    test_partial = __import__("functools").partialmethod(print, "x")
    @staticmethod
    def test_static(): return Own("test")
    @classmethod
    def test_class(cls): pass
    @property
    def test_property(self): raise ValueError("no")
    @unittest.skip("all")
    class Inner(unittest.TestCase):
        def test(self): pass

class CleansUp(unittest.TestCase):
    def test(self): self.addClassCleanup(lambda: 1 / 0)

class CleansModule(unittest.TestCase):
    def test(self): unittest.addModuleCleanup(lambda: 1 / 0)

class SetsUp(unittest.TestCase):
    @classmethod
    def setUpClass(cls): cls.ready = True
    @classmethod
    def tearDownClass(cls): raise OSError("still in use")
    def test(self): self.assertTrue(self.ready)

class NoCase:
    def test(self): pass

@unittest.skip("class")
class Skipped(unittest.TestCase):
    def test(self): pass

class Refuses(unittest.TestCase):
    def __init__(self, name): raise OSError("refused")
    def test(self): pass
"""
)


NAMES = [
    *(f"T.{each}" for each in re.findall(r"def (test_\w+)\(self", SAMPLE.partition("class S")[0])),
    *(f"{each}.test" for each in re.findall(r"class (\w+)\(unittest", SAMPLE + ODD)),
    "A.test_pass",
    "A.test_fail",
    "Own.test_other",
    "Odd.test_value",
    "Odd.test_partial",
    "Odd.test_static",
    "Odd.test_class",
    "Odd.test_property",
    "Odd.Inner.test",
    "Odd.Inner",
    "Odd.test",
    "NoCase.test",
    "NoCase",
    "Nothing.test",
    "unittest.TestCase",
    "T.",
    ".test",
    "T.test_pass.",
    "T.Own",
    "SetUpSkips",
    "Odd.test_value.real",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_short_way_to_a_test_leads_where_the_loader_does(
    base: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(base, "odd.py", ODD)
    short = [run(base, f"odd.py:{name}", quiet=quiet) for quiet in (False, True)]
    monkeypatch.setattr(unittest_child, "_method", lambda *_: None)
    long = [run(base, f"odd.py:{name}", quiet=quiet) for quiet in (False, True)]
    assert [plain(each) for each in short] == [plain(each) for each in long]
    assert plain(short[0]) == plain(short[1])


@pytest.mark.parametrize("name", NAMES)
def test_a_test_that_is_prepared_for_a_fork_ends_as_it_does_without(base: Path, name: str) -> None:
    write(base, "odd.py", ODD)
    spec = {"base_dir": str(base), "uri": f"odd.py:{name}", "quiet": True}
    loaded = unittest_child.load(spec)
    assert isinstance(loaded, tuple)
    assert loaded[0] is not None
    prepared = unittest_child.prepare(spec, Workshop(loaded[0]), 1)
    assert plain(unittest_child.outcome_of(spec, prepared)) == plain(run_test(spec))


@pytest.mark.parametrize("fixture", ["setUpModule", "tearDownModule"])
def test_what_a_module_sets_up_is_set_up_for_a_test_that_is_prepared(
    base: Path, fixture: str
) -> None:
    write(base, f"{fixture}.py", SIMPLE + f"def {fixture}(): raise OSError('disk')\n")
    spec = {"base_dir": str(base), "uri": f"{fixture}.py:T.test", "quiet": True}
    loaded = unittest_child.load(spec)
    assert isinstance(loaded, tuple)
    assert loaded[0] is not None
    prepared = unittest_child.prepare(spec, Workshop(loaded[0]), 1)
    assert isinstance(prepared, Prepared)
    outcome = unittest_child.outcome_of(spec, prepared)
    assert outcome["fail_reason"] == f"{fixture} ({fixture}): OSError: disk"


LOUD = """
import unittest
class Plain(unittest.TestCase):
    def test(self): pass
class Inherits(Plain):
    pass
class MadeOddly(unittest.TestCase):
    def __init__(self, name): raise AssertionError("run too early")
    def test(self): pass
class LooksUp(unittest.TestCase):
    def __getattr__(self, name): raise AssertionError("run too early")
    def test(self): pass
class Ends(unittest.TestCase):
    def __del__(self): raise AssertionError("run too early")
    def test(self): pass
class Sets(unittest.TestCase):
    def __setattr__(self, name, value): raise AssertionError("run too early")
    def test(self): pass
class Wrapped(unittest.TestCase):
    class Call:
        def __get__(self, instance, owner): raise AssertionError("run too early")
    test = Call()
def __getattr__(name):
    raise AttributeError(name) if name[:2] == "__" else AssertionError("run too early")
"""


@pytest.mark.parametrize(
    ("name", "is_made"),
    [
        ("Plain", True),
        ("Inherits", True),
        ("MadeOddly", False),
        ("LooksUp", False),
        ("Ends", False),
        ("Sets", False),
        ("Wrapped", False),
        ("Nothing", False),
    ],
)
def test_no_line_of_a_test_is_run_to_prepare_it(base: Path, name: str, *, is_made: bool) -> None:
    write(base, "loud.py", LOUD)
    spec = {"base_dir": str(base), "uri": f"loud.py:{name}.test", "quiet": True}
    loaded = unittest_child.load(spec)
    assert isinstance(loaded, tuple)
    assert loaded[0] is not None
    prepared = unittest_child.prepare(spec, Workshop(loaded[0]), 1)
    assert isinstance(prepared, Prepared) == is_made


def plain(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return an outcome without the addresses of objects, and the frames of unittest itself."""
    return {key: re.sub(r"0x\w+|(?m:^  .*\n)", "", str(value)) for key, value in outcome.items()}


@pytest.mark.parametrize("uri", ["sample.py:T.test_nosuch", "sample.py:Nosuch.test"])
def test_a_name_that_is_not_there_can_never_work(base: Path, uri: str) -> None:
    write(base, "sample.py", SAMPLE)
    outcome = run(base, uri)
    assert (outcome["result"], outcome["malformed"]) == ("error", True)
    assert outcome["fail_reason"].startswith("AttributeError: ")
    assert uri.rpartition(".")[2] in outcome["fail_reason"] or "Nosuch" in outcome["fail_reason"]


def test_a_missing_file_can_never_work(base: Path) -> None:
    outcome = run(base, "none.py:T.test")
    assert outcome == {
        "result": "error",
        "fail_reason": f"no such file: {base}/none.py",
        "malformed": True,
    }


def test_an_import_error_is_told_with_a_traceback_of_the_users_lines(
    base: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(base, "broken.py", "import unittest\nimport no_such_module_at_all\n")
    outcome = run(base, "broken.py:T.test")
    assert outcome["result"] == "error"
    assert outcome["fail_reason"] == (
        "ModuleNotFoundError: No module named 'no_such_module_at_all'"
    )
    assert 'broken.py", line 2' in outcome["traceback"]
    assert "unittest_child" not in outcome["traceback"]
    assert outcome["traceback"] in capfd.readouterr().out


def test_a_module_that_exits_on_import_is_an_error(base: Path) -> None:
    write(base, "leaves.py", "raise SystemExit(7)\n")
    assert run(base, "leaves.py:T.test")["fail_reason"] == "SystemExit: 7"


def test_a_module_that_skips_on_import_is_skipped(base: Path) -> None:
    write(base, "skips.py", "import unittest\nraise unittest.SkipTest('no gpu')\n")
    assert run(base, "skips.py:T.test") == {"result": "skip", "fail_reason": "no gpu"}


def test_a_module_may_skip_with_a_reason_that_cannot_be_read(base: Path) -> None:
    reason = "class Reason:\n    def __str__(self): 1 / 0\n"
    write(base, "skips.py", f"{reason}import unittest\nraise unittest.SkipTest(Reason())\n")
    outcome = run(base, "skips.py:T.test")
    assert outcome == {"result": "skip", "fail_reason": "(its text cannot be read)"}


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("a/b/inner.py", "a/b/inner.py:T.test"),
        ("a/inner2.py", "./a/inner2.py:T.test"),
        ("with-dash/test-it.py", "with-dash/test-it.py:T.test"),
        ("json/tool_test.py", "json/tool_test.py:T.test"),
        ("pkg1/__init__.py", "pkg1/__init__.py:T.test"),
    ],
)
def test_a_file_is_found_whatever_its_folder_is_called(base: Path, name: str, uri: str) -> None:
    write(base, name, SIMPLE)
    assert run(base, uri)["result"] == "pass"


def test_a_file_outside_the_base_folder_is_imported_from_its_package_root(base: Path) -> None:
    write(base, "else/where9/__init__.py", "")
    write(base, "else/where9/helper9.py", "X = 1\n")
    write(base, "else/where9/test_x9.py", "from . import helper9\n" + SIMPLE)
    (base / "here").mkdir()
    assert run(base / "here", "../else/where9/test_x9.py:T.test")["result"] == "pass"
    assert run(base / "here", f"{base}/else/where9/test_x9.py")["result"] == "pass"


def test_a_module_may_be_named_and_found_from_a_top_folder(base: Path) -> None:
    write(base, "src/deep8/test_m8.py", SIMPLE)
    assert run(base, "x", module="deep8.test_m8", top="src")["result"] == "pass"
    assert run(base, "x:T.test", module="deep8.test_m8", top="src")["class_name"] == "T"
    assert run(base, "src/deep8/test_m8.py:T.test", top="src")["result"] == "pass"


def test_a_dotted_name_is_taken_apart_as_unittest_does(base: Path) -> None:
    write(base, "dotted7.py", SIMPLE)
    assert run(base, "dotted7.T.test")["class_name"] == "T"
    assert run(base, "dotted7:T.test")["class_name"] == "T"


def test_a_whole_module_is_summed_up(base: Path) -> None:
    body = "".join(f"    def test_{n}(self): pass\n" for n in range(3))
    write(base, "whole.py", f"import unittest\nclass T(unittest.TestCase):\n{body}")
    outcome = run(base, "whole.py")
    assert outcome == {"result": "pass", "fail_reason": "3 tests: 3 passed"}


def test_a_whole_module_with_failures_names_them(base: Path) -> None:
    write(
        base,
        "mixed.py",
        "import unittest\nclass T(unittest.TestCase):\n"
        "    def test_a(self): pass\n    def test_b(self): self.fail('x')\n"
        "    def test_c(self): 1 / 0\n    def test_d(self): self.skipTest('y')\n",
    )
    outcome = run(base, "mixed.py")
    assert outcome["result"] == "fail"
    assert outcome["fail_reason"] == (
        "4 tests: 1 passed, 1 failed, 1 error, 1 skipped: "
        "T.test_b: AssertionError: x; T.test_c: ZeroDivisionError: division by zero"
    )
    assert run(base, "mixed.py", exclude=["T.test_b"])["result"] == "error"
    rest = run(base, "mixed.py", exclude=["T.test_a", "T.test_b", "T.test_c"])
    assert rest == {"result": "skip", "fail_reason": "1 test: 1 skipped"}


def test_tests_with_tasks_of_their_own_are_left_out(base: Path) -> None:
    write(base, "own6.py", SIMPLE)
    outcome = run(base, "own6.py", exclude=["T.test"])
    assert outcome == {"result": "skip", "fail_reason": "all its tests have tasks of their own"}


def test_an_inherited_test_can_be_left_out_by_the_name_it_has_here(base: Path) -> None:
    write(base, "parent5.py", SIMPLE.replace("T(", "Base("))
    write(base, "child5.py", "from parent5 import Base\nclass C(Base): pass\n")
    outcome = run(base, "child5.py", exclude=["Base.test"])
    assert outcome["fail_reason"] == "1 test: 1 passed"


def test_load_tests_decides_what_a_module_holds(base: Path) -> None:
    write(
        base,
        "loads4.py",
        SIMPLE + "def load_tests(loader, tests, pattern):\n"
        "    return unittest.TestSuite([T('test'), T('test')])\n",
    )
    assert run(base, "loads4.py")["fail_reason"] == "2 tests: 2 passed"


def test_a_load_tests_that_raises_is_an_error(base: Path) -> None:
    write(base, "loads3.py", "def load_tests(loader, tests, pattern):\n    1 / 0\n")
    outcome = run(base, "loads3.py")
    assert outcome["result"] == "error"
    assert "malformed" not in outcome


def test_a_module_without_tests_is_an_error(base: Path) -> None:
    write(base, "empty2.py", "X = 1\n")
    assert run(base, "empty2.py") == {"result": "error", "fail_reason": "no tests found"}


def test_a_fixture_that_fails_is_named_once_among_the_problems_of_a_module(base: Path) -> None:
    more = "    def test_two(self): pass\ndef setUpModule(): raise OSError('disk')\n"
    write(base, "fixture2.py", SIMPLE + more)
    reason = run(base, "fixture2.py")["fail_reason"]
    assert reason == "0 tests: 1 error: setUpModule (fixture2): OSError: disk"


def test_a_module_whose_fixture_fails_is_an_error(base: Path) -> None:
    write(base, "fixture1.py", SIMPLE + "def setUpModule(): raise OSError('disk')\n")
    assert run(base, "fixture1.py:T.test")["fail_reason"] == "setUpModule (fixture1): OSError: disk"


def test_many_problems_are_counted_and_the_first_told(base: Path) -> None:
    body = "".join(f"    def test_{n:03}(self): self.fail('x' * 5000)\n" for n in range(100))
    write(base, "bad0.py", f"import unittest\nclass T(unittest.TestCase):\n{body}")
    outcome = run(base, "bad0.py")
    assert outcome["fail_reason"].startswith("100 tests: 100 failed: T.test_000")
    assert "T.test_010" not in outcome["fail_reason"]
    assert len(outcome["traceback"]) <= 32 * 1024


def test_the_test_sees_the_base_folder_first_on_the_path(base: Path) -> None:
    write(
        base,
        "where_am_i.py",
        "import os, sys, unittest\nclass T(unittest.TestCase):\n    def test(self):\n"
        f"        self.assertEqual(sys.path[0], {str(base)!r})\n"
        f"        self.assertEqual(os.getcwd(), {os.path.realpath(base)!r})\n",
    )
    assert run(base, "where_am_i.py:T.test")["result"] == "pass"
