"""What each test in tests/fixtures/odd must come to, kind by kind.

They end in ways in which tests should not, or leave their process in a state in which it should not
be. Not responsible for holding runs against it (``model``), nor for tests of Go (``odd_golang``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.functional.model import Expected, killed_late, leaky, refused, says

__all__ = ["FOLDER", "PROGRAMS", "PYTEST", "ROBOT", "TIMEOUT"]

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "odd"
TIMEOUT = 10.0
"""Seconds: what starts Robot Framework or links a program of Go may take some before it hangs.

What hangs comes first, so that the rest goes on beside it.
"""

_SEGFAULT = r"killed by signal 11 \(SIGSEGV\)(, core dumped)?"
_ABORT = r"killed by signal 6 \(SIGABRT\)(, core dumped)?"
_NO_TAP = "no plan and no tests in the output"
_WITHOUT = " without a report"
_NO_PROGRAM = r"cannot execute '.*': it is no program, nor a script that begins with #!"


def _tap(name: str, status: str, detail: str = "", cause: str = "test", **more: Any) -> Expected:
    more.setdefault("outputs", {"stdout": lambda data: data != b""})
    return Expected(f"./{name}.t", status, cause, detail, kind="tap", **more)


PROGRAMS: Sequence[Expected] = (
    Expected("./overflows_stack.sh", "FAIL", detail=_SEGFAULT, returncode=-11),
    Expected(
        "./kills_its_group.sh", "FAIL", detail=r"killed by signal 9 \(SIGKILL\)", returncode=-9
    ),
    Expected("./aborts.sh", "FAIL", detail=_ABORT, returncode=-6),
    Expected("./odd_signal.sh", "FAIL", detail="killed by signal 50", returncode=-50),
    Expected("./exits_255.sh", "FAIL", detail="exited with status 255", returncode=255),
    Expected("./becomes_another.sh", "PASS"),
    Expected("./reads_input.sh", "PASS"),
    Expected("./removes_itself.sh", "PASS"),
    killed_late("./ends_well_when_told.sh", returncode=0),
    Expected(
        "./writes_too_much.sh",
        "FAIL",
        detail=r"exited with status \d+|killed by signal 25.*",
        returncode=153,
        outputs={"stderr": lambda data: b"File size limit" in data},
    ),
    Expected("./odd_files.py", "PASS", outputs={"output": 6}),
    Expected("./prints_after_its_end.sh", "PASS", outputs={"stdout": b"early\nlate\n"}),
    refused("./no_interpreter.sh", _NO_PROGRAM),
    refused("./folder_as_interpreter.sh", "cannot execute '.*': permission denied"),
    refused("./empty.sh", _NO_PROGRAM),
    refused("/dev/null", "cannot execute '/dev/null': permission denied"),
    Expected("\0", "PASS", kind="noop", args=("x",), kwargs={"a": None}, returncode=None),
    Expected(
        "./removes_itself.sh",
        "CANCEL",
        detail="Test cancelled due to --dry-run",
        kind="dry-run",
        returncode=None,
    ),
    _tap("crlf", "PASS"),
    _tap("plan_twice", "ERROR", "not proper TAP: more than one plan"),
    _tap("plan_at_the_end", "PASS"),
    _tap("out_of_order", "ERROR", "not proper TAP: test 3 is out of sequence, 2 was expected, .*"),
    _tap("killed_after_its_tests", "FAIL", r"killed by signal 9 \(SIGKILL\)", returncode=-9),
    _tap("skips_all_and_fails", "FAIL", "exited with status 1", returncode=1),
    _tap("says_nothing", "ERROR", _NO_TAP, "contract", outputs={}),
    _tap("no_utf8", "FAIL", "1 of 1 tests failed: 1 \\(\ufffd\ufffd\0 name\\)"),
    _tap("wide_characters", "ERROR", _NO_TAP, "contract"),
    _tap("goes_on_after_bail_out", "ERROR", "bailed out"),
    _tap("subtest_fails_alone", "PASS"),
    _tap("speaks_to_stderr", "ERROR", _NO_TAP, "contract", outputs={"stderr": b"1..1\nok 1\n"}),
    _tap("unexpected_pass", "WARN", r"passed though marked TODO: 1 \(hm\)"),
    _tap("huge_number", "ERROR", r"not proper TAP: test \d+ is out of sequence, 1 was expected"),
)
"""Programs: of kinds exec-test and tap, and what is no program at all."""


def _item(name: str, status: str, detail: str = "", cause: str = "test", **more: Any) -> Expected:
    is_good = status in ("PASS", "SKIP")
    more.setdefault("outputs", {} if is_good else {"stdout": lambda data: data != b""})
    more.setdefault("returncode", 0 if is_good else 1)
    name = name if name.startswith("Test") else f"test_{name}"
    return Expected(f"test_odd.py::{name}", status, cause, f"(?s){detail}", kind="pytest", **more)


def _item_gone(name: str, how: str, returncode: int = 1, *outputs: str) -> Expected:
    """What breaks its contract: its process ends without a report, or belies it."""
    written = {each: lambda data: data != b"" for each in outputs}
    return _item(name, "ERROR", how, "contract", returncode=returncode, outputs=written)


def _item_late(name: str, returncode: int) -> Expected:
    full = f"test_odd.py::test_{name}"
    return killed_late(full, returncode=returncode, timeout=TIMEOUT, kind="pytest")


PYTEST: Sequence[Expected] = (
    _item_gone("aborts", _ABORT + _WITHOUT, -6, "stderr"),
    _item("base_exception", "FAIL", "test_odd.Strange: strange"),
    _item_gone("breaks_exit", f"exited with status 1{_WITHOUT}", 1, "stderr"),
    _item_gone("breaks_open", f"exited with status 1{_WITHOUT}", 1, "stderr"),
    _item("breaks_time", "PASS"),
    _item("broken_all", "ERROR", "RuntimeError: no such thing"),
    _item("broken_comparison", "FAIL", "test_odd.Strange: cannot compare"),
    _item("broken_repr_in_assertion", "FAIL", "AssertionError: assert <.*Unprintable .* == 1"),
    _item("broken_str", "FAIL", r"test_odd.BrokenStr: \(its text cannot be read\)"),
    _item("cancels_itself", "FAIL", "TimeoutError"),
    _item("circle_of_causes", "FAIL", "ValueError: first"),
    _item("clears_its_environment", "PASS"),
    _item("closes_all_files", "ERROR", "at the end of the session: OSError: .*", outputs={}),
    _item("closes_stdout", "PASS"),
    _item_gone("ends_itself_by_term", rf"killed by signal 15 \(SIGTERM\){_WITHOUT}", -15),
    _item("exception_group", "FAIL", r"ExceptionGroup: two \(2 sub-exceptions\)"),
    _item_late("exit_handler_hangs", -15),
    _item_gone("exit_handler_leaves", "reported PASS, then exited with status 5", 5),
    _item("exit_handler_raises", "PASS", outputs={"stderr": says(b"ZeroDivisionError")}),
    _item("exits_well", "FAIL", "SystemExit: 0"),
    _item("fails_otherwise_than_expected", "FAIL", "KeyError: 'other'"),
    _item("fails_with_many_words", "FAIL", "Failed: (word )+.*"),
    _item("fails_with_odd_words", "FAIL", r"Failed: nul \0 surrogate .* escape \x1b.*"),
    _item("fixture_interrupts", "ERROR", "KeyboardInterrupt"),
    _item_gone("fixture_leaves", f"exited with status 4{_WITHOUT}", 4),
    _item("fixture_needs_itself", "ERROR", "set-up: recursive dependency .* 'circle' detected"),
    _item("fixture_yields_twice", "ERROR", "tear-down: Failed: fixture function has more than .*"),
    _item_gone("forgets_all_modules", f"exited with status 1{_WITHOUT}", 1, "stderr"),
    _item("forks_and_both_go_on", "PASS"),
    _item("generator_exit", "FAIL", "GeneratorExit"),
    _item_late("hangs", -9),
    _item("has_a_broken_mark", "ERROR", "set-up: Failed: Error evaluating 'skipif' condition"),
    _item("has_no_stdout", "PASS"),
    _item("ignores_signals", "PASS"),
    _item("is_never_awaited", "FAIL", "Failed: async def functions are not natively supported."),
    _item("is_not_run", "PASS", r"failed as expected: \[NOTRUN\] never"),
    _item("is_traced", "PASS"),
    _item("keyboard_interrupt", "ERROR", "KeyboardInterrupt"),
    _item_gone("kills_itself", rf"killed by signal 9 \(SIGKILL\){_WITHOUT}", -9),
    _item("leaves_a_daemon_thread", "PASS"),
    _item("leaves_a_thread_that_ends", "PASS", takes=(0.3, TIMEOUT)),
    _item_gone("leaves_by_status_0", f"exited with status 0{_WITHOUT}", 0),
    _item_gone("leaves_by_status_3", f"exited with status 3{_WITHOUT}", 3),
    _item("logs_and_fails", "FAIL", "OSError: no disk", outputs={"stdout": says(b"Captured log")}),
    _item_gone("may_open_no_more_files", f"exited with status 1{_WITHOUT}", 1, "stderr"),
    _item("odd_names[\\xff]", "PASS"),
    _item("odd_names[a]b[c::d/e \\xe4]", "PASS"),
    _item("odd_names[nan]", "PASS"),
    _item("prints_after_the_end", "PASS", outputs={"stdout": b"after the end\n"}),
    _item("prints_no_utf8", "PASS", outputs={"stdout": b"\xff\xfe\0"}),
    _item("prints_without_a_newline", "PASS", outputs={"stdout": 1_000_000}),
    _item("recurses", "FAIL", "RecursionError: maximum recursion depth exceeded"),
    _item("removes_its_folder", "PASS"),
    _item("replaces_stdout", "FAIL", "LookupError: while output is captured"),
    _item("reports_are_broken", "ERROR", "TypeError: 'NoneType' object is not callable"),
    _item_gone("segfaults", _SEGFAULT + _WITHOUT, -11, "stderr"),
    _item("skips_late", "PASS"),
    _item("skips_with_odd_words", "SKIP", "no\nway"),
    leaky("test_odd.py::test_starts_a_daemon", "sleep 300", kind="pytest"),
    _item("thread_raises", "PASS", outputs={"stderr": says(b"ThreadExceptionWarning: Excep")}),
    _item("warns_as_an_error", "FAIL", "UserWarning: now an error"),
    _item("TestOdd::test_is_not_set_up", "ERROR", "set-up: test_odd.Strange: set up"),
)
"""The tests of test_odd.py."""


def _robot(name: str, status: str, detail: str = "", cause: str = "test", **more: Any) -> Expected:
    outputs = dict(more.pop("outputs", {}))
    if status == "FAIL":
        outputs["stdout"] = says(b" | FAIL |\n")
    more.setdefault("returncode", 0 if status == "PASS" else 1)
    # Robot's output.xml is in the folder for output, whatever became of the test.
    return Expected(
        f"odd.robot:Odd.{name}",
        status,
        cause,
        detail,
        kind="robot",
        outputs={"output": 1, **outputs},
        takes=(0, TIMEOUT),
        **more,
    )


def _robot_gone(name: str, how: str, returncode: int) -> Expected:
    return _robot(name, "ERROR", how, "contract", returncode=returncode)


_STOPPED = "stopped from within, as by a user: SystemExit or KeyboardInterrupt"
_SAID = {"stderr": says(b"Execution stopped by user")}

ROBOT: Sequence[Expected] = (
    killed_late(
        "odd.robot:Odd.Hangs", returncode=-9, timeout=TIMEOUT, kind="robot", outputs={"output": 1}
    ),
    _robot("Broken Str", "FAIL", "ValueError: no words"),
    _robot("Exits", "ERROR", _STOPPED, outputs=_SAID),
    _robot("Keyboard Interrupt", "ERROR", _STOPPED, outputs=_SAID),
    _robot("Base Exception", "FAIL", "Strange: strange"),
    _robot_gone("Leaves By Status 0", f"exited with status 0{_WITHOUT}", 0),
    _robot_gone("Leaves By Status 3", f"exited with status 3{_WITHOUT}", 3),
    _robot_gone("Segfaults", _SEGFAULT + _WITHOUT, -11),
    _robot("Recurses", "FAIL", "RecursionError: maximum recursion depth exceeded.*"),
    _robot("Leaves A Daemon Thread", "PASS"),
    _robot("Exit Handler Raises", "PASS", outputs={"stderr": says(b"ZeroDivisionError")}),
    _robot_gone("Exit Handler Leaves", "reported PASS, then exited with status 5", 5),
    _robot("Prints After The End", "PASS", outputs={"stdout": b"after the end\n"}),
    _robot("Prints No UTF-8", "PASS", outputs={"stdout": b"\xff\xfe\0\n"}),
    _robot("Closes Stdout", "PASS"),
    _robot("Closes All Files", "PASS"),
    leaky("odd.robot:Odd.Starts A Daemon", "sleep 300", kind="robot", outputs={"output": 1}),
    _robot(
        "Ends Itself",
        "FAIL",
        "Execution terminated by signal",
        outputs={"stderr": says(b"Second signal will force exit")},
    ),
    _robot_gone("Kills Itself", rf"killed by signal 9 \(SIGKILL\){_WITHOUT}", -9),
    _robot("Forks And Both Go On", "PASS"),
    _robot("Fails With Odd Words", "FAIL", r"nul \0 escape \x1b\[31m newline end"),
    _robot(
        "Fails With A Surrogate",
        "ERROR",
        "UnicodeEncodeError: .* surrogates not allowed",
        outputs={"stderr": says(b"UnicodeEncodeError")},
    ),
    _robot("Fatal Error", "FAIL", "enough"),
    _robot("Fails In Teardown", "FAIL", "Teardown failed: cannot tidy up"),
    _robot("No Such Keyword", "FAIL", "No keyword with name 'There Is No Such Keyword' found."),
    _robot("Empty Name Of A Variable", "FAIL", r"Variable '\$\{nothing of the kind\}' not found."),
    _robot("Wild [cards]? *", "PASS"),
)
"""The tests of odd.robot."""
