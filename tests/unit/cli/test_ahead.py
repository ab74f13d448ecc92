"""What is said before a subcommand is moved behind it."""

import pytest

from nrunner.cli.ahead import moved


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--show test run a", "run --show test a"),
        ("--show=test -V run a", "run --show=test a"),
        ("-V list a", "list --verbose a"),
        ("--verbose --enable-paginator list", "list --verbose"),
        ("--show app -V jobs list", "jobs list"),
        ("--debug run a", "--debug run a"),
        ("-V --debug run a", "-V --debug run a"),
        ("-V", "-V"),
        ("--show", "--show"),
        ("run -V a", "run -V a"),
        ("", ""),
    ],
)
def test_what_stands_before_the_subcommand_is_moved_behind_it(words: str, expected: str) -> None:
    assert moved(words.split()) == expected.split()
