"""Has pytest collect files and folders, and tells which tests there are.

Started with the path of a question in JSON: ``base_dir``, the ``paths``, and where the ``answer``
goes, since standard output belongs to whatever is imported. The answer is an ``error``
(``lacking`` if it is that there is no pytest), or ``files``: by the absolute path of each file
that pytest had something to say of, its ``tests`` (address within the file, tags, docstrings that
hold directives), how many are ``deselected``, a ``skip`` or an ``error``; folders have errors,
too. Used inside the interpreter of the user's choice. Not responsible for its own time limit, nor
for whose a file is.
Portable: runs on Python 3.7 with pytest 7; without pytest it says so.
"""

from __future__ import annotations

import json
import os

from nrunner.runners.pytest_child import LACKING, outcome_of_trouble, vanish

if not LACKING:
    from nrunner.runners.pytest_result import failure_of
    from nrunner.runners.pytest_session import PytestSession, names_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

__all__ = ["main"]

_MARKERS = (":avocado:", ":nrunner:")
_NO_TAGS = frozenset({"filterwarnings", "parametrize", "skip", "skipif", "usefixtures", "xfail"})
"""Marks that tell pytest what to do, and nobody what a test is."""
_CONFIGURATION = (
    *("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "pyproject.toml", "tox.ini"),
    *("setup.cfg", "setup.py"),
)
"""Names by which pytest may find another configuration, or root, from a file further down."""


def main(argv: list[str]) -> int:
    """Write the answer, and leave whatever else is running."""
    with open(argv[0], encoding="ascii") as question:
        spec = json.load(question)
    vanish()
    pid = os.getpid()
    answer = _answer(spec)
    if os.getpid() == pid:
        with open(spec["answer"] + ".new", "w", encoding="ascii") as file:
            json.dump(answer, file)
        os.replace(spec["answer"] + ".new", spec["answer"])
    os._exit(0)  # threads that modules have started need not end


def _answer(spec: Mapping[str, Any]) -> dict[str, Any]:
    if LACKING:
        return {"error": LACKING, "lacking": True}
    try:
        session = PytestSession(spec["base_dir"], spec["paths"])
        files = _files(session)
    except BaseException as error:  # whatever a conftest does when it is imported
        return {"error": outcome_of_trouble(error).get("fail_reason", type(error).__name__)}
    try:
        session.close(0)
    except BaseException:  # the tests will say so
        return {"files": files}
    return {"files": files}


def _files(session: PytestSession) -> dict[str, dict[str, Any]]:
    files: dict[str, dict[str, Any]] = {}
    known: dict[str, dict[str, str]] = {}
    for item in session.items:
        path = str(item.path)
        if path not in files:
            folder = os.path.dirname(path)
            if folder not in known:
                known[folder] = _configuration(session.config, folder)
            files[path] = {"tests": [], **known[folder]}
        files[path]["tests"].append(_told(item))
    for item in session.recorder.deselected:
        told = files.setdefault(str(item.path), {"tests": []})
        told["deselected"] = told.get("deselected", 0) + 1
    for report in session.recorder.collected:
        place = report.nodeid.partition("::")[0]
        path = os.path.normpath(os.path.join(str(session.config.rootpath), place))
        told = files.setdefault(path, {"tests": []})
        if report.failed:
            reason = failure_of(session.recorder, report)
            told["error"] = f"{told['error']}; {reason}" if "error" in told else reason
        elif "::" not in report.nodeid:
            told["skip"] = str(report.longrepr[2])
    return files


def _told(item: Any) -> dict[str, Any]:
    tags = sorted({mark.name for mark in item.iter_markers()} - _NO_TAGS)
    texts = [list(each) for each in _texts(item)]
    told: dict[str, Any] = {"names": names_of(item)}
    return {**told, **({"tags": tags} if tags else {}), **({"texts": texts} if texts else {})}


def _texts(item: Any) -> Iterator[tuple[str, str]]:
    """Yield docstrings with directives in them, and the files in which they stand."""
    for thing in (getattr(item, "cls", None), getattr(item, "function", None)):
        text = vars(thing).get("__doc__") if isinstance(thing, type) else _text(thing)
        if isinstance(text, str) and any(each in text for each in _MARKERS):
            code = getattr(thing, "__code__", None)
            yield text, code.co_filename if code is not None else str(item.path)


def _text(thing: Any) -> Any:
    return getattr(thing, "__doc__", None)


def _configuration(config: Any, folder: str) -> dict[str, str]:
    """Say what to call pytest with for a file alone; empty if it finds the same by itself."""
    root, ini = str(config.rootpath), config.inipath
    top = os.path.dirname(str(ini)) if ini is not None else root
    while folder.startswith(top + os.sep):
        if any(os.path.exists(os.path.join(folder, name)) for name in _CONFIGURATION):
            found = {"rootdir": root}
            if ini is not None:
                found["inifile"] = str(ini)
            return found
        folder = os.path.dirname(folder)
    return {}
