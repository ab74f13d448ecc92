"""tap: a program that prints the Test Anything Protocol.

The verdict over a file is that of ``prove``, but for one: a file whose tests are all skipped, one
by one, is skipped here and in Avocado, while prove calls it ok. Avocado differs in another: there a
producer that ends with a status other than 0 passes if its tests do; here, as with prove, it
fails. Output without any TAP has no result (None), which nrunner shows as ERROR.
Not responsible for the protocol itself; that is ``nrunner.runners.tap_parser``.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from typing import Optional, Union

from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners.base import Command, Exit, Outcome, Place, Runner
from nrunner.runners.payload import describe, program
from nrunner.runners.tap_parser import TapParser, TapSummary

__all__ = ["Tap", "verdict"]

_PIECE = 256 * 1024


class Tap(Runner):
    """Runs a program and reads what it printed as TAP."""

    kind = "tap"
    description = "programs that print the Test Anything Protocol"
    configuration_used = ("runner.exectest.clear_env",)
    reads_output = True

    def command(self, runnable: Runnable, place: Place) -> Union[Command, Outcome]:
        """Return the program with its arguments."""
        return program(runnable, place)

    def judge(
        self, runnable: Runnable, place: Place, end: Exit, report: Optional[Outcome]
    ) -> Outcome:
        """Read the file that got standard output, a piece at a time."""
        return verdict(_read(place.stdout), end)


def _read(path: str) -> TapSummary:
    parser = TapParser()
    try:
        with open(path, "rb", buffering=0) as file:
            for piece in iter(lambda: file.read(_PIECE), b""):
                parser.feed(piece)
    except FileNotFoundError:
        pass  # nothing was printed
    return parser.close()


def verdict(summary: TapSummary, end: Exit) -> Outcome:
    """Return the outcome of a producer that printed this and ended so."""
    result = _result(summary, end)
    reasons = [*_protocol(summary), *_tests(summary)]
    ending = describe(end)
    if ending is not None:
        reasons.append(ending)
    if result is Result.SKIP:
        reasons = [summary.skip_reason] if summary.skip_reason else []
    return Outcome(result, "; ".join(reasons) or None, end.returncode)


def _result(summary: TapSummary, end: Exit) -> Optional[Result]:
    if summary.bail_out is not None or summary.errors:
        return Result.ERROR
    if not summary.is_tap:
        return None
    if summary.failed or end.returncode:
        return Result.FAIL
    if summary.unexpected:
        return Result.WARN
    return Result.SKIP if summary.skipped == summary.ran else Result.PASS


def _protocol(summary: TapSummary) -> list[str]:
    reasons = []
    if summary.bail_out is not None:
        reasons.append(f"bailed out: {summary.bail_out}" if summary.bail_out else "bailed out")
    if summary.errors:
        more = f", and {summary.more_errors} more" if summary.more_errors else ""
        reasons.append(f"not proper TAP: {', '.join(summary.errors)}{more}")
    elif not summary.is_tap:
        reasons.append("no plan and no tests in the output")
    return reasons


def _tests(summary: TapSummary) -> list[str]:
    reasons = []
    if summary.failed:
        names = ", ".join(summary.failures)
        more = summary.failed - len(summary.failures)
        reasons.append(
            f"{summary.failed} of {summary.ran} tests failed: {names}"
            + (f" and {more} more" if more else "")
        )
    if summary.unexpected:
        reasons.append(f"passed though marked TODO: {', '.join(summary.unexpected)}")
    return reasons
