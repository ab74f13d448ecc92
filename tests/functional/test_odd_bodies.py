"""The same odd bodies as tests of each kind: bounded, told apart, and nothing left.

What each must come to stands in ``odd_body`` and ``odd_kind``.
"""

from __future__ import annotations

import ast
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests import avocado
from tests.functional import model, odd_golang, odd_kind, odd_model, odd_survey
from tests.functional.model import Expected
from tests.functional.odd_body import AVOCADO, BODIES
from tests.functional.odd_kind import KINDS, idle, modelled
from tests.functional.sandbox import Sandbox
from tests.functional.test_payloads import assert_as_modelled, prepare

TOGETHER = [kind for kind in KINDS if kind != AVOCADO]
IDLE = [each for kind in odd_kind.IDLE for each in idle(kind, BODIES)]


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """A sandbox with all that runs bodies."""
    shutil.copytree(model.PAYLOADS, sandbox.here, dirs_exist_ok=True)
    sandbox.write("bodies.robot", odd_kind.suite(BODIES), executable=False)
    return sandbox


def run(
    box: Sandbox, expected: Sequence[Expected], timeout: float, grace: float, parallel: int
) -> int:
    """Run all of them, what takes long first, and hold what came of it against the model."""
    expected = sorted(expected, key=lambda each: -each.takes[0])
    prepare(box, expected, odd_model.FOLDER, timeout)
    words = ("--grace", f"{grace:g}", "--max-parallel-tasks", f"{parallel}")
    end = box.start("run", "payloads.json", "--python", sys.executable, *words).wait(within=100)
    assert_as_modelled(box, expected)
    assert not set(end.out) - {"\n"} - set(map(chr, [*range(32, 127), 0xFFFD]))
    return end.code


@pytest.mark.timeout(120)
def test_a_body_comes_to_what_its_end_means_for_its_kind(box: Sandbox) -> None:
    """All kinds at once, in one job: what breaks itself breaks none of the others."""
    timeout = odd_model.TIMEOUT
    expected = [each for kind in TOGETHER for each in modelled(kind, BODIES, timeout)]
    assert run(box, expected, timeout, model.GRACE, parallel=16) == 9


@pytest.mark.timeout(120)
def test_bodies_as_tests_of_avocado_are_bounded_and_told_apart(box: Sandbox) -> None:
    """Its runner's word holds for what it notices; what it does not, shows by its process."""
    box.env["PATH"] += f"{os.pathsep}{avocado.programs()}"
    timeout = 18 * odd_kind.GRACE
    expected = modelled(AVOCADO, BODIES, timeout)
    assert run(box, expected, timeout, odd_kind.GRACE, parallel=8) == 9


def test_nothing_runs_of_bodies_whose_kind_says_so(box: Sandbox) -> None:
    assert run(box, IDLE, model.TIMEOUT, model.GRACE, parallel=8) == 0


def test_the_table_has_all_bodies_that_there_are() -> None:
    files = (model.PAYLOADS / "hostile_case.py", odd_model.FOLDER / "odd_case.py")
    assert sorted(each.name for each in BODIES) == sorted(
        f"{file.stem}.{name}" for file in files for name in methods_in(file)
    )


def methods_in(file: Path) -> Iterator[str]:
    for cls in ast.parse(file.read_text()).body:
        for each in cls.body if isinstance(cls, ast.ClassDef) else ():
            name = getattr(each, "name", "")
            if isinstance(cls, ast.ClassDef) and name.startswith("test_"):
                yield f"{cls.name}.{name}"


def test_each_kind_has_sixty_odd_tests_and_more() -> None:
    bodies = [each for kind in KINDS for each in modelled(kind, BODIES, 1.0)]
    programs = (*model.PROGRAMS, *odd_model.PROGRAMS)
    others = (*programs, *odd_model.PYTEST, *odd_model.ROBOT, *odd_golang.GO)
    names = {(each.kind, each.name) for each in (*bodies, *IDLE, *others)}
    names |= {("sysinfo", each.text) for each in (*odd_survey.COMMANDS, *odd_survey.FILES)}
    counts = Counter(kind for kind, _ in names)
    kinds = (*KINDS, *odd_kind.IDLE, "pytest", "golang", "sysinfo")
    assert {kind: counts[kind] for kind in kinds if counts[kind] < 60} == {}
