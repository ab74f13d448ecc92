"""Whether a Python file is one of tests for pytest, by what it holds and where it is.

Reads files, and runs nothing. Not responsible for which tests there are; pytest is asked for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from nrunner.resolver.base import Context
from nrunner.resolver.reference import is_file

__all__ = ["has_cases", "has_usual_name", "is_for_pytest", "is_in_pytest_folder"]

_USUAL = re.compile(r"(?:.*/)?(?:test_[^/]*|[^/]*_test)\.py")
_TEST = re.compile(rb"^[ \t]*(?:async[ \t]+)?def[ \t]+test", re.MULTILINE)
_PYTEST = re.compile(
    rb"^[ \t]*(?:from[ \t]+pytest\b|import[ \t][\w., \t]*\bpytest\b)", re.MULTILINE
)
_PLAIN = re.compile(rb"^(?:(?:async[ \t]+)?def[ \t]+test|class[ \t]+Test)", re.MULTILINE)
_CONFTEST = "conftest.py"


def has_usual_name(file: str) -> bool:
    """Say whether pytest, if nobody tells it otherwise, looks for tests in a file of this name."""
    return _USUAL.fullmatch(file) is not None


def is_for_pytest(file: str, context: Context) -> bool:
    """Say whether a file of tests is one for pytest, rather than for unittest alone.

    It is if it has tests, or the name of a file of tests, and imports pytest; if it has test
    functions or classes and no test case of unittest; and, where its name is that of tests, if
    there is a conftest for it.
    """
    base_dir = context.base_dir
    try:
        text = (base_dir / file).read_bytes()
    except OSError:
        return False
    is_usual = has_usual_name(file)
    if not _TEST.search(text):
        return is_usual and _PYTEST.search(text) is not None  # its tests may come from elsewhere
    if _PYTEST.search(text) or (is_usual and is_in_pytest_folder(file, base_dir)):
        return True
    return _PLAIN.search(text) is not None and not has_cases(file, context)


def is_in_pytest_folder(file: str, base_dir: Path) -> bool:
    """Say whether a conftest is beside a file or above, up to where nrunner was started."""
    return any(is_file(base_dir, f"{folder}/{_CONFTEST}") for folder in _folders(file, base_dir))


def _folders(file: str, base_dir: Path) -> Iterator[str]:
    folder = (base_dir / file).parent
    yield str(folder)
    while folder != base_dir and base_dir in folder.parents:
        folder = folder.parent
        yield str(folder)


def has_cases(file: str, context: Context) -> bool:
    """Say whether a file has, or may have, test cases of unittest."""
    from nrunner.resolver.python_place import place_of_file, tree_of
    from nrunner.resolver.python_source import SourceError
    from nrunner.resolver.python_survey import survey

    place = place_of_file(file, context.base_dir)
    tree = tree_of(place, context)
    try:
        reading = survey(tree, tree.read(place.module, place.path))
    except (SourceError, RecursionError):
        return b"unittest" in place.path.read_bytes()
    return bool(reading.tests or reading.doubts or reading.has_load_tests)
