"""The kind pytest, by real jobs: verdicts, what tests see, what they share."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.functional.sandbox import Sandbox, wait_until

VERDICTS = """
import os, sys, warnings
import pytest

@pytest.fixture
def broken():
    raise ValueError("bad fixture")

@pytest.fixture
def spoilt():
    yield 1
    raise RuntimeError("late")

def test_pass(capsys, tmp_path):
    print("captured")
    assert capsys.readouterr().out == "captured\\n"
    (tmp_path / "x").write_text("x")
def test_fail(): assert 1 == 2
def test_prints():
    print("to stdout")
    os.write(2, b"to stderr\\n")
    warnings.warn("of old age")
    assert not "this"
def test_set_up(broken): pass
def test_tear_down(spoilt): pass
def test_both(spoilt): assert not "that"
@pytest.mark.skip(reason="no way")
def test_skip(): pass
@pytest.mark.xfail(reason="bug 1")
def test_xfail(): assert 0
@pytest.mark.xfail(reason="bug 2")
def test_xpass(): pass
@pytest.mark.xfail(reason="bug 3", strict=True)
def test_xpass_strict(): pass
@pytest.mark.parametrize("x", [1, "a::b[c]/d"])
def test_param(x): assert x == 1
def test_no_fixture(nosuch): pass
def test_exit(): pytest.exit("enough")
def test_interrupt(): raise KeyboardInterrupt
def test_system_exit(): sys.exit(3)
def test_leaves(): os._exit(3)
class TestClass:
    def test_method(self): assert os.environ["PYTEST_CURRENT_TEST"].endswith("(call)")
    def test_other(self): assert 0, "other"
"""

EXPECTED = {
    "test_pass": ("PASS", None),
    "test_fail": ("FAIL", "AssertionError: assert 1 == 2"),
    "test_prints": ("FAIL", "AssertionError: assert not 'this'"),
    "test_set_up": ("ERROR", "set-up: ValueError: bad fixture"),
    "test_tear_down": ("ERROR", "tear-down: RuntimeError: late"),
    "test_both": ("FAIL", "AssertionError: assert not 'that'; tear-down: RuntimeError: late"),
    "test_skip": ("SKIP", "no way"),
    "test_xfail": ("PASS", "failed as expected: bug 1"),
    "test_xpass": ("WARN", "passed though it was expected to fail: bug 2"),
    "test_xpass_strict": ("FAIL", "passed though it was expected to fail: bug 3"),
    "test_param[1]": ("PASS", None),
    "test_param[a::b[c]/d]": ("FAIL", "AssertionError: assert 'a::b[c]/d' == 1"),
    "test_no_fixture": ("ERROR", "set-up: fixture 'nosuch' not found"),
    "test_exit": ("ERROR", "pytest.exit: enough"),
    "test_interrupt": ("ERROR", "KeyboardInterrupt"),
    "test_system_exit": ("FAIL", "SystemExit: 3"),
    "test_leaves": ("ERROR", "exited with status 3 without a report"),
    "test_nosuch": ("ERROR", 'there is no test "test_nosuch"; did you mean "test_both"?'),
    "TestClass::test_method": ("PASS", None),
    "TestClass": (
        "FAIL",
        "2 tests: 1 passed, 1 failed; TestClass::test_other: AssertionError: other",
    ),
}


@pytest.fixture(autouse=True)
def few_plugins(sandbox: Sandbox) -> None:
    """Leave out the plugins that are installed here: they take a second to load."""
    sandbox.env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sandbox.env["NRUNNER_RUNNER_PYTHON"] = sys.executable


def run(sandbox: Sandbox, uris: Sequence[str], *flags: str, **more: object) -> dict[str, object]:
    """Run tests by a recipe; return verdict and reason by uri."""
    recipes = [{"kind": "pytest", "uri": uri, **more} for uri in uris]
    sandbox.write("tests.json", json.dumps(recipes), executable=False)
    sandbox.run("run", "tests.json", *flags)
    return {
        each["uri"]: (each["status"], each["fail_reason"]) for each in sandbox.results()["tests"]
    }


@pytest.mark.parametrize("isolation", ["process", "module", "interpreter"])
def test_every_way_to_end_has_its_verdict_and_a_reason(sandbox: Sandbox, isolation: str) -> None:
    sandbox.write("test_it.py", VERDICTS, executable=False)
    names = list(EXPECTED)
    if isolation == "interpreter":  # takes long for each
        names = ["test_pass", "test_both", "TestClass"]
    flags = ("--isolation", isolation, "--max-parallel-tasks", "2")
    found = run(sandbox, [f"test_it.py::{name}" for name in names], *flags)
    assert {name.partition("::")[2]: told for name, told in found.items()} == {
        name: EXPECTED[name] for name in names
    }
    sandbox.wait_nothing_runs()


def test_output_goes_where_it_belongs_and_says_what_failed(sandbox: Sandbox) -> None:
    sandbox.write("test_it.py", VERDICTS, executable=False)
    uri = "test_it.py::test_prints"
    run(sandbox, [uri])
    [test] = sandbox.results()["tests"]
    stdout = (sandbox.job / test["outputs"]["stdout"]).read_text()
    assert stdout.startswith("to stdout\n____")
    assert "\n>       assert not \"this\"\nE       AssertionError: assert not 'this'\n" in stdout
    stderr = (sandbox.job / test["outputs"]["stderr"]).read_text().splitlines()
    place, _, warning = stderr[1].partition(": ")
    assert stderr[0] == "to stderr"
    assert place.startswith(f"{sandbox.here}/test_it.py:")
    assert warning == "UserWarning: of old age"
    assert (test["class_name"], test["fail_class"]) == (None, "AssertionError")
    assert "E       AssertionError" in test["traceback"]


def test_what_can_never_work_is_malformed(sandbox: Sandbox) -> None:
    sandbox.write("test_it.py", "def test_it(): pass\n", executable=False)
    sandbox.write("test_none.py", "", executable=False)
    recipes = [
        {"uri": "test_it.py::test_itt"},
        {"uri": "test_none.py::test_it"},
        {"uri": "nosuch.py::test_it"},
        {"uri": "test_it.py::test_it", "args": ["--no-such-option"]},
        {"uri": "test_it.py::test_it", "args": ["-k", "other"]},
    ]
    data = json.dumps([{"kind": "pytest", **each} for each in recipes])
    sandbox.write("tests.json", data, executable=False)
    sandbox.run("run", "tests.json")
    tests = sandbox.results()["tests"]
    assert [(each["status"], each["cause"]) for each in tests] == [("ERROR", "malformed")] * 5
    reasons = [each["fail_reason"] for each in tests]
    assert reasons[0] == 'there is no test "test_itt"; did you mean "test_it"?'
    assert reasons[1] == "pytest finds no tests in it"
    assert reasons[2] == f"no such file: {sandbox.here}/nosuch.py"
    assert reasons[3].startswith("pytest: unrecognized arguments: --no-such-option")
    assert reasons[4] == "pytest's options deselect it"


def test_a_file_that_cannot_be_collected_is_in_error_with_the_place(sandbox: Sandbox) -> None:
    sandbox.write("broken/test_it.py", "import nosuch_module\ndef test_it(): pass\n")
    sandbox.write("conf/conftest.py", "1 / 0\n")
    sandbox.write("conf/test_it.py", "def test_it(): pass\n")
    sandbox.write(
        "skips/test_it.py",
        "import pytest\npytest.importorskip('nosuch_module')\ndef test_it(): pass\n",
    )
    found = run(sandbox, [f"{each}/test_it.py::test_it" for each in ("broken", "conf", "skips")])
    assert found["broken/test_it.py::test_it"] == (
        "ERROR",
        "ModuleNotFoundError: No module named 'nosuch_module' (broken/test_it.py:1)",
    )
    assert found["conf/test_it.py::test_it"] == (
        "ERROR",
        "conf/conftest.py: ZeroDivisionError: division by zero",
    )
    status, reason = found["skips/test_it.py::test_it"]  # type: ignore[misc]
    assert (status, "could not import 'nosuch_module'" in reason) == ("SKIP", True)


def test_an_interpreter_without_pytest_is_named(sandbox: Sandbox) -> None:
    bare = sandbox.plug_in("bare-python", f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    sandbox.write("test_it.py", "def test_it(): pass\n", executable=False)
    for isolation in ("process", "interpreter"):
        flags = ("--python", str(bare), "--isolation", isolation)
        found = run(sandbox, ["test_it.py::test_it"], *flags)
        status, reason = found["test_it.py::test_it"]  # type: ignore[misc]
        assert status == "ERROR"
        assert reason.endswith(
            "has no pytest that can be used: ModuleNotFoundError: No module named 'pytest'"
        )


SHARED = """
import os, sys
import pytest

@pytest.fixture(scope="session", autouse=True)
def whole():
    print("session up", os.getpid())
    yield
    print("session down")

@pytest.fixture(scope="module")
def ours():
    print("module up")
    yield []
    print("module down")

def test_1(ours):
    ours.append(1)
    assert ours == [1]
    assert not [each for each in sys.modules if each.startswith("nrunner")]
def test_2(ours):
    ours.append(2)
    assert len(ours) == int(os.environ["SHARED"])
"""


@pytest.mark.parametrize(("isolation", "shared"), [("process", 1), ("module", 2)])
def test_fixtures_are_set_up_for_each_process(
    sandbox: Sandbox, isolation: str, shared: int
) -> None:
    sandbox.write("test_it.py", SHARED, executable=False)
    flags = ("--isolation", isolation, "-p", f"SHARED={shared}")
    found = run(sandbox, ["test_it.py::test_1", "test_it.py::test_2"], *flags)
    assert set(found.values()) == {("PASS", None)}
    outputs = [each["outputs"]["stdout"] for each in sandbox.results()["tests"]]
    said = [(sandbox.job / each).read_text().split() for each in outputs]
    words = [[each for each in text if not each.isdigit()] for text in said]
    up, down = ["session", "up", "module", "up"], ["module", "down", "session", "down"]
    assert words == ([up + down] * 2 if isolation == "process" else [up, down])


HOOKS = """
import pathlib
def pytest_sessionstart(session): pathlib.Path('made').write_text('')
def pytest_sessionfinish(session): pathlib.Path('made').unlink()
"""

PLUGIN = """
import pathlib
class Plugin:
    def pytest_sessionstart(self): pathlib.Path('made').write_text('')
    def pytest_sessionfinish(self): pathlib.Path('made').unlink()
def pytest_configure(config): config.pluginmanager.register(Plugin())
"""


@pytest.mark.parametrize("conftest", [HOOKS, PLUGIN], ids=["hooks", "plugin"])
def test_a_conftest_with_a_say_in_the_session_runs_for_each_test(
    sandbox: Sandbox, conftest: str
) -> None:
    """Else the first test to end would take away what the session has made for all."""
    sandbox.write("conftest.py", conftest, executable=False)
    sandbox.write(
        "test_it.py",
        "import os, pytest\n"
        "@pytest.mark.parametrize('x', range(3))\n"
        "def test_it(x): assert os.path.exists('made')\n",
    )
    uris = [f"test_it.py::test_it[{number}]" for number in range(3)]
    found = run(sandbox, uris, "--max-parallel-tasks", "1")
    assert set(found.values()) == {("PASS", None)}
    assert not (sandbox.here / "made").exists()


def test_such_a_conftest_may_be_in_a_folder_whose_name_is_no_text(sandbox: Sandbox) -> None:
    folder = sandbox.here / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "conftest.py").write_text("def pytest_sessionfinish(session): print('over')\n")
    (folder / "test_it.py").write_text("def test_1(): pass\ndef test_2(): pass\n")
    uris = [f"{folder.name}/test_it.py::test_{number}" for number in (1, 2)]
    assert set(run(sandbox, uris).values()) == {("PASS", None)}


STOPS = """
import pytest

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    if report.failed:
        setattr(item.session, {attribute!r}, "smoke failed")
"""

SMOKE = "def test_1(): pass\ndef test_2(): assert not 'this'\ndef test_3(): pass\n"

WHY = "AssertionError: assert not 'this'"

STOPPED = {
    "test_it.py": (
        "FAIL",
        f"3 tests: 1 passed, 1 failed, 1 not run; test_2: {WHY}; not run: smoke failed",
    ),
    "test_it.py::test_2": ("FAIL", WHY),
    "test_it.py::test_3": ("PASS", None),
}


@pytest.mark.parametrize("attribute", ["shouldstop", "shouldfail"])
@pytest.mark.parametrize("isolation", ["process", "module"])
def test_a_test_that_is_to_end_the_run_keeps_its_verdict(
    sandbox: Sandbox, isolation: str, attribute: str
) -> None:
    sandbox.write("conftest.py", STOPS.format(attribute=attribute), executable=False)
    sandbox.write("test_it.py", SMOKE, executable=False)
    assert run(sandbox, list(STOPPED), "--isolation", isolation) == STOPPED


def test_what_is_meant_for_whole_runs_is_left_out(sandbox: Sandbox) -> None:
    sandbox.write(
        "pytest.ini",
        "[pytest]\naddopts = -ra -q -x --lf --junitxml=out.xml --durations=3 --basetemp=shared\n",
        executable=False,
    )
    sandbox.write("test_it.py", "def test_1(): assert 0\ndef test_2(tmp_path): pass\n")
    for _ in range(2):
        found = run(sandbox, ["test_it.py::test_1", "test_it.py::test_2"])
        assert [status for status, _ in found.values()] == ["FAIL", "PASS"]  # type: ignore[misc]
    assert not (sandbox.here / "out.xml").exists()
    assert not (sandbox.here / "shared").exists()
    assert not list(sandbox.here.glob(".pytest_cache/**/lastfailed"))


@pytest.mark.parametrize("isolation", ["process", "interpreter"])
def test_what_a_locale_cannot_say_is_printed_as_pytest_captures_it(
    sandbox: Sandbox, isolation: str
) -> None:
    sandbox.env |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    sandbox.write(
        "test_it.py",
        "def test_it():\n"
        "    import sys\n"
        "    print('gr\u00fcn', '\\udcff')\n"
        "    assert sys.stdout.encoding == 'utf-8'\n",
        executable=False,
    )
    assert run(sandbox, ["test_it.py::test_it"], "--isolation", isolation) == {
        "test_it.py::test_it": ("PASS", None)
    }
    [test] = sandbox.results()["tests"]
    assert (sandbox.job / test["outputs"]["stdout"]).read_bytes() == b"gr\xc3\xbcn ?\n"


def test_tests_are_forks_and_see_nothing_of_each_other(sandbox: Sandbox) -> None:
    """Also where pytest compiles the file first, and names what it writes by its process."""
    del sandbox.env["PYTHONDONTWRITEBYTECODE"]
    sandbox.write(
        "test_it.py",
        "import os, pytest\n"
        "with open('imports', 'a') as file: file.write('x')\n"
        "SEEN = []\n"
        "@pytest.mark.parametrize('x', range(4))\n"
        "def test_it(x, tmp_path):\n"
        "    assert SEEN == []\n"
        "    SEEN.append(x)\n"
        "    assert str(tmp_path) == os.environ['TMPDIR'] + f'/t/test_it_{x}_0'\n"
        "    assert os.listdir(tmp_path) == []\n",
    )
    uris = [f"test_it.py::test_it[{number}]" for number in range(4)]
    found = run(sandbox, uris, "--max-parallel-tasks", "1")
    assert set(found.values()) == {("PASS", None)}
    assert (sandbox.here / "imports").read_text() == "x"


def test_the_examples_end_as_their_page_says(sandbox: Sandbox, root: Path) -> None:
    shutil.copytree(root / "examples" / "pytest", sandbox.here / "pytest")
    assert sandbox.run("run", "pytest").code == 0
    tests = {name.partition("::")[2]: each["status"] for name, each in sandbox.tests().items()}
    assert tests == {
        "test_a_jar_is_found": "PASS",
        "test_jars_weigh_half_a_kilo[1-0.5]": "PASS",
        "test_jars_weigh_half_a_kilo[2-1.0]": "PASS",
        "test_jars_weigh_half_a_kilo[4-2.0]": "PASS",
        "TestSeason::test_honey_is_made": "PASS",
        "TestSeason::test_bees_fly": "SKIP",
        "TestSeason::test_bees_are_counted": "PASS",
    }
    assert sandbox.run("run", "pytest", "--filter-by-tags", "slow").code == 0
    assert len(sandbox.results()["tests"]) == 3


def test_installed_plugins_are_imported_once_unless_they_are_blocked(sandbox: Sandbox) -> None:
    """And what the user's options name is not: each session imports that by itself."""
    for name in ("installed", "named"):
        text = f"open('imports', 'a').write('{name}\\n')\ndef pytest_report_header(): pass\n"
        sandbox.write(f"lib/{name}.py", text, executable=False)
    sandbox.write("lib/ours-1.dist-info/METADATA", "Name: ours\nVersion: 1\n", executable=False)
    sandbox.write("lib/ours-1.dist-info/entry_points.txt", "[pytest11]\nours = installed\n")
    for name in ("test_a.py", "test_b.py"):
        sandbox.write(name, "def test_it(): pass\n", executable=False)
    del sandbox.env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
    sandbox.env["PYTHONPATH"] = str(sandbox.here / "lib")

    def imports(options: str) -> list[str]:
        (sandbox.here / "imports").write_text("")
        sandbox.env["PYTEST_ADDOPTS"] = f"-p no:schemathesis {options}"
        found = run(sandbox, ["test_a.py::test_it", "test_b.py::test_it"])
        assert set(found.values()) == {("PASS", None)}
        return (sandbox.here / "imports").read_text().split()

    assert imports("") == ["installed"]
    assert imports("-p no:ours") == []
    assert imports("-p named -p no:ours") == ["named", "named"]


def test_what_is_set_up_is_torn_down_if_nobody_comes_any_more(sandbox: Sandbox) -> None:
    sandbox.write(
        "test_it.py",
        "import pytest\n"
        "@pytest.fixture(scope='module', autouse=True)\n"
        "def module():\n"
        "    yield\n"
        "    open('down', 'w').close()\n"
        "    raise ValueError('too late')\n"
        "def test_1(): assert 0\n"
        "def test_2(): open('ran', 'w').close()\n",
    )
    uris = ["test_it.py::test_1", "test_it.py::test_2"]
    found = run(sandbox, uris, "--isolation", "module", "--fail-fast")
    assert [status for status, _ in found.values()] == ["FAIL", "CANCEL"]  # type: ignore[misc]
    wait_until((sandbox.here / "down").exists, "the module is torn down")
    sandbox.wait_nothing_runs()
    assert not (sandbox.here / "ran").exists()
