from pathlib import Path

import pytest

from nrunner.resolver.base import Answer, Context
from nrunner.resolver.tap import TapResolver


def _file(path: Path, content: str, mode: int) -> None:
    path.write_text(content)
    path.chmod(mode)


@pytest.mark.parametrize("reference", ["a.t", "tap:a.t", "tap:./a.sh"])
def test_a_t_file_and_any_program_so_called_print_tap(tmp_path: Path, reference: str) -> None:
    for name in ("a.t", "a.sh"):
        _file(tmp_path / name, "#!/bin/sh\n", 0o755)
    resolution = TapResolver().resolve(reference, Context(tmp_path))
    assert resolution.answer is Answer.SUCCESS
    [runnable] = resolution.runnables
    assert (runnable.kind, runnable.uri) == ("tap", reference.removeprefix("tap:"))


@pytest.mark.parametrize(
    ("first_line", "uri", "words"),
    [
        ("use strict;", "perl", ()),
        ("#!/bin/sh", "/bin/sh", ()),
        ("#!/bin/sh -e -u", "/bin/sh", ("-e -u",)),
        ("#! /usr/bin/env perl", "perl", ()),
        ("#!/usr/bin/env perl -w", "perl", ("-w",)),
        ("#!/usr/bin/env -S perl -w", "perl", ("-w",)),
        ("#!/usr/bin/env -S A=1 perl", "/usr/bin/env", ("A=1", "perl")),
    ],
)
def test_a_t_file_that_is_not_executable_is_given_to_its_interpreter(
    tmp_path: Path, first_line: str, uri: str, words: tuple[str, ...]
) -> None:
    _file(tmp_path / "a.t", first_line + "\n", 0o644)
    [runnable] = TapResolver().resolve("a.t", Context(tmp_path)).runnables
    assert (runnable.uri, runnable.args) == (uri, (*words, "a.t"))
    assert runnable.name == "a.t"


@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_a_perl_that_is_not_there_is_the_one_on_path(tmp_path: Path, mode: int) -> None:
    _file(tmp_path / "a.t", "#!./perl -T\n", mode)
    _file(tmp_path / "b.t", "#!/no/such/perl5.8\n", mode)
    for name, words in (("a.t", ("-T", "a.t")), ("b.t", ("b.t",))):
        [runnable] = TapResolver().resolve(name, Context(tmp_path)).runnables
        assert (runnable.uri, runnable.args, runnable.name) == ("perl", words, name)


def test_a_perl_that_is_there_runs_the_scripts_that_ask_for_it(tmp_path: Path) -> None:
    _file(tmp_path / "perl", "#!/bin/sh\n", 0o755)
    _file(tmp_path / "a.t", "#!./perl\n", 0o644)
    _file(tmp_path / "b.t", "#!./perl\n", 0o755)
    [first] = TapResolver().resolve("a.t", Context(tmp_path)).runnables
    [second] = TapResolver().resolve("b.t", Context(tmp_path)).runnables
    assert (first.uri, first.args) == ("./perl", ("a.t",))
    assert (second.uri, second.args) == ("b.t", ())


def test_another_interpreter_that_is_not_there_is_never_replaced(tmp_path: Path) -> None:
    _file(tmp_path / "a.t", "#!/no/such/ruby\n", 0o644)
    [runnable] = TapResolver().resolve("a.t", Context(tmp_path)).runnables
    assert runnable.uri == "/no/such/ruby"


def test_other_files_are_declined(tmp_path: Path) -> None:
    _file(tmp_path / "a.sh", "#!/bin/sh\n", 0o755)
    _file(tmp_path / "b.txt", "text", 0o644)
    resolver = TapResolver()
    for reference in ("a.sh", "missing.t", "tap:missing", "."):
        assert resolver.resolve(reference, Context(tmp_path)).answer is Answer.NOT_MINE
    reason = resolver.resolve("tap:b.txt", Context(tmp_path)).reason
    assert reason == "it is neither an executable program nor a *.t file"
