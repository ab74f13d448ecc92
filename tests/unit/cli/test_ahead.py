"""What is said before a subcommand is moved behind it."""

import pytest

from nrunner.cli.ahead import Said, ahead


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--show test run a", "run --show=test a"),
        ("--show=test -V run a", "run --show=test a"),
        ("-V list a", "list --verbose a"),
        ("--verbose --enable-paginator list", "list --verbose"),
        ("--show app -V jobs list", "jobs list"),
        ("--debug run a", "--debug run a"),
        ("-V --debug list a", "--debug list --verbose a"),
        ("-V --unknown run a", "-V --unknown run a"),
        ("-V", "-V"),
        ("--show", "--show"),
        ("run -V a", "run -V a"),
        ("", ""),
    ],
)
def test_what_stands_before_the_subcommand_is_moved_behind_it(words: str, expected: str) -> None:
    assert ahead(words.split()) == Said(expected.split())


@pytest.mark.parametrize("words", ["--config x.conf -V list a", "-V --config=x.conf list a"])
def test_a_file_of_settings_is_taken_note_of(words: str) -> None:
    assert ahead(words.split()) == Said(["list", "--verbose", "a"], "x.conf")
