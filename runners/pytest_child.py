"""Runs pytest in the interpreter of the user's choice, and reports what became of a test.

It leaves no trace of nrunner in ``sys.modules`` and ``sys.path``: tests see what ``python -m
pytest`` would show them. Not responsible for processes, timeouts and output files, nor for how
pytest is used (``nrunner.runners.pytest_session``).
Portable: runs on Python 3.7 with pytest 7; without pytest it says so.
"""

from __future__ import annotations

import difflib
import io
import json
import os
import sys

from nrunner.runners.unittest_child import begin, outcome_of_error, report, vanish
from nrunner.runners.unittest_result import Stream, reason_of

try:
    from nrunner.runners.pytest_result import (
        failure_of,
        single_outcome,
        text_of,
        whole_outcome,
    )
    from nrunner.runners.pytest_session import PytestSession, names_of

    LACKING = ""
except ImportError as error:
    LACKING = f"{sys.executable} has no pytest that can be used: {reason_of(error)}"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Union

    Loaded = Union[tuple[PytestSession, Sequence[Any]], dict[str, Any]]
    """A session and the items to run in it, or the outcome that there is already."""

__all__ = [
    "LACKING",
    "chosen",
    "conclude",
    "ended",
    "load",
    "main",
    "outcome_of_trouble",
    "show_failures",
    "speak_as_pytest",
    "told",
    "vanish",
]


def main(argv: list[str]) -> int:
    """Run what the JSON argument describes and write the report; return the exit status."""
    speak_as_pytest()
    spec = begin(argv[0])
    return conclude(spec, load(spec))


def speak_as_pytest() -> None:
    """Have tests print whatever they can print where pytest captures it, in any locale.

    To be done before files of a test take the place of ours: a stream remembers whether it can
    seek.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")


def load(spec: Mapping[str, Any]) -> Loaded:
    """Have pytest collect the file of a test; return what to run there, or how it ended."""
    if LACKING:
        return {"result": "error", "fail_reason": LACKING}
    file = spec["uri"].partition("::")[0]
    path = os.path.join(spec["base_dir"], file)
    if not os.path.exists(path):
        return {"result": "error", "fail_reason": f"no such file: {path}", "malformed": True}
    words = [*spec.get("args", ())]
    for key, option in (("inifile", "-c"), ("rootdir", "--rootdir")):
        if spec.get(key):
            words += [option, spec[key]]
    try:
        session = PytestSession(spec["base_dir"], [*words, file])
    except BaseException as error:
        return outcome_of_trouble(error)
    return chosen(session, spec["uri"])


def chosen(session: PytestSession, uri: str) -> Loaded:
    """Return the items that a uri means, or the outcome if it means none."""
    names = uri.partition("::")[2]
    items = session.find(names)
    return (session, items) if items else _none(session, names)


def _none(session: PytestSession, names: str) -> dict[str, Any]:
    """Return the outcome where there is no such item: whatever kept it from being collected."""
    recorder = session.recorder
    failed = [each for each in recorder.collected if each.failed]
    if failed:
        show_failures(failed)
        told = "; ".join(failure_of(recorder, each) for each in failed)
        text = "\n".join(each.longreprtext for each in failed)
        return {"result": "error", "fail_reason": told, "traceback": text[: 32 * 1024]}
    if recorder.collected:
        reasons = [str(each.longrepr[2]) for each in recorder.collected]
        return {"result": "skip", "fail_reason": "; ".join(reasons).replace("Skipped: ", "", 1)}
    if recorder.deselected:
        reason = "pytest's options deselect it"
    elif not session.items:
        reason = "pytest finds no tests in it"
    else:
        reason = f'there is no test "{names}"'
        close = difflib.get_close_matches(names, [names_of(each) for each in session.items], n=1)
        if close:
            reason += f'; did you mean "{close[0]}"?'
    return {"result": "error", "fail_reason": reason, "malformed": True}


def conclude(spec: Mapping[str, Any], loaded: Loaded) -> int:
    """Run what was loaded and write the report; return the exit status."""
    pid = os.getpid()
    outcome = loaded if isinstance(loaded, dict) else _run(spec, *loaded)
    return report(spec, outcome, pid)


def _run(spec: Mapping[str, Any], session: PytestSession, items: Sequence[Any]) -> dict[str, Any]:
    try:
        session.run(items)
    except BaseException as error:
        return ended(session, outcome_of_trouble(error))
    return ended(session, told(spec["uri"], session, items))


def told(uri: str, session: PytestSession, items: Sequence[Any]) -> dict[str, Any]:
    """Print what failed of the items that ran, and return the outcome of them together."""
    recorder = session.recorder
    show_failures([each for each in recorder.reports if each.failed])
    if len(items) == 1 and "::" in uri:
        cls = getattr(items[0], "cls", None)
        return single_outcome(recorder, cls.__qualname__ if cls is not None else "")
    missed = len(items) - len({each.nodeid for each in recorder.reports})
    outcome = whole_outcome(recorder, missed)
    if missed and session.stopped:
        outcome["fail_reason"] += f"; not run: {session.stopped}"
    return outcome


def ended(session: PytestSession, outcome: dict[str, Any]) -> dict[str, Any]:
    """End the session of a test that had this outcome; return what it is then."""
    bad = outcome["result"] in ("fail", "error")
    try:
        session.close(1 if bad else 0)
    except BaseException as error:
        trouble = outcome_of_trouble(error)
        trouble["fail_reason"] = f"at the end of the session: {trouble['fail_reason']}"
        if not bad:
            return trouble
        outcome["fail_reason"] = f"{outcome['fail_reason']}; {trouble['fail_reason']}"
    return outcome


def outcome_of_trouble(error: BaseException) -> dict[str, Any]:
    """Return how a test ended where pytest itself gave up."""
    name = type(error).__name__
    if name == "UsageError":
        told = " ".join(str(each).strip() for each in error.args)
        if told.startswith("usage: "):
            # What is wrong stands in argparse's second line, and one is all that many see.
            told = told.partition(": error: ")[2] or told
        return {"result": "error", "fail_reason": f"pytest: {told}", "malformed": True}
    if name == "Exit":
        return {"result": "error", "fail_reason": f"pytest.exit: {error}"}
    if name == "Skipped":
        return {"result": "skip", "fail_reason": str(error)}
    if name == "ConftestImportFailure":
        path, inner = _conftest(error)
        outcome = outcome_of_error(inner, Stream())
        return {**outcome, "fail_reason": f"{path}: {reason_of(inner)}"}
    return outcome_of_error(error, Stream())


def _conftest(error: Any) -> tuple[str, BaseException]:
    """Return which conftest could not be imported, and why; old pytests say it otherwise."""
    cause = getattr(error, "cause", None)
    if cause is None:
        cause = error.excinfo[1]
    return os.path.relpath(str(error.path)), cause


def show_failures(reports: Sequence[Any]) -> None:
    """Print what pytest says of what failed."""
    stream = Stream()
    for each in reports:
        try:
            stream.write(text_of(each))
        except Exception as error:
            stream.write(f"(what failed cannot be shown: {json.dumps(reason_of(error))})\n")
