"""What others may import: pinned for the package itself, declared in every module."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import nrunner

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "nrunner": "nrunner",
    "spawners": "nrunner.spawners",
    "runners": "nrunner.runners",
    "resolver": "nrunner.resolver",
}


def modules() -> list[str]:
    """Return the names of all public modules that define or hand on something."""
    found = []
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            name = ".".join([package, *(part for part in parts if part != "__init__")])
            private = any(part.startswith("_") for part in name.split("."))
            if not private and _has_code(path):
                found.append(name)
    return found


def _has_code(path: Path) -> bool:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(not isinstance(node, ast.Expr) for node in body)


def test_the_package_offers_these_names():
    assert sorted(nrunner.__all__) == [
        "Cause",
        "ExitCode",
        "Job",
        "JobResult",
        "NrunnerError",
        "Phase",
        "Requirement",
        "Result",
        "Runnable",
        "Suite",
        "Task",
        "Verdict",
        "__version__",
    ]


def test_every_name_the_package_offers_is_there():
    assert [name for name in nrunner.__all__ if not hasattr(nrunner, name)] == []


def test_a_name_that_the_package_does_not_offer_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Scheduler'"):
        nrunner.Scheduler  # noqa: B018  (the access is the test)


@pytest.mark.parametrize("name", modules())
def test_a_public_module_declares_its_names_and_has_them(name):
    module = importlib.import_module(name)
    declared = getattr(module, "__all__", None)
    assert declared is not None, f"{name} has no __all__"
    assert [each for each in declared if not hasattr(module, each)] == []
