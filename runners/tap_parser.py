"""Reads the Test Anything Protocol, versions 12 to 14, from bytes as they come.

What is an error and what is let through follows ``prove``, so that a file gets the same verdict
from both: numbers must count up from 1, one plan at the beginning or the end, a version line
first; indented lines (subtests, YAML) never count, for the test point after a subtest sums it up.
Only what stands in YAML blocks is not looked at: a block that is no proper YAML costs no test.
Not responsible for what a summary means as a result; that is ``nrunner.runners.tap``.
Pure, and bounded in memory whatever it is fed.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import re
from typing import Optional

from nrunner.record import dataclass

__all__ = ["LINE_LIMIT", "TapParser", "TapSummary"]

LINE_LIMIT = 4096
"""Bytes of a line that are looked at; the rest of it is dropped as it comes."""

_KEPT = 10
"""How many names of failed tests and how many errors are kept; the others are counted."""

_VERSION = re.compile(rb"TAP\s+version\s+(\d+)\s*\Z", re.IGNORECASE)
_PLAN = re.compile(rb"1\.\.(\d+)\s*(.*)\Z", re.DOTALL)
_SKIP_ALL = re.compile(rb"#\s*skip\S*\s*(.*)\Z", re.IGNORECASE | re.DOTALL)
_SKIP_ALL_STRICT = re.compile(rb"#\s*skip\b\s*(.*)\Z", re.IGNORECASE | re.DOTALL)
"""From version 13 on, "# skipped" is no directive."""

_OLD_TODO = re.compile(rb"todo((?:\s+\d+)+)")
_TEST = re.compile(rb"(not )?ok\b\s*(\d+)?\s*(.*)\Z", re.DOTALL)
_DIRECTIVE = re.compile(
    rb"([^\\#]*(?:\\.[^\\#]*)*)#\s*(skip|todo)\b\s*(.*)\Z", re.IGNORECASE | re.DOTALL
)
_BAIL_OUT = re.compile(rb"\s*Bail out!\s*(.*)\Z", re.DOTALL)
_PRAGMA = re.compile(rb"pragma\s+([-+]\w+(?:\s*,\s*[-+]\w+)*)\s*\Z")
_YAML = re.compile(rb"[ \t]+---")


@dataclass(frozen=True)
class TapSummary:
    """What a producer said, in all."""

    planned: Optional[int]
    ran: int
    failed: int
    skipped: int
    failures: tuple[str, ...]
    """The first failed tests: number and description."""
    unexpected: tuple[str, ...]
    """The first tests that passed though they were marked TODO."""
    errors: tuple[str, ...]
    """The first offences against the protocol."""
    more_errors: int
    skip_reason: Optional[str]
    """Why the whole file was skipped; None if it was not."""
    bail_out: Optional[str]
    """Why the producer gave up; None if it did not."""

    @property
    def is_tap(self) -> bool:
        """Whether there was a plan, a test or a bail-out at all."""
        return self.planned is not None or self.ran > 0 or self.bail_out is not None


class TapParser:
    """Feed it bytes in pieces of any size, then `close` it."""

    def __init__(self) -> None:
        self._line = b""
        self._held = b""
        self._version = 12
        self._strict = False
        self._in_yaml = False
        self._begun = False
        self._planned: Optional[int] = None
        self._plan_is_last = False
        self._todo: frozenset[int] = frozenset()
        self._ran = self._failed = self._skipped = self._offences = 0
        self._failures: list[str] = []
        self._unexpected: list[str] = []
        self._errors: list[str] = []
        self._skip_reason: Optional[str] = None
        self._bail_out: Optional[str] = None

    def feed(self, data: bytes) -> None:
        """Read the next piece of output."""
        first, newline, rest = data.partition(b"\n")
        self._append(first)
        if not newline:
            return
        self._end_line()
        lines = rest.split(b"\n")
        last = lines.pop()
        for line in lines:
            if self._matters(line):
                self._read(line[:LINE_LIMIT])
        self._append(last)

    def close(self) -> TapSummary:
        """Read a last line without newline and return the summary."""
        self._end_line()
        if self._held:
            self._end_line()
        errors = self._errors + self._final_errors()
        return TapSummary(
            planned=self._planned,
            ran=self._ran,
            failed=self._failed,
            skipped=self._skipped,
            failures=tuple(self._failures),
            unexpected=tuple(self._unexpected),
            errors=tuple(errors),
            more_errors=self._offences - len(self._errors),
            skip_reason=self._skip_reason,
            bail_out=self._bail_out,
        )

    def _append(self, piece: bytes) -> None:
        self._line = (self._line + piece[:LINE_LIMIT])[:LINE_LIMIT]

    def _end_line(self) -> None:
        line, self._line = self._line, b""
        if self._matters(line):
            self._read(line)

    def _matters(self, line: bytes) -> bool:
        # Most lines of a noisy producer are none of ours: let them go before any pattern is tried.
        return line[:1] in _STARTS or self._strict or self._in_yaml or bool(self._held)

    def _read(self, line: bytes) -> None:
        line = line.rstrip(b"\r")
        if self._in_yaml and self._still_yaml(line):
            return
        if not self._held and line.strip() == b"not":
            self._held = line  # some producers break a line here
            return
        line, self._held = self._held + line, b""
        for start, pattern, act in self._tokens:
            if line[: len(start)].lower() == start:
                found = pattern.match(line)
                if found is not None and act(self, found):
                    return
        self._other(line)

    def _still_yaml(self, line: bytes) -> bool:
        if line and line[:1] not in b" \t":
            self._in_yaml = False
            return False
        self._in_yaml = not line.strip().startswith(b"...")
        return True

    def _other(self, line: bytes) -> None:
        if self._version >= 13 and _YAML.match(line):
            self._in_yaml = True
        elif self._strict and line.strip() and line[:1] not in _FREE[self._version]:
            self._offend(f"unknown line {_text(line, 60)!r} under pragma +strict")

    def _on_version(self, found: re.Match[bytes]) -> bool:
        version = int(found[1][:9])
        if self._begun:
            self._offend("the version line is not the first")
        elif not 13 <= version <= 14:
            self._offend(f"version {version} is not known (13 and 14 are)")
        else:
            self._version = version
        self._begun = True
        return True

    def _on_plan(self, found: re.Match[bytes]) -> bool:
        count, tail = _number(found[1]), found[2]
        skip = (_SKIP_ALL if self._version == 12 else _SKIP_ALL_STRICT).match(tail)
        todo = _OLD_TODO.match(tail)
        if tail and not self._may_follow_plan(count, tail, skip is not None, todo is not None):
            return False
        self._begun = True
        if self._planned is not None:
            self._offend("more than one plan")
            return True
        self._planned, self._plan_is_last = count, self._ran > 0
        if todo is not None:
            self._todo = frozenset(_number(each) for each in todo[1].split())
        if count == 0:
            self._skip_reason = _text(skip[1]) if skip is not None else ""
        return True

    def _may_follow_plan(self, count: int, tail: bytes, skip: bool, todo: bool) -> bool:
        if self._version == 12:
            return count == 0 or todo
        return skip or (self._version >= 14 and tail[:1] == b"#")

    def _on_test(self, found: re.Match[bytes]) -> bool:
        self._begun = True
        self._ran += 1
        if self._plan_is_last:
            self._plan_is_last = False
            self._offend("tests on both sides of the plan")
        number = self._ran if found[2] is None else _number(found[2])
        if number != self._ran:
            self._offend(f"test {number} is out of sequence, {self._ran} was expected")
        passed, directive = found[1] is None, _DIRECTIVE.match(found[3])
        name = _name(number, found[3] if directive is None else directive[1])
        word = b"" if directive is None else directive[2].lower()
        if word == b"todo" or (found[2] is not None and number in self._todo):
            if passed:
                _keep(self._unexpected, name)
            return True
        self._skipped += word == b"skip"
        if not passed:
            self._failed += 1
            _keep(self._failures, name)
        return True

    def _on_bail_out(self, found: re.Match[bytes]) -> bool:
        if self._bail_out is None:
            self._bail_out = _text(found[1])
        return True

    def _on_pragma(self, found: re.Match[bytes]) -> bool:
        if self._version < 13:
            return False
        for pragma in found[1].split(b","):
            if pragma.strip()[1:] == b"strict":
                self._strict = pragma.strip()[:1] == b"+"
        return True

    def _offend(self, text: str) -> None:
        self._offences += 1
        _keep(self._errors, text)

    def _final_errors(self) -> list[str]:
        if self._planned is None:
            return ["no plan"] if self._ran else []
        if self._ran != self._planned:
            return [f"{self._planned} tests planned, {self._ran} run"]
        return []

    _tokens = (
        (b"ok", _TEST, _on_test),
        (b"not ok", _TEST, _on_test),
        (b"1..", _PLAN, _on_plan),
        (b"tap", _VERSION, _on_version),
        (b"pragma", _PRAGMA, _on_pragma),
        (b"", _BAIL_OUT, _on_bail_out),
    )


_STARTS = frozenset(bytes((each,)) for each in b"on1TtpB \t\r\f\v")
"""What a line that means something can begin with."""

_FREE = {12: b"#", 13: b"#", 14: b"# \t"}
"""By version, what an unknown line may begin with under pragma +strict."""


def _number(digits: bytes) -> int:
    # No plan is that long; the cut keeps a line of digits from becoming a huge number.
    return int(digits[:18])


def _text(data: bytes, limit: int = 200) -> str:
    return data.decode("utf-8", "replace").strip()[:limit]


def _name(number: int, description: bytes) -> str:
    text = _text(description.strip().lstrip(b"-"))
    return f"{number} ({text})" if text else str(number)


def _keep(kept: list[str], text: str) -> None:
    if len(kept) < _KEPT:
        kept.append(text)
