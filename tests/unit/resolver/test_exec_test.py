from pathlib import Path

import pytest

from nrunner.resolver.base import Answer, Context
from nrunner.resolver.exec_test import ExecTestResolver


def _file(path: Path, content: bytes, mode: int) -> None:
    path.write_bytes(content)
    path.chmod(mode)


def test_a_program_keeps_the_path_as_it_was_typed(tmp_path: Path) -> None:
    _file(tmp_path / "a", b"#!/bin/sh\n", 0o755)
    config = {"runner.x": 1}
    for reference in ("/bin/true", "./a", "a", "exec-test:a"):
        resolution = ExecTestResolver().resolve(reference, Context(tmp_path, config=config))
        assert resolution.answer is Answer.SUCCESS
        [runnable] = resolution.runnables
        assert (runnable.kind, runnable.uri) == ("exec-test", reference.removeprefix("exec-test:"))
        assert runnable.config == config


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        (b"#!/bin/sh\n", 0o644, "it is not executable (chmod +x makes it so)"),
        (b"text", 0o755, "it is executable, but neither a script (#!) nor an ELF binary"),
        (b"", 0o755, "it is executable, but neither a script (#!) nor an ELF binary"),
        (b"text", 0o644, "it is not an executable file"),
    ],
)
def test_what_is_no_program_is_declined_with_a_reason(
    tmp_path: Path, content: bytes, mode: int, reason: str
) -> None:
    _file(tmp_path / "a", content, mode)
    resolution = ExecTestResolver().resolve("a", Context(tmp_path))
    assert (resolution.answer, resolution.reason) == (Answer.NOT_MINE, reason)


def test_a_folder_and_a_device_are_declined(tmp_path: Path) -> None:
    for reference in (".", "/dev/null", "missing"):
        resolution = ExecTestResolver().resolve(reference, Context(tmp_path))
        assert (resolution.answer, resolution.reason) == (Answer.NOT_MINE, "")
