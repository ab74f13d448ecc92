import errno
from pathlib import Path

import pytest

from nrunner.runners.child import explain


def refused(number: int, program: str) -> OSError:
    return OSError(number, "Some Reason", program)


def test_a_missing_interpreter_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    program = tmp_path / "script"
    program.write_text("#! /no/such/python -u\n")
    text = explain(refused(errno.ENOENT, str(program)), str(program))
    assert text == f"cannot execute '{program}': its interpreter '/no/such/python' is missing"
    program.write_bytes(b"\x7fELF")
    text = explain(refused(errno.ENOENT, str(program)), str(program))
    assert text == f"cannot execute '{program}': its interpreter is missing"


@pytest.mark.parametrize("tail", ["\r\nexit 0\r\n", "\r"])
def test_a_script_with_line_ends_of_windows_is_told_so(tmp_path: Path, tail: str) -> None:
    program = tmp_path / "script"
    program.write_bytes(b"#!\t/bin/sh" + tail.encode())
    text = explain(refused(errno.ENOENT, str(program)), str(program))
    assert text.endswith(
        "its interpreter '/bin/sh\\r' is missing (lines end as on Windows, in CR LF)"
    )


@pytest.mark.parametrize(
    ("number", "program", "text"),
    [
        (errno.ENOENT, "/no/such", "there is no program '/no/such'"),
        (errno.ENOENT, "such", "there is no program 'such', here or on PATH"),
        (errno.EACCES, "/", "cannot execute '/': it is a folder"),
        (errno.EACCES, "/x", "cannot execute '/x': some reason"),
    ],
)
def test_a_refusal_names_the_program_and_the_reason(number: int, program: str, text: str) -> None:
    assert explain(refused(number, program), program) == text


def test_trouble_with_anything_else_names_that() -> None:
    assert explain(refused(errno.ENOENT, "/gone"), "/bin/true") == "/gone: some reason"
