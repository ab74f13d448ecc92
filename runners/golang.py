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
from nrunner.runners.go_output import GoSummary, read_go_output
from nrunner.runners.go_source import names_in
from nrunner.runners.payload import environment, words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Union

__all__ = ["Golang", "verdict"]

_LONGEST_LINE = 1 << 16
_NAMED = 10
_QUOTED = 3
"""How many lines of go's complaints are repeated."""


class Golang(Runner):
    """Runs tests of Go with the ``go`` on PATH, in the folder of their package."""

    kind = "golang"
    description = "tests of Go"

    def command(self, runnable: Runnable, place: Place) -> Union[Command, Outcome]:
        """Return the call of go that runs the test and no other."""
        uri = runnable.uri
        if not uri or "\0" in uri:
            raise RunnerError('kind "golang" needs a uri such as "calc/calc_test.go:TestAdd"')
        target, _, name = uri.partition(":")
        folder, package, pattern = _found(target, name, place.base_dir)
        # No limit of go's own, and no result of an earlier time.
        argv = ("go", "test", "-v", "-count=1", "-timeout=0", "-run", pattern, *runnable.args)
        env = environment(place, folder)
        env.update(words_of(runnable.kwargs))
        return Command((*argv, package), folder, env)

    def judge(
        self, runnable: Runnable, place: Place, end: Exit, report: Optional[Outcome]
    ) -> Outcome:
        """Read what go said about the tests."""
        summary = read_go_output(_lines(place.stdout))
        name = str(runnable.uri).partition(":")[2]
        return verdict(summary, name, end, lambda: _complaints(place.stderr))


def _found(target: str, name: str, base_dir: str) -> tuple[str, str, str]:
    """Return where to call go, for which package, and the pattern of the names."""
    path = os.path.join(base_dir, target)
    pattern = _exactly(name) if name else "."
    if not target.endswith(".go"):
        # A folder, or an import path that go has to find.
        return (path, ".", pattern) if os.path.isdir(path) else (base_dir, target, pattern)
    if not name:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                names = names_in(file.read())
        except OSError as error:
            raise RunnerError(f"cannot read {path}: {error.strerror}") from error
        pattern = f"^({'|'.join(names)})$"
    elif not os.path.isfile(path):
        raise RunnerError(f"there is no file {path}")
    return os.path.dirname(path) or base_dir, ".", pattern


def _exactly(name: str) -> str:
    """Return the pattern of one test, or one within another: go matches them part by part."""
    return "/".join(f"^{re.escape(part)}$" for part in name.split("/"))


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
    if summary.failed:
        return Outcome(Result.FAIL, _why(summary, name), end.returncode)
    if end.signal is None and not summary.last_word and not summary.ran:
        said = complaints()
        if said:
            return Outcome(Result.ERROR, said, end.returncode)
    how = f": {summary.last_word}" if summary.last_word else ""
    reason = f"the process ended before {name or 'its tests'} had{how}"
    return Outcome(Result.ERROR, reason, end.returncode, contract=True)


def _good(summary: GoSummary, name: str) -> Outcome:
    if summary.has_none:
        reason = f"go finds no test {name}" if name else "go finds no tests"
        return Outcome(Result.ERROR, reason, 0, malformed=True)
    if not summary.ran:
        # Left by a system call, say, which go takes for a good end.
        reason = f"go says ok, but {name or 'no test'} did not say that it had ended"
        return Outcome(Result.ERROR, reason, 0, contract=True)
    if summary.skipped and summary.skipped == summary.ran:
        reason = summary.logged if name else f"{summary.skipped} of {summary.ran} tests skipped"
        return Outcome(Result.SKIP, reason or None, 0)
    return Outcome(Result.PASS, returncode=0)


def _why(summary: GoSummary, name: str) -> str:
    """Say which tests failed, and the last that was said of it."""
    if not name:
        return f"{len(summary.failed)} of {summary.ran} tests failed: {_some(summary.failed)}"
    said = summary.last_word or summary.logged
    inner = _some([each.partition("/")[2] for each in summary.inner])
    return ": ".join(filter(None, (inner, said))) or f"{name} failed"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
