"""Python test frameworks, given tests that start a program each."""

from __future__ import annotations

from functools import partial

from benchmarks.adapters.methods import read_pytest, read_stestr, stestr_command
from benchmarks.tool import Command, Site, Tool

__all__ = ["PYTEST", "PYTEST_N", "STESTR"]

_FILES = 10


def _write(site: Site, head: str, test: str) -> None:
    """Write ten files of tests beside each other, unless they are there from the last round."""
    if any(site.input.glob("test_*.py")):
        return
    for file in range(min(_FILES, site.tests)):
        mine = list(enumerate(site.programs))[file::_FILES]
        tests = "".join(test.format(number=number, program=program) for number, program in mine)
        (site.input / f"test_{file}.py").write_text(head + tests)


def _pytest(site: Site, *, spread: bool) -> Command:
    test = "def test_{number}():\n    subprocess.run(['{program}'], check=True)\n\n"
    _write(site, "import subprocess\n\n", test)
    workers = ("-n", str(site.parallel)) if spread else ()
    return Command((site.find("pytest"), "-q", *workers, str(site.input)))


def _stestr(site: Site) -> Command:
    head = "import subprocess\nimport unittest\n\nclass Test(unittest.TestCase):\n"
    test = "    def test_{number}(self):\n        subprocess.run(['{program}'], check=True)\n\n"
    _write(site, head, test)
    return stestr_command(site)


PYTEST = Tool("pytest", "pytest", partial(_pytest, spread=False), read_pytest)
PYTEST_N = Tool("pytest -n", "pytest", partial(_pytest, spread=True), read_pytest)
STESTR = Tool("stestr", "stestr", _stestr, read_stestr)
