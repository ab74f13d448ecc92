"""Reads what ``go test -v`` prints: how tests ended, and what was said of it.

Takes lines as they come, and keeps little of them. Not responsible for what follows from it
(``nrunner.runners.golang``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from nrunner.record import dataclass, field

__all__ = ["GoSummary", "read_go_output"]

_ENDED = re.compile(rb"( *)(?:.*?)--- (PASS|FAIL|SKIP): (\S+) \(\d+\.\d+s\)$")
_LOG = re.compile(rb"\s+(\S+\.go:\d+: .*)")
_LAST_WORD = re.compile(
    rb"(?:panic|fatal error|flag provided but not defined|signal): .*|exit status \d+"
)
_NONE = b"testing: warning: no tests to run"
_UNBUILT = re.compile(rb"FAIL\t.* \[((?:build|setup) failed)\]")
_KEPT = 10
_LONGEST = 1000


@dataclass
class GoSummary:
    """What was found in the output of one package's tests."""

    passed: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)
    """Names of tests that failed, without those within other tests."""
    inner: list[str] = field(default_factory=list)
    """Names of tests within other tests that failed."""
    logged: str = ""
    """The last line that a test has logged, before it failed or was skipped."""
    last_word: str = ""
    """With what the process ended, if it did not end by itself: a panic, a fatal error."""
    unbuilt: str = ""
    """Which step before the tests failed."""
    has_none: bool = False
    """Whether there was no test to be run."""

    @property
    def ran(self) -> int:
        """How many tests ended."""
        return self.passed + self.skipped + len(self.failed)


def read_go_output(lines: Iterable[bytes]) -> GoSummary:
    """Return what the lines say."""
    summary = GoSummary()
    logged = ""
    for line in lines:
        line = line.rstrip(b"\r\n")
        ended = _ENDED.fullmatch(line) if b"--- " in line else None
        if ended is not None:
            logged = _take(summary, ended, logged)
        elif line[:1] in (b" ", b"\t"):
            said = _LOG.fullmatch(line)
            logged = _text(said[1]) if said else logged
        elif _LAST_WORD.match(line):
            summary.last_word = summary.last_word or _text(line)
        elif line.startswith(_NONE):
            summary.has_none = True
        elif line.startswith(b"FAIL\t"):
            unbuilt = _UNBUILT.fullmatch(line)
            summary.unbuilt = _text(unbuilt[1]) if unbuilt else summary.unbuilt
    return summary


def _take(summary: GoSummary, ended: re.Match[bytes], logged: str) -> str:
    """Note how a test ended; return what is still the last line that was logged."""
    name, word = _text(ended[3]), ended[2]
    if ended[1] and b"/" in ended[3]:
        if word == b"FAIL":
            summary.inner.append(name)
        return logged
    if word == b"PASS":
        summary.passed += 1
        return ""
    if word == b"SKIP":
        summary.skipped += 1
    else:
        summary.failed.append(name)
    summary.logged = logged
    return ""


def _text(data: bytes) -> str:
    return data[:_LONGEST].decode("utf-8", "replace")
