"""golang: a test of a Go package, run by ``go test``.

The uri is ``folder/x_test.go:TestName``, also with the names of tests within it
(``TestName/inner``); ``folder/x_test.go`` for all tests of a file, ``folder`` or an import path for
those of a package, or ``package:TestName``. args are further options for ``go test``, kwargs
variables. The result is that of ``go test``. Not responsible for building: go does.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

from nrunner.errors import RunnerError
from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners.base import Command, Exit, Outcome, Place, Runner
from nrunner.runners.go_output import GoSummary, Names, read_go_output
from nrunner.runners.go_program import kept_program
from nrunner.runners.go_source import names_in
from nrunner.runners.payload import describe, environment, words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Union

__all__ = ["Golang", "verdict"]

_LONGEST_LINE = 1 << 16
_NAMED = 10
_SHORT = {"\a": "\\a", "\b": "\\b"}
_QUOTED = 3
"""How many lines of go's complaints are repeated."""


class Golang(Runner):
    """Runs tests of Go with the ``go`` on PATH, in the folder of their package."""

    kind = "golang"
    description = "tests of Go"
    reads_output = True

    def command(self, runnable: Runnable, place: Place) -> Union[Command, Outcome]:
        """Return the call of go that runs the test and no other."""
        uri = runnable.uri
        if not uri or "\0" in uri:
            raise RunnerError('kind "golang" needs a uri such as "calc/calc_test.go:TestAdd"')
        target, _, name = uri.partition(":")
        folder, packages, pattern = _found(target, name, place.base_dir)
        env = environment(place, folder)
        env.update(words_of(runnable.kwargs))
        program = "" if packages else kept_program(place, runnable.args, env, folder)
        kept = ("-o", program) if program else ()
        # No limit of go's own, and no result of an earlier time.
        options = ("-v", "-count=1", "-timeout=0", *kept, "-run", pattern, *runnable.args)
        return Command(("go", "test", *options, *packages), folder, env)

    def judge(
        self, runnable: Runnable, place: Place, end: Exit, report: Optional[Outcome]
    ) -> Outcome:
        """Read what go said about the tests."""
        name = _as_printed(str(runnable.uri).partition(":")[2])
        summary = read_go_output(_lines(place.stdout), name)
        return verdict(summary, name, end, lambda: _complaints(place.stderr))


def _found(target: str, name: str, base_dir: str) -> tuple[str, tuple[str, ...], str]:
    """Return where to call go, for which packages, and the pattern of the names.

    No package is that of the folder. It is not named, since then go says how its process ended,
    and waits for no other that holds its output.
    """
    path = os.path.join(base_dir, target)
    pattern = _exactly(name) if name else "."
    if not target.endswith(".go"):
        # A folder, or an import path that go has to find.
        return (path, (), pattern) if os.path.isdir(path) else (base_dir, (target,), pattern)
    if not name:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                names = names_in(file.read())
        except OSError as error:
            raise RunnerError(f"cannot read {path}: {error.strerror}") from error
        pattern = f"^({'|'.join(names)})$"
    elif not os.path.isfile(path):
        raise RunnerError(f"there is no file {path}")
    return os.path.dirname(path) or base_dir, (), pattern


def _exactly(name: str) -> str:
    """Return the pattern of one test, or one within another: go matches them part by part."""
    return "/".join(f"^{re.escape(part)}$" for part in name.split("/"))


def _as_printed(name: str) -> str:
    """Return the name of a test as go prints it: spaces replaced, what cannot be seen escaped."""
    return "".join(map(_sign_as_printed, name))


def _sign_as_printed(sign: str) -> str:
    if sign.isspace() and not "\x1c" <= sign <= "\x1f":  # which are no spaces to go
        return "_"
    if sign.isprintable():
        return sign
    number = ord(sign)
    if number < 128:
        return _SHORT.get(sign, f"\\x{number:02x}")
    return f"\\u{number:04x}" if number < 1 << 16 else f"\\U{number:08x}"


def _lines(path: str) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            yield from iter(lambda: file.readline(_LONGEST_LINE), b"")
    except FileNotFoundError:
        return  # nothing was printed


def _complaints(path: str) -> str:
    """Return what go complained of: the first lines that are no headings."""
    said = [line.decode("utf-8", "replace").strip() for line in _lines(path)]
    return "; ".join([line for line in said if line and line[0] != "#"][:_QUOTED])


def verdict(summary: GoSummary, name: str, end: Exit, complaints: Callable[[], str]) -> Outcome:
    """Return the outcome of tests of one package; `name` is that of the test if it is one."""
    if summary.unbuilt:
        said = complaints()
        return Outcome(Result.ERROR, f"{summary.unbuilt}: {said}" if said else summary.unbuilt)
    if end.signal is None and end.status == 0:
        return _good(summary, name)
    if summary.failed.count:
        return Outcome(Result.FAIL, _why(summary, name), end.returncode)
    if end.signal is None and not summary.last_word and not summary.ran:
        said = complaints()
        if said:
            return Outcome(Result.ERROR, said, end.returncode)
    return Outcome(Result.ERROR, _how_it_broke(summary, name, end), end.returncode, contract=True)


def _how_it_broke(summary: GoSummary, name: str, end: Exit) -> str:
    """Say how a process ended without saying of a test that it failed."""
    if end.signal is not None:
        return f"go was {describe(end)}"
    how = summary.last_word or summary.status
    if summary.said and how == summary.status:
        how = f"{how}, after {summary.said!r}" if how else summary.said
    if summary.own:
        what = "was skipped" if summary.own == "SKIP" else "passed"
        return f"{name} {what}, but its process had no good end: {how}"
    return f"the process ended before {name or 'its tests'} had" + (f": {how}" if how else "")


def _good(summary: GoSummary, name: str) -> Outcome:
    if summary.has_none and not summary.ran:
        reason = f"go finds no test {name}" if name else "go finds no tests"
        return Outcome(Result.ERROR, reason, 0, malformed=True)
    has_failed = not name and summary.failed.count and summary.conclusion == "FAIL"
    if summary.own == "FAIL" or has_failed:
        # As with a TestMain that does not hand on what its tests came to.
        return Outcome(Result.FAIL, f"{_why(summary, name)} (though go says ok)", 0)
    if not (summary.own if name else summary.ran):
        return _unsaid(summary, name)
    if summary.own == "SKIP" or (not name and summary.skipped == summary.ran):
        reason = summary.logged if name else f"{summary.skipped} of {summary.ran} tests skipped"
        return Outcome(Result.SKIP, reason or None, 0)
    return Outcome(Result.PASS, returncode=0)


def _unsaid(summary: GoSummary, name: str) -> Outcome:
    """Return what is to be held of an ok without a word of the test."""
    outer, _, inner = name.partition("/")
    if inner and summary.ran:
        return Outcome(Result.ERROR, f"{outer} has no test {inner}", 0, malformed=True)
    # Left by a system call, say, which go takes for a good end.
    reason = f"go says ok, but {name or 'no test'} did not say that it had ended"
    return Outcome(Result.ERROR, reason, 0, contract=True)


def _why(summary: GoSummary, name: str) -> str:
    """Say which tests failed, and the last that was said of it."""
    if not name:
        return f"{summary.failed.count} of {summary.ran} tests failed: {_some(summary.failed)}"
    said = summary.last_word or summary.logged
    inner = _some(summary.inner, lambda each: each.partition("/")[2])
    return ": ".join(filter(None, (inner, said))) or f"{name} failed"


def _some(names: Names, short: Callable[[str], str] = str) -> str:
    more = f" and {names.count - _NAMED} more" if names.count > _NAMED else ""
    return ", ".join(map(short, names.first[:_NAMED])) + more
