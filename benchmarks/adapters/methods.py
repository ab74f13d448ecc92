"""Tools that run methods of unittest: in one process, in several, or in one for each.

The tests are read where they stand, with a cache of byte code that the first round has warmed up.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.adapters.ours import ours, read_ours
from benchmarks.adapters.recorders import read_avocado
from benchmarks.tool import OURS, Command, Reading, Site, Tool

__all__ = [
    "AVOCADO",
    "FORKED",
    "FORKED_N",
    "MODULE",
    "PROCESS",
    "PYTEST",
    "PYTEST_N",
    "STESTR",
    "UNITTEST",
    "UNITTEST_EACH",
    "UNITTEST_PARALLEL",
    "make_methods",
    "read_pytest",
    "read_stestr",
    "stestr_command",
]

_FILES = 10
_METHODS = 10


def make_methods(folder: Path, tests: int) -> tuple[str, ...]:
    """Write trivial tests into ten files, ten to a class; return their dotted names."""
    names = []
    for file in range(min(_FILES, tests)):
        numbers = range(file, tests, _FILES)
        lines = ["import unittest\n"]
        for place, number in enumerate(numbers):
            if place % _METHODS == 0:
                lines.append(f"\n\nclass Test{place // _METHODS}(unittest.TestCase):\n")
            lines.append(f"    def test_{number}(self):\n        self.assertEqual(1 + 1, 2)\n\n")
            names.append(f"test_{file}.Test{place // _METHODS}.test_{number}")
        (folder / f"test_{file}.py").write_text("".join(lines))
    return tuple(names)


def stestr_command(site: Site) -> Command:
    """Return stestr's command for a folder of tests, with an empty repository of its own."""
    places = f"test_path={site.input}\ntop_dir={site.input}\n"
    (site.folder / ".stestr.conf").write_text(f"[DEFAULT]\n{places}")
    stestr = site.find("stestr")
    subprocess.run([stestr, "init"], cwd=site.folder, check=True, capture_output=True)
    path = f"{Path(stestr).parent}:/usr/bin:/bin"
    words = ("run", "--concurrency", str(site.parallel))
    return Command((stestr, *words), env={"PATH": path})


def read_stestr(site: Site, output: str) -> Reading:
    """Return how many tests stestr says have passed."""
    found = re.search(r"^ - Passed: (\d+)", output, re.MULTILINE)
    return Reading(int(found[1]) if found else 0)


def read_pytest(site: Site, output: str) -> Reading:
    """Return how many tests pytest says have passed."""
    found = re.search(r"(\d+) passed in", output)
    return Reading(int(found[1]) if found else 0)


def _ours(site: Site, *options: str) -> Command:
    return replace(ours(site, (*options, ".")), cwd=site.input)


def _by_module(site: Site) -> Command:
    return _ours(site, "--isolation=module")


def _pytest(site: Site, *options: str, spread: bool = False) -> Command:
    workers = ("-n", str(site.parallel)) if spread else ()
    return Command((site.find("pytest"), "-q", *options, *workers, str(site.input)))


def _forked(site: Site, *, spread: bool = False) -> Command:
    return _pytest(site, "--forked", spread=spread)


def _unittest(site: Site) -> Command:
    return Command((site.find("python"), "-m", "unittest", "discover"), cwd=site.input)


def _unittest_each(site: Site) -> Command:
    arguments = site.folder / "arguments"
    arguments.write_text("".join(f"{name}\n" for name in site.programs))
    words = ("xargs", f"-P{site.parallel}", "-n1", site.find("python"), "-m", "unittest")
    return Command(words, stdin=arguments, cwd=site.input)


def _unittest_parallel(site: Site) -> Command:
    words = (site.find("unittest-parallel"), "-q", f"-j{site.parallel}", "-s", ".")
    return Command(words, cwd=site.input)


def _read_unittest(site: Site, output: str) -> Reading:
    # Not only at the beginning of a line: two that run at once may write into one line.
    return Reading(sum(map(int, re.findall(r"\bRan (\d+) test", output))))


def _avocado(site: Site) -> Command:
    files = sorted(path.name for path in site.input.glob("test_*.py"))
    results = ("--job-results-dir", str(site.folder / "results"), "--disable-sysinfo")
    many = ("--max-parallel-tasks", str(site.parallel))
    return Command((site.find("avocado"), "run", *results, *many, "--", *files), cwd=site.input)


PROCESS = Tool(OURS, OURS, _ours, read_ours)
MODULE = Tool(f"{OURS} by module", OURS, _by_module, read_ours, option="--isolation=module")
STESTR = Tool("stestr", "stestr", stestr_command, read_stestr)
PYTEST = Tool("pytest", "pytest", _pytest, read_pytest)
PYTEST_N = Tool("pytest -n", "pytest", partial(_pytest, spread=True), read_pytest)
FORKED = Tool("pytest --forked", "pytest-forked", _forked, read_pytest)
FORKED_N = Tool("pytest --forked -n", "pytest-forked", partial(_forked, spread=True), read_pytest)
UNITTEST = Tool("unittest", "pytest", _unittest, _read_unittest)
UNITTEST_EACH = Tool("unittest per test", "pytest", _unittest_each, _read_unittest, most=100)
UNITTEST_PARALLEL = Tool(
    "unittest-parallel", "unittest-parallel", _unittest_parallel, _read_unittest
)
AVOCADO = Tool("avocado", "avocado", _avocado, read_avocado, most=100)
