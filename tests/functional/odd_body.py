"""How each odd body ends, whatever kind of test it is run as.

A body is a test of tests/fixtures/odd/odd_case.py or tests/fixtures/payloads/hostile_case.py. How
it ends in itself stands once, beside those ends that are others where something else runs it: under
Robot Framework, say, standard output is no file. Not responsible for what an end comes to as a test
of a kind (``odd_kind``).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.functional.model import Content, says

__all__ = [
    *("AVOCADO", "PROGRAM", "ROBOT", "TAP", "UNITTEST"),
    *("BODIES", "HOSTILE", "Belies", "Body", "Dies", "End", "Hangs", "Leaks", "Raises"),
    *("RaisesMute", "Returns", "Upsets"),
]

UNITTEST, PROGRAM, TAP = "python-unittest", "exec-test", "tap"
ROBOT, AVOCADO = "robot", "avocado-instrumented"


# How bodies end


@dataclass(frozen=True, kw_only=True)
class End:
    """How a body ends."""

    out: bytes = b""
    """What it has printed by then."""
    late: bytes = b""
    """What it prints after its end."""
    err: Content = b""
    """What its standard error must hold; nothing if this is empty."""
    least: float = 0.0
    """Seconds that it takes at least."""


@dataclass(frozen=True)
class Returns(End):
    """It ends well."""


@dataclass(frozen=True)
class Raises(End):
    """An exception leaves it."""

    error: str
    """The class, with its module."""
    text: str = ""
    """Regular expression for the first line of its words."""
    is_base: bool = False
    """Whether it is no Exception, so that ``except Exception`` lets it through."""
    status: int = 1
    """With which it ends its process, if nobody catches it; negative for a signal."""

    @property
    def short(self) -> str:
        """The class without its module."""
        return self.error.rpartition(".")[2]

    @property
    def is_failure(self) -> bool:
        """Whether it says that the test has failed, not that it could not be run."""
        return self.error == "AssertionError"


@dataclass(frozen=True)
class RaisesMute(End):
    """An exception leaves it that raises a ValueError when it is asked for its words."""

    error: str


@dataclass(frozen=True)
class Dies(End):
    """Its process ends at once."""

    status: int
    """Exit status, or a signal as a negative number."""


@dataclass(frozen=True)
class Belies(End):
    """It ends well, and then its process does not."""

    status: int


@dataclass(frozen=True)
class Hangs(End):
    """Its process never ends."""

    status: int
    """With which it ends once it is told to, or killed."""
    is_over: bool = False
    """Whether the body has ended, and well."""


@dataclass(frozen=True)
class Leaks(End):
    """It ends well, and leaves a process behind."""

    command: str
    """Regular expression."""


@dataclass(frozen=True)
class Upsets(End):
    """What runs it comes to an end of its own over it."""

    detail: str
    """Regular expression for what is said of it."""
    status: str = "ERROR"
    cause: str = "test"


@dataclass(frozen=True)
class Body:
    """A body, and how it ends."""

    name: str
    """Module, class and method."""
    end: End
    otherwise: Mapping[str, End] = field(default_factory=dict)
    """How it ends as a test of some kinds."""

    def end_as(self, kind: str) -> End:
        """Return how it ends as a test of a kind."""
        return self.otherwise.get(kind, self.end)


_GROUPS = {
    "unittest": (UNITTEST,),
    "program": (PROGRAM,),
    "tap": (TAP,),
    "robot": (ROBOT,),
    "avocado": (AVOCADO,),
    "alone": (PROGRAM, TAP),
    "reported": (UNITTEST, ROBOT),
    "captured": (ROBOT, AVOCADO),
}
"""What rows of the tables call kinds: those alone in their process, those that report, ..."""


def _body(name: str, end: End, **otherwise: End) -> Body:
    return Body(name, end, {kind: each for key, each in otherwise.items() for kind in _GROUPS[key]})


def _odd(name: str, end: End, **otherwise: End) -> Body:
    name = name if "." in name else f"Odd.test_{name}"
    return _body(f"odd_case.{name}", end, **otherwise)


def _hostile(name: str, end: End, **otherwise: End) -> Body:
    return _body(f"hostile_case.Hostile.test_{name}", end, **otherwise)


_ERROR = says(b"Error")
_STRANGER = says(b"UnboundLocalError")
_NO_MORE = Raises("UnboundLocalError", ".*'pool'.*", err=_STRANGER)
"""What is wrong when Avocado cannot make a thread any more."""
_NO_SIGNALS = Raises("ValueError", "signal only works in main thread of the main interpreter")
_NO_CLOSE = Raises("AttributeError", "'StreamToQueue' object has no attribute 'close'")
_CLOSED = Raises("ValueError", "I/O operation on closed file")
_TERMINATED = Raises(
    "AssertionError",
    "Execution terminated by signal",
    err=says(b"Second signal will force exit"),
)
_NO_UTF8 = Upsets("UnicodeEncodeError: .* surrogates not allowed", err=says(b"UnicodeEncodeError"))
_CUT_OFF = Dies(1, err=says(b"Process Process-1:"))
_TIMED = (
    Returns() if sys.version_info < (3, 12) else Raises("ZeroDivisionError", "division by zero")
)
"""From Python 3.12 on unittest measures how long tests take."""
_IS_NOT_1 = "<odd_case.Unprintable .*> != 1"

HOSTILE: Sequence[Body] = (
    _hostile("aborts", Dies(-6)),
    _hostile("closes_descriptors", Returns(), tap=Dies(1), avocado=Dies(1)),
    _hostile("exits", Raises("SystemExit", "0", is_base=True, status=0)),
    _hostile(
        "forks_and_both_go_on",
        Returns(),
        tap=Upsets("not proper TAP: test 1 is out of sequence, 2 was expected, .*"),
        avocado=Leaks(".*avocado-runner-avocado-instrumented .*"),
    ),
    _hostile("hangs_in_a_thread", Hangs(-15, is_over=True), avocado=Returns()),
    _hostile("ignores_term", Hangs(-9), avocado=_NO_SIGNALS),
    _hostile("kills_itself", Dies(-9)),
    _hostile(
        "leaves_a_child",
        Leaks("sleep 300"),
        unittest=Leaks("sleep 300", err=says(b"ResourceWarning")),
    ),
    _hostile("leaves_by_exit", Dies(0)),
    _hostile("passes", Returns()),
    _hostile(
        "prints",
        Returns(out=bytes(range(256)), err=b"to stderr\n"),
        captured=Raises("AttributeError", ".* object has no attribute 'buffer'"),
    ),
    _hostile("recurses", Raises("RecursionError", "maximum recursion depth exceeded.*")),
    _hostile(
        "says_odd_things",
        Raises("AssertionError", r"\x1b\[31m(long )+.*"),
        robot=_NO_UTF8,
        avocado=_CUT_OFF,
    ),
)
"""Those of hostile_case.py, in the order of their names."""

BODIES: Sequence[Body] = (
    *HOSTILE,
    _odd("base_exception", Raises("odd_case.Strange", "strange", is_base=True)),
    _odd("becomes_another", Dies(0)),
    _odd(
        "breaks_exit",
        Returns(),
        reported=Dies(1, err=_ERROR),
        avocado=Raises("TypeError", "'NoneType' object is not callable", err=_STRANGER),
    ),
    _odd("breaks_open", Returns(), reported=Dies(1, err=_ERROR)),
    _odd("breaks_time", Returns(), unittest=_TIMED, avocado=Hangs(-9)),
    _odd("broken_repr_in_assertion", Raises("AssertionError", _IS_NOT_1)),
    _odd(
        "broken_skip",
        RaisesMute("odd_case.BrokenSkip"),
        unittest=Raises("ValueError", "no words"),
    ),
    _odd("broken_str", RaisesMute("odd_case.BrokenStr")),
    _odd("cannot_be_pickled", Raises("odd_case.Unpicklable", "one and two")),
    _odd(
        "circle_of_causes",
        Raises("ValueError", "first"),
        robot=Upsets("Robot Framework failed; stderr says why", err=says(b"RecursionError")),
    ),
    _odd("clears_its_environment", Returns()),
    _odd("closes_stderr", Returns(), robot=_CLOSED, avocado=_NO_CLOSE),
    _odd("closes_stdout", Returns(), tap=Dies(1, err=_ERROR), robot=_CLOSED, avocado=_NO_CLOSE),
    _odd("dies_of_a_broken_pipe", Dies(-13), avocado=_NO_SIGNALS),
    _odd(
        "ends_itself_by_term",
        Dies(-15),
        robot=_TERMINATED,
        avocado=Upsets("Test interrupted: Timeout reached", "INTERRUPT"),
    ),
    _odd("exception_group", Raises("ExceptionGroup", r"two \(2 sub-exceptions\)")),
    _odd("exit_handler_hangs", Hangs(-15, is_over=True), avocado=Returns()),
    _odd("exit_handler_leaves", Belies(5), avocado=Returns()),
    _odd("exit_handler_raises", Returns(err=says(b"ZeroDivisionError")), avocado=Returns()),
    _odd(
        "exits_with_an_object",
        Raises("SystemExit", "<class 'odd_case.Unprintable'>", True, err=says(b"Unprintable")),
    ),
    _odd(
        "fails_with_many_words",
        Raises("AssertionError", "(word )+.*"),
        unittest=Raises("AssertionError", r"(word )+.*\.\.\."),
        avocado=Upsets(
            r".*/avocado-runner-avocado-instrumented ended with status 0 and without a finished "
            r"message \(a message of it was refused: it is too long\)",
            cause="contract",
        ),
    ),
    _odd(
        "fails_with_odd_words",
        Raises("AssertionError", r"nul \0 surrogate \\udcff escape \x1b\[31m newline ?"),
        robot=_NO_UTF8,
        avocado=_CUT_OFF,
    ),
    _odd("finalizer_raises", Returns(err=says(b"not so soon"))),
    _odd("forgets_all_modules", Returns(), avocado=_NO_MORE),
    _odd("generator_exit", Raises("GeneratorExit", is_base=True)),
    _odd("has_a_broken_note", Raises("ValueError", "noted")),
    _odd("has_no_stdout", Returns(), tap=Dies(0)),
    _odd("ignores_signals", Returns(), avocado=_NO_SIGNALS),
    _odd("is_ended_by_an_alarm", Dies(-14)),
    _odd("is_never_awaited", Returns(err=says(b"never awaited"))),
    _odd("is_traced", Returns()),
    _odd("keyboard_interrupt", Raises("KeyboardInterrupt", is_base=True, status=-2)),
    _odd("leaves_a_daemon_thread", Returns()),
    _odd("leaves_a_thread_that_ends", Returns(least=0.3)),
    _odd("leaves_by_status_3", Dies(3)),
    _odd("may_open_no_more_files", Returns(), reported=Dies(1, err=_ERROR), avocado=_NO_MORE),
    _odd("may_write_nothing", Returns(), reported=Dies(1, err=_ERROR), avocado=_NO_MORE),
    _odd("overflows_the_stack", Dies(-11)),
    _odd("prints_after_the_end", Returns(late=b"after the end\n"), avocado=Returns()),
    _odd("prints_no_utf8", Returns(out=b"\xff\xfe\0"), avocado=Returns()),
    _odd("prints_without_a_newline", Returns(out=b"x" * 1_000_000), robot=Returns()),
    _odd("raises_what_is_none", Raises("TypeError", "exceptions must derive from BaseException")),
    _odd("removes_its_folder", Returns()),
    _odd("returns_a_value", Returns(err=says(b"DeprecationWarning")), captured=Returns()),
    _odd("segfaults", Dies(-11)),
    _odd(
        "should_fail_and_leaves",
        Raises("SystemExit", "0", is_base=True, status=0),
        unittest=Returns(),
    ),
    _odd("stdout_is_no_file", Returns(), alone=Dies(120, err=says(b"no flush here"))),
    _odd(
        "subtests_break",
        Raises("AssertionError", _IS_NOT_1),
        unittest=Raises("ValueError", "no words"),
    ),
    _odd(
        "thread_interrupts",
        Raises("KeyboardInterrupt", is_base=True, status=-2),
        robot=_TERMINATED,
        avocado=Dies(1, err=says(b"KeyboardInterrupt")),
    ),
    _odd("thread_leaves", Dies(7)),
    _odd("thread_raises", Returns(err=says(b"BrokenStr"))),
    _odd("wants_all_memory", Raises("MemoryError"), robot=Upsets("MemoryError")),
    _odd(
        "OddCleanup.test_cleanup_is_cancelled",
        Raises("asyncio.exceptions.CancelledError", is_base=True),
    ),
    _odd("OddSetUp.test_is_not_set_up", Raises("odd_case.Strange", "set up", is_base=True)),
    _odd("OddTearDown.test_is_not_torn_down", RaisesMute("odd_case.BrokenStr")),
)
"""All of them."""
