"""Requirements that a job or a suite has for all of its tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nrunner.errors import ExitCode, UsageError
from nrunner.requirement import from_flag, joined, requiring
from nrunner.runnable import Requirement, Runnable

A = Requirement("file", "a")
B = Requirement("file", "b")
HELLO = Requirement("package", kwargs={"name": "hello"})


def error_of(*texts: str) -> str:
    with pytest.raises(UsageError) as caught:
        from_flag(texts)
    assert caught.value.exit_code == ExitCode.USAGE
    return str(caught.value)


def test_what_is_required_twice_is_required_once_and_where_it_was_first() -> None:
    other = Requirement("package", kwargs={"name": "hello", "action": "remove"})
    assert joined([HELLO, A], [B], [A, other, HELLO]) == (HELLO, A, B, other)


def test_a_test_requires_what_its_suite_does_and_then_what_it_says_itself() -> None:
    own = Runnable("noop", requirements=(B, A, B))
    assert requiring(own, (HELLO, A)).requirements == (HELLO, A, B)
    assert requiring(own, ()).requirements == (B, A)
    assert requiring(Runnable("noop"), (A,)).requirements == (A,)


def test_a_test_that_can_never_work_waits_for_nothing() -> None:
    broken = Runnable("malformed", "x", kwargs={"reason": "it is broken"})
    assert requiring(broken, (A,)) == broken


def test_the_flag_takes_json_with_one_requirement_or_several(tmp_path: Path) -> None:
    file = tmp_path / "deps.json"
    file.write_text(json.dumps([B.to_json(), A.to_json()]))
    one = ' {"type": "file", "uri": "a"}'
    some = '[{"type": "package", "name": "hello"}, {"type": "file", "uri": "b"}]'
    assert from_flag([one, some, str(file)]) == (A, HELLO, B)
    assert from_flag([]) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type" "file"}', "use --job-dependency: not JSON: expecting ':' delimiter (column 9)"),
        ("[" * 100_000, "use --job-dependency: nested too deeply"),
        ('{"uri": "a"}', 'use --job-dependency: key "type" is missing'),
        ('{"type": ""}', 'use --job-dependency: key "type": must not be empty'),
        ('{"type": "file", "args": "x"}', 'key "args": expected a list, got a string'),
        ('[{"type": "file"}, 3]', 'key "[1]": expected an object, got a number'),
        ('{"type": "file", "n": NaN}', 'key "n": nan is no number that can be passed on'),
        ("", "use --job-dependency : is a directory"),
        ("gone", "use --job-dependency gone: no such file or directory; give JSON such as {"),
        ("a\0b", "embedded null"),
    ],
)
def test_what_is_wrong_with_the_flag_is_said(text: str, message: str) -> None:
    assert message in error_of(text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[\n{"type": "file"},\n{"typ": "file"}]', ':3: key "[1]": key "type" is missing'),
        ('{\n"type": "file",\n"args": [1]}', ':3: key "args[0]": expected a string, got a number'),
        ('{\n"type" "file"}', ":2: not JSON: expecting ':' delimiter (column 8)"),
        ("\udcff", ": not UTF-8: byte 0 is wrong"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_line(
    tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "deps.json"
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert error_of(str(file)).endswith(f"deps.json{message}")


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "deps.json"
    file.write_text('[{"type": 1},\n{"args": [""]}]')
    assert [line.rpartition("deps.json:")[2][0] for line in error_of(str(file)).splitlines()] == [
        "1",
        "2",
    ]
