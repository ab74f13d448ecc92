"""Suites that nobody here wrote get from nrunner what they get from their own runners."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.functional import corpus
from tests.functional.corpus import (
    ATTRS,
    CLICK,
    CORE,
    JSONSCHEMA,
    SAMPLES,
    TEST_SIMPLE,
    Scripts,
    Suite,
)
from tests.functional.sandbox import End, Sandbox

WORDS = {"PASS": "passed", "WARN": "passed", "SKIP": "skipped", "FAIL": "failed", "ERROR": "failed"}
WITHIN = 200.0
"""Seconds for a run of hundreds of tests on a machine that is busy."""


def run(sandbox: Sandbox, *references: str) -> End:
    words = ("--max-parallel-tasks", "2", "--show", "none")
    end = sandbox.start("run", *words, *references).wait(WITHIN)
    sandbox.wait_nothing_runs()
    return end


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("scripts", "least"),
    [
        (TEST_SIMPLE, {"passed": 50, "skipped": 1}),
        (SAMPLES, {"passed": 20, "skipped": 2, "failed": 20}),
        (CORE, {"passed": 100, "skipped": 1, "failed": 40}),
    ],
    ids=lambda each: each.name if isinstance(each, Scripts) else None,
)
def test_every_script_that_prints_tap_gets_the_verdict_of_prove(
    sandbox: Sandbox, tmp_path: Path, scripts: Scripts, least: Mapping[str, int]
) -> None:
    theirs, sandbox.here = (scripts.copy(tmp_path / name) for name in ("prove", "nrunner"))
    files = scripts.files(theirs)
    expected = corpus.prove(theirs, files, sandbox.env)
    counts = Counter(expected.values())
    assert all(counts[word] >= number for word, number in least.items()), counts

    (tmp_path / "files").write_text("\n".join(files))
    end = run(sandbox, f"@{tmp_path / 'files'}")
    got = {name: WORDS[test["status"]] for name, test in sandbox.tests().items()}
    assert list(got) == files
    assert got == expected
    assert end.code == (1 if counts["failed"] else 0), end


@pytest.mark.timeout(300)
@pytest.mark.parametrize("module", ["test_json", "test_textwrap", "test_dict"])
@pytest.mark.parametrize("way", ["by name", "by file"])
def test_pythons_own_tests_end_as_unittest_says(sandbox: Sandbox, module: str, way: str) -> None:
    home = corpus.home_of_tests()
    expected = corpus.unittest(f"test.{module}", sandbox.here, sandbox.env)
    assert sum(expected.counts.values()) > 50
    reference = f"test.{module}"
    if way == "by file":
        path = home / "test" / f"{module}.py"
        reference = str(path if path.exists() else home / "test" / module / "__init__.py")

    end = run(sandbox, reference, "--python", corpus.PYTHON)
    assert end.code == (1 if expected.counts["failed"] + expected.counts["errors"] else 0), end
    rest = held_against(sandbox.results()["tests"], expected, home)
    assert rest == (1 if module == "test_json" else 0)  # its doctests have no address


MODULES = (
    *("abc", "bisect", "bool", "contextlib", "copy", "csv", "defaultdict", "difflib", "fractions"),
    *("graphlib", "heapq", "isinstance", "keyword", "linecache", "operator", "pprint", "colorsys"),
    *("shlex", "string", "struct"),
)


@pytest.mark.timeout(300)
def test_many_modules_of_pythons_tests_end_as_unittest_says(sandbox: Sandbox) -> None:
    """All in one job, side by side."""
    home = corpus.home_of_tests()
    names = [f"test.test_{each}" for each in MODULES]
    end = run(sandbox, *names, "--python", corpus.PYTHON)
    tests = sandbox.results()["tests"]
    problems = 0
    for name in names:
        expected = corpus.unittest(name, sandbox.here, sandbox.env)
        problems += expected.counts["failed"] + expected.counts["errors"]
        mine = [each for each in tests if module_of(each["uri"], home) == name]
        assert mine, name
        held_against(mine, expected, home)
    assert end.code == (1 if problems else 0), end
    assert len(tests) > 800


def held_against(tests: Sequence[Mapping[str, Any]], expected: corpus.Ran, home: Path) -> int:
    """Assert that tests ended as unittest says; return how many tasks are several tests."""
    counts: Counter[str] = Counter()
    rest = 0
    for test in tests:
        id_ = unittest_id(test["uri"], home)
        if id_ in expected.verdicts:
            assert kind_of(test) == expected.verdicts[id_], test
        if re.match(r"\d+ tests?: ", test["fail_reason"] or ""):
            counts.update(counted(test))
            rest += 1
        else:
            counts[kind_of(test)] += 1
    assert +counts == +Counter(expected.counts)
    return rest


def module_of(uri: str, home: Path) -> str:
    place = uri.rpartition(":")[0] or uri
    return place.removeprefix(f"{home}/").removesuffix(".py").replace("/", ".")


def unittest_id(uri: str, home: Path) -> str:
    return f"{module_of(uri, home)}.{uri.rpartition(':')[2]}"


def kind_of(test: Mapping[str, Any]) -> str:
    return "errors" if test["status"] == "ERROR" else WORDS[test["status"]]


def counted(test: Mapping[str, Any]) -> Counter[str]:
    """Return the numbers in the reason of a task that is several tests."""
    found = re.findall(r"(\d+) (passed|skipped|failed|error)", test["fail_reason"])
    total = re.match(r"(\d+) tests?: ", test["fail_reason"])
    assert total is not None
    numbers = Counter({word.replace("error", "errors"): int(number) for number, word in found})
    assert sum(numbers.values()) == int(total[1])
    return numbers


@pytest.mark.timeout(300)
def test_suites_of_robot_framework_end_as_robot_says(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each file's worst is that of its tests; what has the same name here and there ends alike."""
    sandbox.here = corpus.copy_robot_suites(tmp_path / "robot")
    sandbox.env["PYTHONPATH"] = str(sandbox.here / "src")
    expected = corpus.robot(sandbox.here, sandbox.env)
    statuses = Counter(each for tests in expected.values() for each in tests.values())
    assert statuses["PASS"] > 50
    assert statuses["FAIL"] > 10

    assert run(sandbox, "atest", "--python", corpus.PYTHON).code == 1
    got: dict[str, dict[str, str]] = {}
    for name, test in sandbox.tests().items():
        file, _, test_name = name.partition(":")
        got.setdefault(file, {})[test_name.partition(".")[2]] = test["status"]
    assert {file: worst(tests) for file, tests in got.items()} == {
        file: worst(tests) for file, tests in expected.items()
    }
    same = [(file, name) for file in got for name in got[file] if name in expected[file]]
    assert len(same) > 5
    assert [got[file][name] for file, name in same] == [expected[file][n] for file, n in same]


def worst(tests: Mapping[str, str]) -> str:
    """Return the status of a suite: of those without any test Robot says that they are skipped."""
    order = ("FAIL", "PASS", "SKIP")
    return next((each for each in order if each in tests.values()), "SKIP")


GO_PACKAGES = ("container/list", "container/ring", "errors", "text/tabwriter")


@pytest.mark.timeout(300)
def test_gos_own_tests_end_as_go_says(sandbox: Sandbox) -> None:
    sandbox.env["GOCACHE"] = str(corpus.GO_CACHE)
    source, expected = corpus.go(GO_PACKAGES, sandbox.env)
    assert len(expected) > 30
    end = run(sandbox, *[str(source / each) for each in GO_PACKAGES])
    assert end.code == 0, end
    got = {}
    for name, test in sandbox.tests().items():
        file, _, test_name = name.partition(":")
        got[f"{Path(file).parent.relative_to(source)}:{test_name}"] = WORDS[test["status"]]
    assert got == expected


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("suite", "isolation", "least"),
    [
        (ATTRS, "process", {"PASS": 350, "SKIP": 4, "FAIL": 1}),
        (CLICK, "module", {"PASS": 800, "SKIP": 5}),
        (JSONSCHEMA, "process", {"PASS": 400}),
    ],
    ids=lambda each: each.name if isinstance(each, Suite) else None,
)
def test_suites_of_pytest_end_as_pytest_says(
    sandbox: Sandbox, tmp_path: Path, suite: Suite, isolation: str, least: Mapping[str, int]
) -> None:
    sandbox.here = suite.copy(tmp_path / suite.name)
    sandbox.env["PYTHONPATH"] = str(sandbox.here / suite.source)
    sandbox.env["PYTEST_ADDOPTS"] = "-p no:schemathesis"  # takes long to load
    files = suite.files(sandbox.here)
    expected = corpus.pytest(sandbox.here, files, sandbox.env, tmp_path)
    counts = Counter(expected.values())
    assert all(counts[word] >= number for word, number in least.items()), counts

    flags = ("--python", corpus.PYTHON, "--python-tests", "pytest", "--isolation", isolation)
    end = run(sandbox, *flags, *files)
    got = {name: test["status"] for name, test in sandbox.tests().items()}
    skipped = {name for name, status in got.items() if "::" not in name and status == "SKIP"}
    assert {name: got[name] for name in got if name not in skipped} == expected
    assert end.code == (1 if counts["FAIL"] or counts["ERROR"] else 0), end
