from hypothesis import given
from hypothesis import strategies as st

from nrunner.runners.tap_parser import TapParser, TapSummary

LINES = st.sampled_from(
    [
        b"TAP version 13",
        b"TAP version 14",
        b"pragma +strict",
        b"1..3",
        b"1..0 # SKIP why",
        b"ok",
        b"ok 1 - a",
        b"ok 2 # SKIP b",
        b"not ok 3 # TODO c",
        b"not ok",
        b"not ",
        b"Bail out! d",
        b"  ---",
        b"  x: 1",
        b"  ...",
        b"    ok 1",
        b"",
        b"noise",
        b"x" * 5000,
        b"ok " + b"9" * 5000,
    ]
)
ENDS = st.sampled_from([b"\n", b"\r\n"])
PIECES = st.lists(st.one_of(st.binary(max_size=30), LINES, ENDS), max_size=40)
PLAUSIBLE = st.lists(st.tuples(LINES, ENDS).map(b"".join), max_size=25)


def read(pieces: list[bytes]) -> TapSummary:
    parser = TapParser()
    for piece in pieces:
        parser.feed(piece)
    return parser.close()


@given(PIECES)
def test_whatever_is_fed_a_summary_comes_out(pieces: list[bytes]) -> None:
    summary = read(pieces)
    assert summary.failed <= summary.ran
    assert summary.more_errors >= 0


@given(st.one_of(PIECES, PLAUSIBLE), st.integers(1, 7))
def test_where_the_output_is_cut_into_pieces_makes_no_difference(
    pieces: list[bytes], size: int
) -> None:
    data = b"".join(pieces)
    small = [data[at : at + size] for at in range(0, len(data), size)]
    assert read(pieces) == read([data]) == read(small)


@given(st.integers(0, 60), st.booleans(), st.sets(st.integers(1, 60)))
def test_a_proper_producer_has_no_errors(count: int, plan_first: bool, bad: set[int]) -> None:
    tests = [b"%sok %d\n" % (b"not " if n in bad else b"", n) for n in range(1, count + 1)]
    plan = [b"1..%d\n" % count]
    summary = read(plan + tests if plan_first else tests + plan)
    assert summary.errors == ()
    assert summary.failed == len([n for n in bad if n <= count])
