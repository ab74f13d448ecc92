"""What a real pytest collects, and that it is what it would run by itself."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.functional.sandbox import Sandbox

FILES = {
    "pytest.ini": "[pytest]\nmarkers = slow: takes long\naddopts = -m 'not never'\n",
    "conftest.py": "def pytest_configure(config): config.addinivalue_line('markers', 'never: x')\n",
    "test_top.py": """
import pytest
@pytest.mark.parametrize("x", [1, "a::b", "\\xe4 b", "line\\nfeed", None])
@pytest.mark.slow
def test_param(x): pass
@pytest.mark.never
def test_never(): pass
class TestA:
    class TestB:
        def test_c(self): '''
            :nrunner: tags=net,area:disk
            '''
    def helper(self): pass
""",
    "sub/test_case.py": "import unittest\nclass A(unittest.TestCase):\n  def test_a(self): pass\n",
    "sub/deep/test_skips.py": "import pytest\npytest.skip('no', allow_module_level=True)\n"
    "def test_a(): pass\n",
    "sub/helper.py": "import pytest\ndef test_not_meant(): pass\n",
    "sub/data.txt": "",
}


@pytest.fixture(autouse=True)
def few_plugins(sandbox: Sandbox) -> None:
    sandbox.env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sandbox.env["NRUNNER_RUNNER_PYTHON"] = sys.executable


def test_a_folder_gives_what_pytest_collects_there(sandbox: Sandbox) -> None:
    for name, text in FILES.items():
        sandbox.write(name, text, executable=False)
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "."],
        cwd=sandbox.here,
        env=sandbox.env,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    theirs = [line for line in told.splitlines() if "::" in line]
    assert len(theirs) == 7
    end = sandbox.run("list", ".")
    assert (end.code, end.err) == (0, "")
    rows = [re.split(r"  +", line) for line in end.lines]
    assert {row[0] for row in rows} == {"pytest"}
    ours = [row[1] for row in rows]
    assert sorted(ours) == sorted([*theirs, "sub/deep/test_skips.py"])
    tags = {row[1]: row[2] for row in rows if len(row) > 2}
    assert tags["test_top.py::TestA::TestB::test_c"] == "net,area:disk"
    assert tags["test_top.py::test_param[1]"] == "slow"
    assert sandbox.run("run", ".").code == 0
    tests = {each["uri"]: each["status"] for each in sandbox.results()["tests"]}
    assert tests.pop("sub/deep/test_skips.py") == "SKIP"
    assert tests == dict.fromkeys(theirs, "PASS")


def test_a_test_runs_with_the_configuration_that_it_was_collected_with(sandbox: Sandbox) -> None:
    """A file further down alone would lead to the nearer configuration."""
    sandbox.write("pytest.ini", "[pytest]\nmarkers =\n    ours: x\naddopts = --strict-markers\n")
    sandbox.write("sub/tox.ini", "[pytest]\naddopts = --no-such-option\n", executable=False)
    sandbox.write(
        "sub/test_it.py",
        "import pytest\n"
        "@pytest.mark.ours\n"
        "def test_it(pytestconfig): print(pytestconfig.rootpath)\n",
    )
    sandbox.write("test_top.py", "def test_top(): pass\n", executable=False)
    assert sandbox.run("run", ".").code == 0
    output = next(iter(sandbox.job.glob("test-results/*test_it*/stdout")))
    assert output.read_text() == f"{sandbox.here}\n"
    assert sandbox.run("run", "sub/test_it.py").code == 2


def test_what_cannot_be_collected_is_told_by_file_and_nothing_runs(sandbox: Sandbox) -> None:
    sandbox.write("test_good.py", "def test_a(): pass\n", executable=False)
    sandbox.write("test_import.py", "import nosuch_module\ndef test_a(): pass\n", executable=False)
    sandbox.write("test_syntax.py", "def test_a(:\n", executable=False)
    sandbox.write("test_raises.py", "def test_a(): pass\n1 / 0\n", executable=False)
    sandbox.write(
        "test_param.py",
        "import pytest\n@pytest.mark.parametrize('x', [1])\ndef test_a(): pass\n",
        executable=False,
    )
    end = sandbox.run("run", ".")
    assert end.code == 2
    for reason in (
        "test_import.py: ModuleNotFoundError: No module named 'nosuch_module' (test_import.py:1)",
        "test_raises.py: ZeroDivisionError: division by zero (test_raises.py:2)",
        "test_a: function uses no argument 'x'",
    ):
        assert reason in end.err
    assert re.search(r"test_syntax\.py: SyntaxError: .*\(test_syntax\.py, line 1\)", end.err)
    assert "test_good" not in end.err


def test_an_interpreter_without_pytest_and_a_conftest_that_fails_are_named(
    sandbox: Sandbox,
) -> None:
    sandbox.write("test_a.py", "def test_a(): pass\n", executable=False)
    bare = sandbox.plug_in("bare-python", f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    end = sandbox.run("list", "test_a.py", "--python", str(bare))
    assert end.code == 2
    assert "has no pytest that can be used: ModuleNotFoundError: No module named" in end.err
    sandbox.write("bad/conftest.py", "raise RuntimeError('not today')\n", executable=False)
    sandbox.write("bad/test_b.py", "def test_b(): pass\n", executable=False)
    end = sandbox.run("list", "test_a.py", "bad")
    assert (end.code, end.lines) == (2, ["pytest  test_a.py::test_a"])
    assert "bad/test_b.py: bad/conftest.py: RuntimeError: not today" in end.err


def test_a_module_that_hangs_as_it_is_imported_is_given_up(sandbox: Sandbox) -> None:
    sandbox.write("test_a.py", "import time\ntime.sleep(60)\ndef test_a(): pass\n")
    sandbox.env["NRUNNER_RESOLVER_DISCOVERY_TIMEOUT"] = "1"
    end = sandbox.run("list", "test_a.py")
    assert end.code == 2
    assert "did not answer within 1 s" in end.err
    sandbox.wait_nothing_runs()


def test_variables_of_tests_are_there_as_they_are_collected(sandbox: Sandbox) -> None:
    sandbox.write("src/ours.py", "NUMBERS = [1, 2]\n", executable=False)
    sandbox.write(
        "test_ours.py",
        "import pytest\nfrom ours import NUMBERS\n"
        "@pytest.mark.parametrize('number', NUMBERS)\n"
        "def test_it(number): pass\n",
    )
    assert sandbox.run("run", "-p", f"PYTHONPATH={sandbox.here}/src", "test_ours.py").code == 0
    assert len(sandbox.results()["tests"]) == 2
