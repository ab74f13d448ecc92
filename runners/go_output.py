"""Reads what ``go test -v`` prints: how tests ended, and what was said of it.

Takes lines as they come, and keeps little of them. Not responsible for what follows from it
(``nrunner.runners.golang``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from nrunner.record import dataclass, field

__all__ = ["GoSummary", "Names", "read_go_output"]

# No blank can be part of both what is before and what was printed: tests print many of them.
_ENDED = re.compile(rb"( *)(?:[^ ].*?)??--- (PASS|FAIL|SKIP): (\S+) \(\d+\.\d+s\)$")
_LOG = re.compile(rb"(?: {4}(?! )|\s+(?=\S+\.go:\d))(\S.*?:\d+: .*)")
_LAST_WORD = re.compile(
    rb"(?:panic|fatal error|flag provided but not defined|SIG[A-Z0-9]+): .*"
    rb"|unexpected fault address .*"
)
_SPECIAL = re.compile(
    _LAST_WORD.pattern + rb"|=== |(?:PASS|FAIL|exit status \d+)$|goroutine |signal: |testing: "
)
"""What lines have to begin with, or to be, to be looked at."""
_GLUED = re.compile(rb"(?:panic|fatal error): .*")
"""What follows something that was printed without a newline."""
_STATUS = re.compile(rb"(?:exit status \d+|signal: [^:]+)$")
"""What go says of the process, in the line before that of the package."""
_NONE = b"testing: warning: no tests to run"
_UNBUILT = re.compile(rb"FAIL\t.* \[((?:build|setup) failed)\]")
_LONGEST = 1000
_KEPT = 100
"""Names that are kept of those that a package may print without end."""


@dataclass
class Names:
    """Names of tests: how many there are, and the first of them."""

    first: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, name: str) -> None:
        """Count a name, and keep it if it is one of the first."""
        self.count += 1
        if len(self.first) < _KEPT:
            self.first.append(name)


@dataclass
class GoSummary:
    """What was found in the output of one package's tests."""

    passed: int = 0
    skipped: int = 0
    failed: Names = field(default_factory=Names)
    """Tests that failed, without those within other tests."""
    inner: Names = field(default_factory=Names)
    """Tests within other tests that failed."""
    own: str = ""
    """How the test that was asked for ended: PASS, FAIL or SKIP; what was said last counts."""
    logged: str = ""
    """The last line that a test has logged, before it failed or was skipped."""
    said: str = ""
    """The last line that was printed by what came to no end."""
    last_word: str = ""
    """With what the process ended, if it did not end by itself: a panic, a fatal error."""
    status: str = ""
    """How the process ended, as go says it: its exit status, or a signal."""
    conclusion: str = ""
    """What the package's tests came to, before the process ended: PASS or FAIL."""
    unbuilt: str = ""
    """Which step before the tests failed."""
    has_none: bool = False
    """Whether there was no test to be run."""

    @property
    def ran(self) -> int:
        """How many tests ended."""
        return self.passed + self.skipped + self.failed.count


def read_go_output(pieces: Iterable[bytes], name: str = "") -> GoSummary:
    """Return what the lines say; of ends, only of the test of this name and those within it.

    Tests print what they like, also what looks like the end of another test.
    """
    reading = _Reading(GoSummary(), name)
    for line in _lines(pieces):
        reading.take(line.rstrip(b"\r\n"))
    return reading.end()


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Put lines together; of those that come in pieces, keep how they begin and end."""
    head = b""
    for piece in pieces:
        head += piece
        if piece.endswith(b"\n"):
            yield head
            head = b""
        elif len(head) > 2 * _LONGEST:
            head = head[:_LONGEST] + head[-_LONGEST:]
    if head:
        yield head


class _Reading:
    """What has to be known of lines that went by, to understand the next."""

    def __init__(self, summary: GoSummary, name: str) -> None:
        self.summary = summary
        self._name = name
        self._outer = name.partition("/")[0]
        self._started = False
        self._logged = ""
        self._logged_within = ""
        self._said = b""
        self._glued = b""
        self._before = b""

    def take(self, line: bytes) -> None:
        """Note what a line says."""
        ended = _ENDED.fullmatch(line) if b"--- " in line else None
        if ended is not None:
            self._take_end(ended)
        elif line[:1] in (b" ", b"\t"):
            self._take_log(line)
        elif line.startswith(b"FAIL\t"):
            self._take_package(line)
        else:
            self._take_word(line)
        self._before = line or self._before

    def _take_end(self, ended: re.Match[bytes]) -> None:
        name, word = _text(ended[3]), _text(ended[2])
        self._started = True
        if name == self._name:
            self.summary.own = word
        if b"/" in ended[3] and ended[1]:
            self._take_inner_end(name, word)
        elif self._outer in ("", name):
            self._take_outer_end(name, word)
        else:
            self._said = ended[0]

    def _take_inner_end(self, name: str, word: str) -> None:
        if word == "FAIL":
            self.summary.inner.add(name)
        if name == self._name:
            self.summary.logged = self._logged_within

    def _take_outer_end(self, name: str, word: str) -> None:
        summary = self.summary
        if word == "FAIL" or not summary.failed.count:
            # What looked like a panic before, a test has printed.
            summary.last_word = ""
        summary.passed += word == "PASS"
        summary.skipped += word == "SKIP"
        if word == "FAIL":
            summary.failed.add(name)
        summary.logged = summary.logged if word == "PASS" else self._logged
        self._logged_within, self._logged, self._said = self._logged, "", b""

    def _take_log(self, line: bytes) -> None:
        log = _LOG.fullmatch(line)
        if log is not None:
            self._logged, self._said = _text(log[1]), log[1]

    def _take_package(self, line: bytes) -> None:
        unbuilt = None if self._started else _UNBUILT.fullmatch(line)
        if unbuilt is not None:
            self.summary.unbuilt = _text(unbuilt[1])
        status = _STATUS.search(self._before)
        if status is not None:
            self.summary.status = _text(status[0])
            # What was printed last may have had no newline.
            self._said = self._said[: -len(status[0])] if self._said == self._before else self._said

    def _take_word(self, line: bytes) -> None:
        if _SPECIAL.match(line):
            self._take_special(line)
        elif line:
            self._said = line
            if b"panic: " in line or b"fatal error: " in line:
                self._glued = line

    def _take_special(self, line: bytes) -> None:
        summary = self.summary
        if line.startswith(b"=== RUN"):
            self._started = True
        elif line in (b"PASS", b"FAIL"):
            summary.conclusion = _text(line)
        elif line.startswith(_NONE):
            summary.has_none = summary.has_none or not self._started
        elif line.startswith(b"goroutine "):
            found = _GLUED.search(self._glued)
            summary.last_word = summary.last_word or (_text(found[0]) if found else "")
        elif _LAST_WORD.match(line):
            summary.last_word = summary.last_word or _text(line)

    def end(self) -> GoSummary:
        """Return what was found, now that there is no more."""
        self.summary.said = _text(self._said)
        return self.summary


def _text(data: bytes) -> str:
    return data[:_LONGEST].decode("utf-8", "replace").rstrip()
