"""What each tool says about the number of tests it ran."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.adapters import methods, ours, plain, recorders, spawning
from benchmarks.adapters.methods import make_methods
from benchmarks.tool import Site, Tool

SAID = [
    (plain.NINJA, "[1/200] true\n[200/200] true\n", 200),
    (recorders.CTEST, "\n100% tests passed, 0 tests failed out of 100\n", 100),
    (recorders.CTEST, "\n99% tests passed, 1 tests failed out of 100\n", 0),
    (recorders.LIT, "Total Discovered Tests: 9\n  Passed: 9 (100.00%)\n", 9),
    (recorders.KYUA, "\nResults saved\n12/12 passed (0 broken, 0 failed, 0 skipped)\n", 12),
    (recorders.KYUA, "\n11/12 passed (1 broken, 0 failed, 0 skipped)\n", 0),
    (recorders.MESON, "Ok:                 7\nFail:               0\n", 7),
    (recorders.BATS, "1..2\nok 1 t0\nok 2 t1\n", 2),
    (recorders.BATS, "1..2\nok 1 t0\nnot ok 2 t1\n", 1),
    (recorders.PROVE, "Files=200, Tests=2000,  1 wallclock secs\nResult: PASS\n", 200),
    (recorders.PROVE, "Files=200, Tests=2000,  1 wallclock secs\nResult: FAIL\n", 0),
    (methods.STESTR, "Totals\n======\nRan: 9 tests\n - Passed: 8\n - Failed: 1\n", 8),
    (spawning.PYTEST, "....\n4 passed in 0.01s\n", 4),
    (methods.UNITTEST, "Ran 1000 tests in 0.013s\n\nOK\n", 1000),
    (methods.UNITTEST_EACH, "Ran 1 test in 0.000s\n\nOK\nRan 1 test in 0.000s\n", 2),
]


def _site(folder: Path) -> Site:
    return Site(folder, folder, 3, 2, ("/bin/true",) * 3, str)


@pytest.mark.parametrize(("tool", "output", "tests"), SAID)
def test_a_tool_is_held_to_its_own_count(tmp_path: Path, tool: Tool, output: str, tests: int):
    assert tool.read(_site(tmp_path), output).tests == tests


def test_a_tool_that_says_nothing_is_believed(tmp_path: Path):
    assert plain.XARGS.read(_site(tmp_path), "").tests is None


def test_our_own_console_and_report_have_to_agree(tmp_path: Path):
    report = tmp_path / "results" / "latest" / "results.json"
    report.parent.mkdir(parents=True)
    report.write_text(json.dumps({"tests": [{"status": "PASS"}, {"status": "FAIL"}]}))
    line = "RESULTS    : PASS {} | ERROR 0\n"
    assert ours.read_ours(_site(tmp_path), line.format(1)).tests == 1
    assert ours.read_ours(_site(tmp_path), line.format(2)).tests == 0
    assert ours.read_ours(_site(tmp_path), "").tests == 0


def test_a_thousand_methods_are_ten_files_of_ten_classes_of_ten(tmp_path: Path):
    names = make_methods(tmp_path, 1000)
    assert len(set(names)) == 1000
    files = sorted(tmp_path.iterdir())
    assert len(files) == 10
    for file in files:
        text = file.read_text()
        assert text.count("class ") == 10
        assert text.count("    def test_") == 100
        compile(text, file.name, "exec")


def test_fewer_methods_are_spread_over_the_files(tmp_path: Path):
    assert make_methods(tmp_path, 1) == ("test_0.Test0.test_0",)
    assert len(list(tmp_path.iterdir())) == 1
