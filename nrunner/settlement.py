"""Which verdict an attempt gets, and whether another attempt may follow: pure functions.

The cause follows from where it went wrong (before or after user code ran), never from matching
text. Not responsible for carrying a retry out; that is ``nrunner.machine``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nrunner.ending import Ending, Stop
from nrunner.result import Cause, Result, Verdict
from nrunner.task import Task

__all__ = ["LeakPolicy", "Retry", "combine", "judge", "never_started", "retry_after"]


class LeakPolicy(enum.Enum):
    """What a process that outlived its test does to the verdict."""

    IGNORE = "ignore"
    WARN = "warn"
    FAIL = "fail"


class Retry(enum.Enum):
    """Where another attempt may be made."""

    NO = "no"
    HERE = "here"
    ELSEWHERE = "elsewhere"


_PASSED = Verdict(Result.PASS, Cause.TEST)
"""One for all: a job keeps the verdicts of its tasks, and most of them pass."""


def judge(ending: Ending, ordered: Verdict | None, leak: LeakPolicy) -> Verdict:
    """Return the verdict on an attempt whose payload was started.

    `ordered` is the verdict that whoever ordered the stop (a person, the job's limit) gave.
    """
    if ending.trouble:
        return Verdict(Result.ERROR, Cause.INFRA, ending.trouble)
    if ending.stop is not None:
        return _stopped(ending, ordered)
    if ending.malformed:
        return Verdict(Result.ERROR, Cause.MALFORMED, ending.fail_reason or "cannot be run")
    if ending.result is None or ending.contract:
        reason = ending.fail_reason or "it ended without a result"
        return Verdict(Result.ERROR, Cause.CONTRACT, reason)
    left = ending.leaks or ending.unkillable
    if ending.result is Result.PASS and not ending.fail_reason and not left:
        return _PASSED
    verdict = Verdict(ending.result, Cause.TEST, ending.fail_reason or "")
    return _with_unkillable(_with_leaks(verdict, ending, leak), ending)


def _stopped(ending: Ending, ordered: Verdict | None) -> Verdict:
    if ending.stop in (Stop.TIMEOUT, Stop.SILENCE):
        verdict = Verdict(Result.INTERRUPT, Cause.TIMEOUT, ending.stop_detail)
    elif ending.stop is Stop.ORPHANED:
        verdict = Verdict(Result.ERROR, Cause.INFRA, ending.stop_detail)
    else:
        verdict = ordered or Verdict(Result.INTERRUPT, Cause.CANCELLED, ending.stop_detail)
    return _with_unkillable(verdict, ending)


def _with_unkillable(verdict: Verdict, ending: Ending) -> Verdict:
    if not ending.unkillable:
        return verdict
    rest = f"{_processes(ending.unkillable, _where)} cannot be killed"
    detail = f"{verdict.detail}; {rest}" if verdict.detail else rest
    return Verdict(verdict.result, verdict.cause, detail)


def _with_leaks(verdict: Verdict, ending: Ending, policy: LeakPolicy) -> Verdict:
    if not ending.leaks or policy is LeakPolicy.IGNORE or verdict.result is not Result.PASS:
        return verdict
    result = Result.WARN if policy is LeakPolicy.WARN else Result.FAIL
    return Verdict(result, verdict.cause, f"left {_processes(ending.leaks, _age)} behind")


def _processes(
    processes: Sequence[Mapping[str, Any]], more: Callable[[Mapping[str, Any]], str]
) -> str:
    named = "; ".join(
        f"{each.get('pid')} {each.get('command', '')}".strip() + more(each)
        for each in processes[:3]
    )
    rest = f" and {len(processes) - 3} more" if len(processes) > 3 else ""
    noun = "process" if len(processes) == 1 else "processes"
    return f"{len(processes)} {noun} ({named}{rest})"


def _age(process: Mapping[str, Any]) -> str:
    age = process.get("age")
    return f", {age:.1f} s old" if isinstance(age, (int, float)) else ""


def _where(process: Mapping[str, Any]) -> str:
    where = process.get("wait_channel")
    return f", waits in {where}" if where else ""


def never_started(ordered: Verdict) -> Verdict:
    """Return the verdict on a task that was told to end while it waited for its turn."""
    return Verdict(Result.CANCEL, Cause.CANCELLED, ordered.detail)


_MOST_INFRA = 3


def retry_after(task: Task, verdicts: Sequence[Verdict], *, ran: bool) -> Retry:
    """Say whether another attempt may follow the last of `verdicts`.

    `ran` tells whether user code may have run in that attempt.
    """
    last = verdicts[-1]
    alike = sum(1 for each in verdicts if each.cause is last.cause)
    if last.result.is_ok and last.cause is Cause.TEST:
        return Retry.NO
    if last.cause in _OWN:
        own = sum(1 for each in verdicts if each.cause in _OWN)
        return Retry.HERE if own <= task.retries else Retry.NO
    if last.cause is Cause.INFRA:
        if alike >= _MOST_INFRA:
            return Retry.NO
        return Retry.ELSEWHERE if ran else Retry.HERE
    if last.cause is Cause.UNSUITABLE or (last.cause is Cause.REQUIREMENT and alike == 1):
        return Retry.ELSEWHERE
    if last.cause is Cause.LOST and task.idempotent and alike == 1:
        return Retry.HERE
    return Retry.NO


def combine(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the one verdict on a task from those on its attempts.

    A failure, once recorded, is never replaced by anything that counts as fine, nor by trouble
    that is not the test's: a task that failed by itself and then passed is a WARN that says so.
    Trouble with the infrastructure is no failure of the test, but it hides behind nothing else
    than the test's own word.
    """
    last = verdicts[-1]
    failed = [each for each in verdicts if not each.result.is_ok]
    own = [each for each in failed if each.cause not in _NOT_THE_TEST]
    if last.cause is Cause.TEST and last.result.is_ok:
        if not own:
            return last
        if last.result in (Result.PASS, Result.WARN):
            return _flaky(own[0], last, len(verdicts))
    return (own or failed or [last])[-1]


def _flaky(failure: Verdict, last: Verdict, attempt: int) -> Verdict:
    passed = f"flaky: {failure.result.value} before it passed on attempt {attempt}"
    detail = f"{passed}: {failure.detail}" if failure.detail else passed
    return Verdict(Result.WARN, Cause.TEST, f"{detail}; {last.detail}" if last.detail else detail)


_OWN = frozenset({Cause.TEST, Cause.CONTRACT, Cause.TIMEOUT})
_NOT_THE_TEST = frozenset(
    {Cause.INFRA, Cause.UNSUITABLE, Cause.REQUIREMENT, Cause.LOST, Cause.CANCELLED}
)
