"""Errors on the event loop that nobody waits for."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

from nrunner.mishap import Mishaps


def after(folder: Path, *errors: Exception) -> tuple[list[str], str]:
    """Return what people are told of errors in callbacks, and what stands in the file."""
    said: list[str] = []
    file = folder / "mishaps.txt"

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(Mishaps(file, said.append).take)

        def fail(error: Exception) -> None:
            raise error

        for error in errors:
            loop.call_soon(fail, error)
        await asyncio.sleep(0)

    asyncio.run(main())
    return said, file.read_text() if file.exists() else ""


def test_an_error_that_nobody_foresaw_is_told_in_a_line_and_kept_with_its_traceback(tmp_path):
    said, kept = after(tmp_path, ZeroDivisionError("so \ud800 odd"))
    (line,) = said
    assert line.startswith("this is a bug in nrunner: ZeroDivisionError: so ")
    assert line.endswith("(see mishaps.txt in the job's folder)")
    assert "Traceback" in kept
    assert "in fail" in kept


def test_the_same_error_is_told_once_and_of_many_a_few(tmp_path):
    said, _ = after(tmp_path, *[KeyError("same")] * 5)
    assert len(said) == 1
    said, kept = after(tmp_path / "..", *[KeyError(number) for number in range(100)])
    assert len(said) == 10
    assert kept.count("Traceback") == 10


def test_a_want_of_descriptors_is_no_bug(tmp_path):
    said, kept = after(tmp_path, OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
    assert said == ["the job's sockets rest for a moment: Too many open files"]
    assert kept == ""


def test_a_file_that_cannot_be_written_costs_the_traceback_alone(tmp_path):
    (tmp_path / "mishaps.txt").mkdir()
    said, _ = after_without_file(tmp_path)
    assert len(said) == 1


def after_without_file(folder: Path) -> tuple[list[str], None]:
    said: list[str] = []
    loop = asyncio.new_event_loop()
    Mishaps(folder / "mishaps.txt", said.append).take(loop, {"message": "odd"})
    loop.close()
    return said, None
