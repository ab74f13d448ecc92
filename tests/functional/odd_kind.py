"""What an odd body must come to as a test of each kind.

That is a function of how the body ends (``odd_body``), one for each kind. Not responsible for
holding runs against it (``model``).
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.functional.model import Content, Expected, killed_late, says
from tests.functional.odd_body import (
    AVOCADO,
    PROGRAM,
    ROBOT,
    TAP,
    UNITTEST,
    Belies,
    Body,
    Dies,
    End,
    Hangs,
    Leaks,
    Raises,
    RaisesMute,
    Returns,
    Upsets,
)

__all__ = ["GRACE", "IDLE", "KINDS", "idle", "modelled", "suite"]

GRACE = 1.0
"""Seconds in jobs of Avocado's: its runner is given up after one of them, or after twelve."""

_NO_LINE = "not proper TAP: 1 tests planned, 0 run"
_STOPPED = "stopped from within, as by a user: SystemExit or KeyboardInterrupt"
_NO_WORDS = says(b"ValueError: no words")
_TRACEBACK = says(b"Traceback")


@dataclass(frozen=True)
class Verdict:
    """What is to be reported of a test: all but its name."""

    status: str
    detail: str = ""
    returncode: int = 0
    outputs: Mapping[str, Content] = field(default_factory=dict)
    cause: str = "test"
    leaks: str = ""
    least: float = 0.0
    """Seconds that it takes at least."""


def _how(status: int) -> str:
    """Return the regular expression for what is said of a process that ended so."""
    if status >= 0:
        return f"exited with status {status}"
    return rf"killed by signal {-status} \({signal.Signals(-status).name}\)(, core dumped)?"


def _written(**outputs: Content) -> dict[str, Content]:
    """Return those that are not empty."""
    return {name: each for name, each in outputs.items() if each != b""}


def _leaky(end: Leaks, outputs: Mapping[str, Content]) -> Verdict:
    detail = rf"left 1 process \(\d+ {end.command}, \d+\.\d s old\) behind"
    return Verdict("WARN", detail, outputs=outputs, leaks=end.command)


def _as_program(end: End) -> Verdict:
    """A program of Python that thinks of nothing but the body."""
    outputs = _written(stdout=end.out + end.late, stderr=end.err)
    match end:
        case Returns() | Dies(status=0):
            return Verdict("PASS", outputs=outputs)
        case Leaks():
            return _leaky(end, outputs)
        case Raises(status=0):
            return Verdict("PASS")
        case Raises(status=status):
            return Verdict("FAIL", _how(status), status, {"stderr": end.err or _TRACEBACK})
        case RaisesMute():
            said = says(f"{end.error}: <exception str() failed>".encode())
            return Verdict("FAIL", _how(1), 1, {"stderr": said})
        case Dies(status=status) | Belies(status=status):
            return Verdict("FAIL", _how(status), status, outputs)
    raise AssertionError(end)


def _as_tap(end: End) -> Verdict:
    """A producer that says what an Exception says, and dies of all that is none."""
    outputs = _written(stdout=b"1..1\n" + end.out + b"ok 1\n" + end.late, stderr=end.err)
    match end:
        case Returns() if end.out[-1:] not in (b"", b"\n"):
            return Verdict("ERROR", _NO_LINE, outputs=outputs)  # its line is none
        case Returns():
            return Verdict("PASS", outputs=outputs)
        case Leaks():
            return _leaky(end, outputs)
        case Belies(status=status):
            return Verdict("FAIL", _how(status), status, outputs)
        case Upsets():
            return Verdict(end.status, end.detail, outputs={"stdout": says(b"ok 1")})
        case Raises(is_base=False):
            failed = rf"1 of 1 tests failed: 1 \({end.short}: ?{end.text}\)"
            line = says(f"1..1\nnot ok 1 - {end.short}: ".encode())
            return Verdict("FAIL", failed, outputs={"stdout": line})
    return _as_interrupted_tap(end)


def _as_interrupted_tap(end: End) -> Verdict:
    """A producer that does not come to the line of its test."""
    match end:
        case RaisesMute():
            status, err = 1, _NO_WORDS
        case Raises(status=status):
            err = end.err or (_TRACEBACK if status else b"")
        case Dies(status=status):
            err = end.err
        case _:
            raise AssertionError(end)
    detail = f"{_NO_LINE}; {_how(status)}" if status else _NO_LINE
    return Verdict("ERROR", detail, status, _written(stdout=b"1..1\n" + end.out, stderr=err))


def _as_unittest(end: End) -> Verdict:
    """A test of unittest, in a fork that reports how it went."""
    match end:
        case Raises():
            detail = f"{end.error}: {end.text}" if end.text else end.error
            status = "FAIL" if end.is_failure else "ERROR"
            return Verdict(status, detail, 1, {"stdout": _TRACEBACK})
        case RaisesMute():
            detail = rf"{end.error}: \(its text cannot be read\)"
            return Verdict("ERROR", detail, 1, {"stdout": _TRACEBACK})
    return _as_reported(end, _written(stdout=end.out + end.late, stderr=end.err))


def _as_keyword(end: End) -> Verdict:
    """A test of Robot Framework, with a keyword that runs the body."""
    # Robot's output.xml is in the folder for output, whatever became of the test.
    outputs = {"output": 1, **_written(stdout=end.out + end.late, stderr=end.err)}
    failed = {**outputs, "stdout": says(b" | FAIL |\n")}
    match end:
        case Upsets():
            return Verdict(end.status, end.detail, 1, outputs)
        case Raises(error="SystemExit" | "KeyboardInterrupt"):
            said = says(b"Execution stopped by user")
            return Verdict("ERROR", _STOPPED, 1, {"output": 1, "stderr": said})
        case Raises():
            words = [end.text] if end.is_failure else [end.short, end.text]
            return Verdict("FAIL", ": ".join(filter(None, words)), 1, failed)
        case RaisesMute():
            return Verdict("FAIL", "ValueError: no words", 1, failed)
    return _as_reported(end, outputs)


def _as_reported(end: End, outputs: Mapping[str, Content]) -> Verdict:
    """What leaves a report before its process ends, or should."""
    match end:
        case Returns():
            return Verdict("PASS", outputs=outputs)
        case Leaks():
            return _leaky(end, outputs)
        case Belies(status=status):
            detail = f"reported PASS, then {_how(status)}"
            return Verdict("ERROR", detail, status, outputs, "contract")
        case Dies(status=status):
            detail = f"{_how(status)} without a report"
            return Verdict("ERROR", detail, status, outputs, "contract")
    raise AssertionError(end)


def _as_instrumented(end: End) -> Verdict:
    """A test of Avocado, whose runner gives it a thread, in a process of its own."""
    verdict = _without_logs(end)
    return replace(verdict, outputs={**verdict.outputs, **_LOGS})


_LOGS: Mapping[str, Content] = {
    "debug.log": says(b"START"),
    "runner.log": says(b"'started'"),
    "data": 0,
}
"""What Avocado's runner leaves of each test."""


def _without_logs(end: End) -> Verdict:
    outputs = _written(stdout=end.out, stderr=end.err)
    match end:
        case Returns():
            return Verdict("PASS", outputs=outputs)
        case Leaks():
            return _leaky(end, outputs)
        case Upsets():
            return Verdict(end.status, end.detail, outputs=outputs, cause=end.cause)
        case Raises(is_base=True):
            return Verdict("ERROR", rf"{end.short}\(.*\): {end.text}")
        case Raises():
            status = "FAIL" if end.is_failure else "ERROR"
            return Verdict(status, end.text or end.short, outputs=outputs)
        case RaisesMute():
            return Verdict("ERROR", "no words", outputs={"stderr": _NO_WORDS})
        case Dies(status=status):
            ended = f"{'was ' if status < 0 else ''}{_how(status)}"
            patience = GRACE if status else 12 * GRACE
            detail = rf"its process {ended}, and its runner said nothing more for {patience:g} s"
            evidence = {**outputs, "evidence.txt": says(ended.encode()[:20])}
            return Verdict("ERROR", detail, -9, evidence, "contract", least=patience)
    raise AssertionError(end)


# Tests


@dataclass(frozen=True)
class Kind:
    """How a body becomes a test of a kind."""

    judge: Callable[[End], Verdict]
    recipe: Callable[[str], Mapping[str, Any]]
    """What an ``Expected`` says of how it is run, by the name of the body."""
    hanging: Callable[[Hangs], Mapping[str, Content]] = lambda end: {}
    """What it has written while it hangs."""


def _program(word: str, script: str) -> Callable[[str], Mapping[str, Any]]:
    return lambda name: {
        "name": f"{word} {name}",
        "uri": sys.executable,
        "args": (script, name),
    }


def _method(name: str) -> Mapping[str, Any]:
    module, _, inside = name.partition(".")
    return {"name": f"{module}.py:{inside}"}


KINDS: Mapping[str, Kind] = {
    UNITTEST: Kind(_as_unittest, _method),
    PROGRAM: Kind(_as_program, _program("program", "odd_program.py")),
    TAP: Kind(
        _as_tap,
        _program("producer", "odd_tap.py"),
        lambda end: {"stdout": b"1..1\nok 1\n" if end.is_over else b"1..1\n"},
    ),
    ROBOT: Kind(
        _as_keyword, lambda name: {"name": f"bodies.robot:Bodies.{name}"}, lambda end: {"output": 1}
    ),
    AVOCADO: Kind(
        _as_instrumented,
        lambda name: {"name": f"odd_instrumented.py:Bodies.{name.replace('.', '_')}"},
        lambda end: _LOGS,
    ),
}
"""The kinds that run bodies."""


def modelled(kind: str, bodies: Sequence[Body], timeout: float) -> list[Expected]:
    """Return what bodies must come to as tests of a kind."""
    return [_modelled(kind, each, timeout) for each in bodies]


def _modelled(kind: str, body: Body, timeout: float) -> Expected:
    how, end = KINDS[kind], body.end_as(kind)
    recipe = {"kind": kind, **how.recipe(body.name)}
    if isinstance(end, Hangs):
        outputs = how.hanging(end)
        return killed_late(returncode=end.status, timeout=timeout, outputs=outputs, **recipe)
    found = dict(vars(how.judge(end)))
    takes = (max(end.least, found.pop("least")), timeout)
    return Expected(takes=takes, **recipe, **{**found, "detail": f"(?s){found['detail']}"})


IDLE = {"noop": ("PASS", ""), "dry-run": ("CANCEL", "Test cancelled due to --dry-run")}
"""Kinds of which nothing runs, with what comes of it."""


def idle(kind: str, bodies: Sequence[Body]) -> list[Expected]:
    """Return what comes of programs that run bodies where their kind says that nothing runs."""
    status, detail = IDLE[kind]
    recipe = _program(kind, "odd_program.py")
    return [
        Expected(status=status, detail=detail, returncode=None, kind=kind, **recipe(each.name))
        for each in bodies
    ]


def suite(bodies: Sequence[Body]) -> str:
    """Return a file of Robot Framework with a test for each body."""
    head = "*** Settings ***\nLibrary    odd_keywords.py\nTest Template    Run Body\n\n"
    tests = "".join(f"{each.name}    {each.name}\n" for each in bodies)
    return f"{head}*** Test Cases ***\n{tests}"
