"""What each test in tests/fixtures/odd/golang must come to.

Versions of Go word some things in other ways, so details are loose there. Not responsible for
holding runs against it (``model``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.functional.model import Content, Expected, killed_late, leaky, says
from tests.functional.odd_model import TIMEOUT

__all__ = ["GO"]

_STARTED: Content = says(b"=== RUN   ")


def _go(uri: str, status: str, detail: str = "", cause: str = "test", **more: Any) -> Expected:
    """Return what is expected of `FILE:NAME`; FILE stands for golang/FILE_test.go."""
    more.setdefault("outputs", {"stdout": _STARTED})
    more.setdefault("returncode", 0 if status in ("PASS", "SKIP") else 1)
    file, name = uri.split(":", 1)
    return Expected(
        f"golang/{file}_test.go:{name}",
        status,
        cause,
        f"(?s){detail}",
        kind="golang",
        takes=(0, TIMEOUT),
        **more,
    )


def _passes(uri: str, printed: Content = _STARTED) -> Expected:
    return _go(uri, "PASS", outputs={"stdout": printed})


def _fails(uri: str, detail: str, **more: Any) -> Expected:
    return _go(uri, "FAIL", detail, **more)


def _gone(uri: str, how: str, **more: Any) -> Expected:
    """What ends its process before it has ended itself."""
    detail = f"the process ended before {uri.split(':')[1]} had: {how}"
    return _go(uri, "ERROR", detail, "contract", **more)


def _unsaid(uri: str, printed: Content = _STARTED) -> Expected:
    """What go takes for good, though the test did not come to its end, or could not say so."""
    detail = f"go says ok, but {uri.split(':')[1]} did not say that it had ended"
    return _go(uri, "ERROR", detail, "contract", returncode=0, outputs={"stdout": printed})


def _hangs(uri: str) -> Expected:
    return killed_late(
        f"golang/process_test.go:{uri}",
        returncode=-15,
        timeout=TIMEOUT,
        kind="golang",
        outputs={"stdout": _STARTED},
    )


def _leaves(uri: str, printed: Content) -> Expected:
    return leaky(
        f"golang/{uri}",
        "sleep 300",
        kind="golang",
        outputs={"stdout": printed},
        takes=(0, TIMEOUT),
    )


_HANGING = (
    killed_late(
        "golang/odd_test.go:TestIgnoresTerm",
        returncode=-15,
        timeout=TIMEOUT,
        kind="golang",
        outputs={"stdout": _STARTED},
    ),
    _hangs("TestEndsWellWhenTold"),
    _hangs("TestHangsInCleanup"),
    _hangs("TestStopsItself"),
)
_CRASHES = (
    _fails("odd:TestPanics", r"panic: odd \[recovered.*"),
    _fails("odd:TestPanicsWithBrokenError", ".*(no words|brokenError).*"),
    _fails("odd:TestSegfaults", "panic: runtime error: invalid memory address .*"),
    _fails("odd:TestGoexits", ".*runtime.Goexit.*"),
    _fails("odd:TestExitsWith0", r"panic: unexpected call to os.Exit\(0\) during test.*"),
    _gone("odd:TestPanicsInGoroutine", "panic: elsewhere"),
    _gone("odd:TestExitsWith3", "exit status 3"),
    _gone("odd:TestKillsItself", "signal: killed"),
    _gone("odd:TestDeadlocks", "fatal error: all goroutines are asleep - deadlock!"),
    _gone("odd:TestOverflowsTheStack", "fatal error: stack overflow"),
    _unsaid("odd:TestLeavesBySyscall"),
    _fails("panics:TestPanicsWithNil", "panic: .*nil.*"),
    _fails("panics:TestPanicsInLines", "panic: one.*"),
    _fails("panics:TestPanicsInCleanup", r"panic: cannot tidy up \[recovered.*"),
    _fails("panics:TestPanicsTwice", "panic: first"),
    _fails("panics:TestRecoversAndPanicsAgain", r"panic: again \[recovered.*"),
    _fails("panics:TestPanicsAfterAFailure", r"panic: then it panicked \[recovered.*"),
    _fails("panics:TestFailsInGoroutine", r"panics_test.go:\d+: but its test goes on"),
    _gone("panics:TestFailsLate", "panic: Fail in goroutine after TestFailsLate/inner has .*"),
    _gone("panics:TestPrintsAndPanicsElsewhere", r"panic: at 3 of 10"),
    _gone("panics:TestExitsInGoroutine", "exit status 4"),
    _gone(
        "panics:TestExitsInDeferred",
        r"exit status 5, after 'panics_test.go:\d+: before it exits'",
    ),
    _gone("panics:TestEndsByLog", "exit status 1, after '.* no way'"),
    _gone("panics:TestUnlocksAnUnlockedMutex", "fatal error: sync: unlock of unlocked mutex"),
    _gone("panics:TestWritesAMapFromTwoSides", "fatal error: concurrent map writes"),
    _gone("panics:TestFaults", "unexpected fault address 0xdeadbeef000"),
    _gone("panics:TestTakesAllMemory", "fatal error: .*out of memory.*"),
    _gone("panics:TestTakesTooManyThreads", "fatal error: thread exhaustion"),
    _gone("panics:TestWaitsForFailedGoroutine", "fatal error: all goroutines are asleep .*"),
    _gone("panics:TestAborts", "SIGABRT: abort"),
    _gone("panics:TestSendsSegv", "SIGSEGV: segmentation violation"),
    _gone("panics:TestEndsItselfByTerm", "signal: terminated"),
    *(
        _go(
            f"panics:Test{name}",
            "ERROR",
            r"go was killed by signal 9 \(SIGKILL\)",
            "contract",
            returncode=-9,
        )
        for name in ("KillsItsGroup", "KillsGo")
    ),
)
_NAMES = r"good_one, a/b, /, #00, #01, same, same#01, \[x\]\|\(y\)\*, 日本, \\x00\\u200b\ufffd_"
_INNER = (
    _passes("odd:TestLogsBrokenError"),
    _passes("odd:TestLeavesGoroutine"),
    _passes("odd:TestLogsAfterTheEnd"),
    _passes("odd:TestSkipsInSubtest"),
    _fails(
        "inner:TestInnerOnesFailSideBySide",
        r"[abc], [abc], [abc]: inner_test.go:\d+: TestInnerOnesFailSideBySide/[abc]",
    ),
    _fails("inner:TestInnerNames", _NAMES + r" and 2 more: inner_test.go:\d+: no"),
    _fails("inner:TestInnerNames/good one", r"good_one: inner_test.go:\d+: no"),
    _fails("inner:TestInnerNames/[x]|(y)*", r"\[x\]\|\(y\)\*: inner_test.go:\d+: no"),
    _fails(r"inner:TestInnerNames/\d", r"\\d: inner_test.go:\d+: no"),
    _fails("inner:TestInnerNames/a:b", r"a:b: inner_test.go:\d+: no"),
    _fails(
        "inner:TestAThousandInnerOnesFail",
        r"0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 990 more: inner_test.go:\d+: no",
    ),
    _fails("inner:TestInnerIsSkipped", r"other: inner_test.go:\d+: no"),
    _go("inner:TestInnerIsSkipped/inner", "SKIP", r"inner_test.go:\d+: only this one"),
    _go(
        "inner:TestInnerIsSkipped/none",
        "ERROR",
        "TestInnerIsSkipped has no test none",
        "malformed",
        returncode=0,
    ),
    _fails("inner:TestInnerGoexits", "inner: .*runtime.Goexit.*"),
    _fails("inner:TestInnerEndsOuter", "inner: .*may have called FailNow on a parent test"),
    _fails("inner:TestInnerPanics", "in, in/ner: panic: runtime error: invalid memory address .*"),
    _gone("inner:TestRunsOnEnded", "panic: Fail in goroutine after .* has completed.*"),
    _fails("inner:TestIsParallelTwice", "panic: testing: t.Parallel called multiple times.*"),
    _fails("inner:TestSetsVariableInParallel", "panic: testing: .*t.Setenv.*"),
    _fails("inner:TestFailsInCleanup", r"inner_test.go:\d+: cannot tidy up"),
    _go("inner:TestSkipsInCleanup", "SKIP", r"inner_test.go:\d+: now that it is over"),
    _fails("inner:TestSkipsAfterAFailure", r"inner_test.go:\d+: or does not matter"),
    _fails("inner:TestFailsAfterASkip", r"\w+.go:\d+: it failed"),
    _go("inner:TestIsSkippedByGoroutine", "SKIP", r"inner_test.go:\d+: from elsewhere"),
    _fails("inner:TestFailsFromManyGoroutines", r"inner_test.go:\d+: \d+"),
    _fails("inner:TestFailsWithoutAWord", "TestFailsWithoutAWord failed"),
    _fails("inner:TestFailsWithNothing", r"inner_test.go:\d+:"),
    _fails("inner:TestFailsInAGrammar", "gram mar.y:7: not in a file of Go"),
    _fails("inner:TestÜnïcode_日本", r"inner_test.go:\d+: naïve"),
    _fails("inner:TestHasNoTempDir", r"inner_test.go:\d+: TempDir: .* no such file or directory"),
    _fails("inner:Example_panics", r"panic: exemplary \[recovered.*"),
    _fails("inner:Example_printsFalseWords", "Example_printsFalseWords failed"),
    _fails("inner:FuzzNothing", r"fuzz.go:\d+: returned without calling F.Fuzz.*"),
    _fails("inner:FuzzSeedFails", r"seed#0: inner_test.go:\d+: x"),
    _fails("inner:FuzzOtherTypes", r"inner_test.go:\d+: mismatched types in corpus entry: .*"),
    _fails("seeds/seeds:FuzzBroken", ".*testdata/fuzz/FuzzBroken/seed.*nonsense"),
)
_WORDS = (
    _passes("odd:TestPrintsNoUTF8", says(b"\xff\xfe\0--- PASS")),
    _passes("odd:TestPrintsFalseWords"),
    _unsaid("odd:TestClosesStdout"),
    _fails("odd:TestFailsWithOddWords", r"odd_test.go:\d+: nul \0 escape \x1b\[31m newline"),
    _passes("words:TestPrintsThatNothingWasBuilt"),
    _passes("words:TestPrintsThatThereIsNoTest"),
    _fails("words:TestPrintsPanicAndFails", r"words_test.go:\d+: but it failed"),
    _gone("words:TestPrintsFailureAndExits", r"exit status 3, after '--- FAIL: TestOther .*'"),
    _passes("words:TestPrintsItsOwnFailure"),
    _passes("words:TestPrintsItsOwnSkip"),
    _passes("words:TestLogsItsOwnSkip"),
    _passes("words:TestPrintsRuns"),
    _passes("words:TestPrintsWithoutANewline", says(b"xxx--- PASS")),
    _passes("words:TestPrintsDashes"),
    _passes("words:TestPrintsBlanks"),
    _gone("words:TestPrintsAndExits", "exit status 7, after 'no newline'"),
    _fails("words:TestFailsWithAMegabyte", r"words_test.go:\d+: x{900}x*"),
    _passes("words:TestHasNoStdout"),
    _passes("words:TestClosesStderr"),
    _unsaid("words:TestClosesAllFiles"),
    _gone("words:TestWritesToABrokenPipe", "signal: broken pipe"),
)
_PROCESSES = (
    _leaves("odd_test.go:TestStartsADaemon", says(b"--- PASS: TestStartsADaemon")),
    _leaves("process_test.go:TestLeavesAChildWithItsStdout", says(b"--- PASS")),
    _passes("process:TestLocksItsThread"),
    _passes("process:TestClearsItsEnvironment"),
    _passes("process:TestMayOpenNoMoreFiles"),
    _fails("process:TestCannotRemoveTempDir", ".*TempDir RemoveAll cleanup: .*too many open files"),
    _passes("process:TestMayWriteNoFile"),
    _passes("process:TestIgnoresSignals"),
    _gone("process:TestBecomesAnother", "exit status 6, after 'another'"),
    _passes("process:TestRunsItselfAgain", says(b"--- FAIL: TestRunsItselfAgain")),
    _go("gone/gone:TestRemovesItsFolder", "PASS", kwargs={"IS_A_COPY": "yes"}),
)


def _broken(name: str, how: str) -> Expected:
    detail = f"{name} passed, but its process had no good end: {how}"
    return _go(f"main/main:{name}", "ERROR", detail, "contract")


_ANY: Content = says(b"example.com/odd/main")
_MAINS = (
    _gone("main/main:TestInitPanics", "panic: in init", outputs={"stdout": _ANY}),
    _unsaid("main/main:TestInitExits", _ANY),
    _unsaid("main/main:TestMainRunsNothing", _ANY),
    _gone("main/main:TestMainPanics", "panic: in TestMain", outputs={"stdout": _ANY}),
    _broken("TestMainFailsAfterwards", "exit status 3"),
    _broken("TestMainPanicsAfterwards", "panic: afterwards"),
    _fails(
        "main/main:TestMainHidesFailure",
        r"main_test.go:\d+: it failed \(though go says ok\)",
        returncode=0,
    ),
    _passes("main/main:TestMainRunsTwice"),
    _unsaid("main/main:TestMainIsSilent", _ANY),
    _passes("main/main:TestMainPrintsWithoutANewline", says(b"before === RUN")),
    _unsaid("main/main:TestMainRunsOthers"),
    _fails(
        "main/main:TestFlagOfItsOwn",
        r"main_test.go:\d+: wanted 7 \[-run \.\]",
        args=("-args", "-wanted=7", "--", "-run", "."),
    ),
)

GO: Sequence[Expected] = (*_HANGING, *_CRASHES, *_INNER, *_WORDS, *_PROCESSES, *_MAINS)
"""The tests of Go; what hangs comes first, so that the rest goes on beside it."""
