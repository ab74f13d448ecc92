"""Asks unittest's own loader about a module, in a bounded child of the tests' interpreter.

Not responsible for what runs in that child: ``nrunner.resolver.python_loader_child``.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from nrunner.record import dataclass
from nrunner.resolver.base import Context
from nrunner.resolver.python_question import LoaderError, ask

__all__ = ["Loaded", "LoadedTest", "LoaderError", "is_own_python", "load", "search_path"]

_CHILD = Path(__file__).with_name("python_loader_child.py")


@dataclass(frozen=True, slots=True)
class LoadedTest:
    """One test that the loader found."""

    id: str
    name: str | None = None
    """``Class.method``; None if it cannot be found again by a name."""
    module: str | None = None
    """Dotted name of its module, if that is another one than was asked for."""
    file: str = ""
    texts: tuple[tuple[str, str], ...] = ()
    """Docstrings that hold directives, each with the path of its file."""
    avocado: bool = False
    """Whether it is one of Avocado's own tests, which take Avocado to run."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the loader made of a module."""

    tests: tuple[LoadedTest, ...] = ()
    skip: str | None = None
    """Why the module asked to be skipped as a whole."""


def load(
    context: Context,
    module: str,
    *,
    file: Path | None = None,
    top: Path | None = None,
    alone: bool = False,
    names: str = "",
) -> Loaded:
    """Return the tests of a module, or of a name in it; raise LoaderError."""
    spec: dict[str, Any] = {"base_dir": str(context.base_dir), "module": module, "names": names}
    if file is not None:
        spec.update(file=str(file), alone=alone)
    if top is not None:
        spec["top"] = str(top)
    answer = _ask(context, spec)
    if "error" in answer:
        raise LoaderError(str(answer["error"]))
    if "skip" in answer:
        return Loaded(skip=str(answer["skip"]))
    return Loaded(tuple(_test(each) for each in answer["tests"]))


def is_own_python(context: Context) -> bool:
    """Say whether the tests run in the interpreter that runs this."""
    found = shutil.which(context.python)
    if found is None:
        return False
    theirs, ours = Path(found), Path(sys.executable)
    same_folder = theirs.parent.resolve() == ours.parent.resolve()
    return same_folder and theirs.resolve() == ours.resolve()


def search_path(context: Context) -> list[str]:
    """Return ``sys.path`` of the tests' interpreter; raise LoaderError."""
    if is_own_python(context):
        return list(sys.path)
    return [str(each) for each in _ask(context, {"path": True})["path"]]


def _test(data: dict[str, Any]) -> LoadedTest:
    texts = tuple((str(text), str(file)) for text, file in data.get("texts", ()))
    name, module, file = data.get("name"), data.get("module"), data.get("file") or ""
    return LoadedTest(str(data["id"]), name, module, file, texts, data.get("avocado") is True)


def _ask(context: Context, spec: dict[str, Any]) -> dict[str, Any]:
    return ask([context.python, str(_CHILD)], spec, context)
