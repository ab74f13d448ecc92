import pytest

from nrunner.runners.tap_parser import LINE_LIMIT, TapParser, TapSummary


def parse(text: str | bytes) -> TapSummary:
    parser = TapParser()
    parser.feed(text.encode() if isinstance(text, str) else text)
    return parser.close()


@pytest.mark.parametrize("text", ["1..2\nok 1\nok 2\n", "ok 1\nok 2\n1..2\n", "ok\nok\n1..2"])
def test_a_plan_may_come_first_or_last(text: str) -> None:
    summary = parse(text)
    assert (summary.planned, summary.ran, summary.failed, summary.errors) == (2, 2, 0, ())


def test_a_failed_test_is_named_by_number_and_description() -> None:
    summary = parse("1..2\nok 1 - first\nnot ok 2 - bad thing\n")
    assert summary.failed == 1
    assert summary.failures == ("2 (bad thing)",)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("ok 1\n", "no plan"),
        ("1..3\nok 1\n", "3 tests planned, 1 run"),
        ("1..1\nok 1\nok 2\n", "1 tests planned, 2 run"),
        ("1..2\nok 1\nok 1\n", "test 1 is out of sequence, 2 was expected"),
        ("1..2\nok 1\nok 3\n", "test 3 is out of sequence, 2 was expected"),
        ("1..1\n1..1\nok 1\n", "more than one plan"),
        ("ok 1\n1..2\nok 2\n", "tests on both sides of the plan"),
        ("ok 1\n1..1\n1..1\n", "more than one plan"),
        ("1..1\nok 1\nTAP version 13\n", "the version line is not the first"),
        ("TAP version 15\n1..1\nok 1\n", "version 15 is not known (13 and 14 are)"),
        ("TAP version 12\n1..1\nok 1\n", "version 12 is not known (13 and 14 are)"),
        ("1..0\nok 1\n", "0 tests planned, 1 run"),
    ],
)
def test_an_offence_against_the_protocol_is_an_error(text: str, error: str) -> None:
    assert parse(text).errors == (error,)


@pytest.mark.parametrize(
    "text",
    [
        "hello\n1..1\nok 1\nworld\n",
        "1..1\r\nok 1\r\n",
        "TAP version 13\n1..1\nok 1\n  ---\n  got: not ok 5\n  ...\n",
        "TAP version 14\n1..1 # comment\n    1..2\n    ok 1\n    not ok 2\nok 1 - sub\n",
        "TAP version 14\npragma +strict\n1..1\n# Subtest: a\n    ok 1\n        1..0\nok 1\n",
        "TAP version 13\npragma +strict\npragma -strict\nfree text\n1..1\nok 1\n",
        "# a comment\nTAP version 13\n1..1\nok 1\n",
        "okay then\nnot okay\n1..1\nok 1\n",
        b"\xff\xfe\n1..1\nok 1 - \xff\n",
        "ok 1\n1..1",
    ],
)
def test_what_is_not_ours_is_let_through(text: str | bytes) -> None:
    summary = parse(text)
    assert (summary.planned, summary.ran, summary.failed, summary.errors) == (1, 1, 0, ())


def test_an_unknown_line_under_strict_is_an_error() -> None:
    summary = parse("TAP version 13\npragma +strict\n1..1\nwhat\nok 1\n")
    assert summary.errors == ("unknown line 'what' under pragma +strict",)


def test_a_pragma_before_version_13_has_no_effect() -> None:
    assert parse("pragma +strict\n1..1\nfree\nok 1\n").errors == ()


def test_an_unfinished_yaml_block_ends_at_the_next_test() -> None:
    summary = parse("TAP version 13\n1..2\nok 1\n  ---\n  a: 1\nnot ok 2\n")
    assert (summary.ran, summary.failed) == (2, 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1..0 # SKIP nothing here\n", "nothing here"),
        ("1..0 # skipped: no db\n", "no db"),
        ("1..0\n", ""),
        ("TAP version 13\n1..0 # SKIP why\n", "why"),
    ],
)
def test_a_plan_of_none_skips_the_whole_file(text: str, reason: str) -> None:
    summary = parse(text)
    assert summary.skip_reason == reason
    assert summary.errors == ()


def test_a_plan_with_unknown_words_behind_it_is_no_plan() -> None:
    assert parse("1..2 apples\n").planned is None


def test_todo_tests_may_fail_and_are_noted_when_they_pass() -> None:
    summary = parse("1..3\nok 1\nok 2 - second # TODO later\nnot ok 3 - third # todo known\n")
    assert summary.failed == 0
    assert summary.unexpected == ("2 (second)",)


@pytest.mark.parametrize("plan", ["1..2 todo 2", "1..2 todo 1   2;"])
def test_todo_numbers_in_an_old_plan_count(plan: str) -> None:
    summary = parse(plan + "\nok 1\nnot ok 2\n")
    assert (summary.planned, summary.failed) == (2, 0)


def test_todo_numbers_in_an_old_plan_count_for_numbered_tests_only() -> None:
    assert parse("1..2 todo 2\nok\nnot ok\n").failed == 1


@pytest.mark.parametrize("text", ["1..0 # skipped: no\n", "1..0 # skipping\n"])
def test_from_version_13_on_a_plan_says_skip_and_nothing_longer(text: str) -> None:
    assert parse("TAP version 13\n" + text).planned is None


@pytest.mark.parametrize("text", ["1..1\nnot \nok 1\n", "1..1\r\nnot \r\nok 1\r\n"])
def test_not_may_stand_on_a_line_of_its_own(text: str) -> None:
    summary = parse(text)
    assert (summary.ran, summary.failed) == (1, 1)


@pytest.mark.parametrize("text", ["1..1\nok 1\nnot", "1..1\nnot\nok 2\nok 1\n", "1..1\nok\nnot \n"])
def test_not_alone_is_no_test(text: str) -> None:
    summary = parse(text)
    assert (summary.ran, summary.failed, summary.errors) == (1, 0, ())


def test_not_alone_is_an_unknown_line_under_strict() -> None:
    text = "TAP version 13\npragma +strict\n1..1\nok 1\nnot\n"
    assert parse(text).errors == ("unknown line 'not' under pragma +strict",)


def test_a_failed_test_stays_failed_though_it_says_skip() -> None:
    assert parse("1..1\nnot ok 1 # SKIP no\n").failed == 1


def test_an_escaped_hash_begins_no_directive() -> None:
    assert parse("1..1\nnot ok 1 - issue \\# TODO\n").failed == 1


@pytest.mark.parametrize("text", ["1..2\nok 1\nBail out! no db\n", "ok 1\n   Bail out! no db\n"])
def test_a_bail_out_keeps_its_reason(text: str) -> None:
    assert parse(text).bail_out == "no db"


@pytest.mark.parametrize("text", ["", "hello\n", "TAP version 13\n", "# only a comment\n"])
def test_output_without_plan_and_tests_is_no_tap(text: str) -> None:
    assert not parse(text).is_tap


def test_an_endless_line_is_never_held() -> None:
    parser = TapParser()
    parser.feed(b"1..1\nok 1 - ")
    for _ in range(1000):
        parser.feed(b"x" * 10_000)
        assert len(parser._line) <= LINE_LIMIT
    summary = parser.close()
    assert (summary.ran, summary.errors) == (1, ())


def test_many_failures_and_errors_are_counted_and_the_first_kept() -> None:
    summary = parse("1..1000\n" + "not ok 7\n" * 1000)
    assert (summary.failed, len(summary.failures)) == (1000, 10)
    assert len(summary.errors) + summary.more_errors == 999


def test_a_number_of_thousands_of_digits_is_harmless() -> None:
    assert len(parse("1..1\nok " + "9" * 9000 + "\n").errors) == 1
