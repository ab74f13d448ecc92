from __future__ import annotations

from nrunner.status.line import Budget, Line, Lines

KIB = 1024


def lines_of(limit: int = 0) -> tuple[Lines, list[bytes], Budget]:
    refused: list[bytes] = []

    def note(line: Line) -> None:
        refused.append(bytes(line))

    budget = Budget(limit)
    return Lines(budget, note), refused, budget


def test_a_line_is_given_when_its_newline_comes() -> None:
    lines, _, _ = lines_of()

    assert lines.feed(b"ab") == []
    assert lines.feed(b"c\nde\nf") == [b"abc", b"de"]
    assert lines.feed(b"\n\n") == [b"f", b""]


def test_the_last_line_needs_no_newline() -> None:
    lines, _, _ = lines_of()
    lines.feed(b"one\ntwo")

    assert lines.finish() == [b"two"]
    assert lines.finish() == []


def test_a_long_line_is_held_in_the_budget_and_given_back() -> None:
    lines, refused, budget = lines_of(limit=300 * KIB)
    for _ in range(3):
        lines.feed(b"x" * 100 * KIB)

    assert budget.held == 236 * KIB
    assert lines.feed(b"\nnext\n") == [b"x" * 300 * KIB, b"next"]
    assert budget.held == 0
    assert refused == []


def test_a_line_beyond_the_budget_is_skipped_up_to_its_newline_and_the_stream_lives() -> None:
    lines, refused, budget = lines_of(limit=100 * KIB)
    for _ in range(5):
        assert lines.feed(b"y" * 100 * KIB) == []

    assert budget.held == 0
    assert lines.feed(b"end of it\ngood\n") == [b"good"]
    assert refused == [b"y" * 64 * KIB]


def test_a_line_that_is_refused_at_its_very_end_is_not_given() -> None:
    lines, refused, budget = lines_of(limit=0)
    lines.feed(b"x" * 60 * KIB)

    assert lines.feed(b"x" * 10 * KIB + b"\ngood\n") == [b"good"]
    assert len(refused) == 1
    assert budget.held == 0


def test_a_refused_line_without_a_newline_leaves_nothing_at_the_end() -> None:
    lines, _, _ = lines_of()
    lines.feed(b"x" * 65 * KIB)

    assert lines.finish() == []
    assert lines.feed(b"good\n") == [b"good"]


def test_a_greedy_stream_leaves_room_for_short_lines_of_others() -> None:
    greedy, _, budget = lines_of(limit=100 * KIB)
    other = Lines(budget, lambda _: None)
    greedy.feed(b"x" * 164 * KIB)
    assert budget.held == budget.limit

    other.feed(b"y" * 60 * KIB)

    assert other.feed(b"\n") == [b"y" * 60 * KIB]
