"""Samples for tests of result plugins: every result, every cause, and text that breaks things.

Not responsible for what a plugin makes of them (``nrunner.testing.result_contract``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from nrunner.phase import Phase
from nrunner.result import Cause, Result
from nrunner.results.base import AttemptReport, JobReport, TaskReport

__all__ = ["HOSTILE_TEXTS", "sample_attempt", "sample_job", "sample_report", "sample_reports"]

START = 1_795_342_500.25

HOSTILE_TEXTS: tuple[str, ...] = (
    "",
    " ",
    "line\nfeed\r\nand return\rand \x85 \u2028 \u2029",
    "nul\0inside",
    "".join(map(chr, range(32))) + "\x7f\x80\x9f",
    "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "lone \ud800 and \udfff and \udcff",
    "\u202eright to left\u202c \u05d0\u05d1 \u0627",
    "wide \u65e5\u672c\u8a9e \U0001f600 e\u0301 \ufeff \ufffe \uffff",
    "# SKIP # TODO \\# \\",
    "ok 1 - not really\nnot ok 2\n1..9\nBail out! now\n  ---\n  ...\n",
    '"quotes" \'single\' <tag attr="&amp;"> ]]> {json: [1, \']} ---',
    "[bold]markup[/bold] :smile: %s {0} $HOME `id`",
    "../../../etc/passwd/..",
    "true",
    "x" * 10_000,
)
"""Texts that any name, reason or output may hold."""

_FINISHED = (
    (Phase.REQUESTED, 0.0),
    (Phase.TRIAGING, 0.001),
    (Phase.READY, 0.002),
    (Phase.STARTING, 0.003),
    (Phase.STARTED, 0.004),
    (Phase.FINISHED, 0.260),
)
_DISCARDED = ((Phase.REQUESTED, 0.0), (Phase.TRIAGING, 0.001), (Phase.DISCARDED, 0.002))


def sample_attempt(number: int = 1) -> AttemptReport:
    """Return one attempt that failed and left a process behind."""
    return AttemptReport(
        number=number,
        environment="process-1",
        result=Result.FAIL,
        cause=Cause.TEST,
        detail="exit status 1",
        time_start=START,
        time_end=START + 0.256,
        elapsed=0.256,
        returncode=1,
        layer="subreaper",
        leaks=({"pid": 4321, "command": "sleep 1000", "age": 0.2},),
    )


def sample_report(number: int = 1, name: str = "tests.py:Test.test_1") -> TaskReport:
    """Return a task that passed; change it with ``dataclasses.replace``."""
    return TaskReport(
        number=number,
        id=f"{number}-{name}",
        reference="tests.py",
        suite="",
        kind="python-unittest",
        uri="tests.py:Test.test_1",
        variant=None,
        tags={"slow": None, "net": ["virtio", "e1000"]},
        result=Result.PASS,
        cause=Cause.TEST,
        detail="",
        attempts=(replace(sample_attempt(), result=Result.PASS, detail="", returncode=0),),
        phases=_FINISHED,
        time_start=START,
        time_end=START + 0.256,
        elapsed=0.256,
        environment="process-1",
        returncode=0,
        class_name="Test",
        log_dir=f"test-results/{number}-tests.py_Test.test_1",
        outputs={"stdout": "stdout", "debug.log": "debug.log"},
    )


def sample_reports() -> list[TaskReport]:
    """Return tasks with every result under every cause, and hostile text in every field."""
    reports: list[TaskReport] = []
    for result in Result:
        for cause in Cause:
            reports.append(_ended(len(reports) + 1, result, cause))
    for text in HOSTILE_TEXTS:
        for result in Result:
            reports.append(_hostile(len(reports) + 1, result, text))
    return reports


def _ended(number: int, result: Result, cause: Cause) -> TaskReport:
    report = sample_report(number)
    detail = "" if result is Result.PASS else f"{cause.value}: because of that"
    changed = replace(report, result=result, cause=cause, detail=detail)
    if cause in (Cause.REQUIREMENT, Cause.UNSUITABLE, Cause.MALFORMED):
        return replace(
            changed,
            attempts=(),
            phases=_DISCARDED,
            elapsed=0.0,
            environment="",
            returncode=None,
            class_name=None,
            log_dir=None,
            outputs={},
        )
    if result is Result.FAIL:
        tries = (sample_attempt(1), replace(sample_attempt(2), time_start=None))
        return replace(changed, attempts=tries, traceback="Traceback:\n  File x\nOops\n")
    return changed


def _hostile(number: int, result: Result, text: str) -> TaskReport:
    """Put `text` wherever a string may stand."""
    report = sample_report(number)
    taken = {"number", "id", "result", "cause", "tags", "attempts", "phases", "outputs"}
    taken |= {"requirements"}
    texts: dict[str, Any] = {
        field.name: text
        for field in fields(report)
        if field.name not in taken and "str" in str(field.type)
    }
    attempt = replace(
        sample_attempt(),
        detail=text,
        environment=text,
        layer=text,
        returncode=-(2**70),
        leaks=({"pid": 2**70, "command": text, text: None},),
    )
    return replace(
        report,
        id=f"{number}-{text}",
        result=result,
        tags={text: [text], "plain": None},
        attempts=(attempt,),
        outputs={"stdout": text, "stderr": text, text: text},
        requirements=(text,),
        elapsed=float("nan"),
        returncode=2**70,
        **texts,
    )


def sample_job(reports: Iterable[TaskReport] = (), folder: Path | None = None) -> JobReport:
    """Return the job that `reports` belong to, with its counts."""
    tally = dict.fromkeys(Result, 0)
    causes = dict.fromkeys(Cause, 0)
    for report in reports:
        tally[report.result] += 1
        causes[report.cause] += 1
    return JobReport(
        id="f59bd40b8ac905864c4558dc02b6177d4f422ca3",
        folder=folder or Path("/results/job-2026-11-22T10.15-f59bd40"),
        command=("nrunner", "run", "tests.py"),
        total=sum(tally.values()),
        time_start=START,
        elapsed=900.19,
        tally=tally,
        causes=causes,
        exit_code=1 if tally[Result.FAIL] else 0,
        facts={"shuffle_seed": 42, "refused_messages": 0},
        loop_lag_max=0.012,
    )
