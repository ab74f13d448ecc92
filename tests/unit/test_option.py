import pytest

from nrunner.option import (
    Address,
    Count,
    Duration,
    Limit,
    Numbers,
    Pairs,
    Size,
    Switch,
    Text,
    Words,
    duration_text,
    size_text,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("90s", 90.0),
        ("2.5s", 2.5),
        ("15m", 900.0),
        ("1h30m", 5400.0),
        ("1d", 86400.0),
        ("0", 0.0),
    ],
)
def test_a_duration_is_seconds_or_numbers_with_units(text, seconds):
    assert Duration().from_text(text) == seconds
    assert Duration().from_toml(seconds) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "5x", "-1", "1m1h", "1e3", " 5", "5 s", "nan", "9" * 400]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match=r"expected a duration|must be from 0"):
        Duration().from_text(text)


@pytest.mark.parametrize("value", [-1, True, float("nan"), float("inf"), 10**400, [], None])
def test_numbers_that_are_no_duration_are_refused(value):
    with pytest.raises(ValueError, match=r"expected a duration|must be from 0"):
        Duration().from_toml(value)


@pytest.mark.parametrize("text", ["0", "0s", "none"])
def test_a_limit_of_nothing_is_no_limit(text):
    assert Limit().from_text(text) is None


def test_a_positive_duration_cannot_be_nothing():
    with pytest.raises(ValueError, match="more than 0"):
        Duration(positive=True).from_text("0")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (2.5, "2.5s"), (60, "1m"), (5400, "1h30m"), (90061, "25h1m1s")],
)
def test_durations_are_written_with_units_that_can_be_read_again(seconds, text):
    assert duration_text(seconds) == text
    assert Duration().from_text(text) == seconds


@pytest.mark.parametrize("text", ["0", "-3", "two", "1.0", "", "٣", "1" * 30])
def test_a_count_is_a_whole_number_in_range(text):
    with pytest.raises(ValueError, match=r"whole number|1 or more"):
        Count(1).from_text(text)


def test_a_count_may_have_an_upper_bound():
    assert Count(most=9).from_toml(9) == 9
    assert Count(most=9).schema() == {"type": "integer", "minimum": 0, "maximum": 9}
    with pytest.raises(ValueError, match="must be 9 or less, got 10"):
        Count(most=9).from_toml(10)


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_a_count_in_a_file_is_an_integer(value):
    with pytest.raises(ValueError, match="expected a whole number"):
        Count(1).from_toml(value)


def test_switches_know_the_usual_words():
    assert [Switch().from_text(each) for each in ("1", "Yes", "ON", "true")] == [True] * 4
    assert [Switch().from_text(each) for each in ("0", "no", "off", "False")] == [False] * 4
    with pytest.raises(ValueError, match="expected true or false, got 'maybe'"):
        Switch().from_text("maybe")


def test_words_are_split_in_text_and_kept_apart_in_flags():
    assert Words(" ").from_text("a,b  -c") == ("a,b", "-c")
    assert Words(" ").from_flag(("a b", "c")) == ("a b", "c")
    with pytest.raises(ValueError, match="expected a list of strings, got 'a'"):
        Words().from_toml("a")


def test_exit_statuses_end_at_255():
    assert Numbers(255).from_text("77, 99") == (77, 99)
    with pytest.raises(ValueError, match="255 or less, got 256"):
        Numbers(255).from_toml([256])


def test_pairs_keep_equals_signs_newlines_and_the_last_of_a_name():
    assert Pairs().from_flag(("A=1", "B=x=y\nz", "A=")) == {"A": "", "B": "x=y\nz"}
    assert Pairs().from_text("A=1\nB=2") == {"A": "1", "B": "2"}


@pytest.mark.parametrize("pair", ["A", "=1", "", "A\0=1", "A=\0", "A B=1", " A=1", "A\n=1"])
def test_what_is_no_pair_is_refused(pair):
    with pytest.raises(ValueError, match=r"NAME=VALUE|cannot be a name|expected a string"):
        Pairs().from_flag((pair,))


@pytest.mark.parametrize("value", [{"A": 1}, {"A=B": "x"}, {"A B": "x"}, []])
def test_a_table_that_is_no_environment_is_refused(value):
    with pytest.raises(ValueError, match=r"expected a|cannot be a name"):
        Pairs().from_toml(value)


@pytest.mark.parametrize("text", ["127.0.0.1:0", "localhost:65535", "[::1]:8080"])
def test_an_address_has_host_and_port(text):
    assert Address().from_text(text) == text


@pytest.mark.parametrize("text", ["8080", "localhost", ":80", "h:65536", "::1:80", "a b:1", "h:x"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="expected HOST:PORT"):
        Address().from_text(text)


def test_a_path_may_begin_at_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert Text(path=True).from_text("~/results") == "/home/somebody/results"
    assert Text().from_text("~/results") == "~/results"


@pytest.mark.parametrize("value", ["", "a\0b", 5, True, ["a"], {}])
def test_text_is_not_empty_and_has_no_nul(value):
    with pytest.raises(ValueError, match=r"must not|expected a string"):
        Text().from_toml(value)


@pytest.mark.parametrize(
    ("text", "size"),
    [("4096", 4096), ("1K", 1024), ("500M", 500 << 20), ("1.5G", 3 << 29), ("2T", 2 << 40)],
)
def test_a_size_is_bytes_or_a_number_with_a_unit(text, size):
    assert Size().from_text(text) == size
    assert Size().from_toml(size) == size
    assert Size().from_text(Size().to_json(size)) == size


@pytest.mark.parametrize("text", ["0", "0G", "none"])
def test_a_size_of_nothing_is_no_limit(text):
    assert Size().from_text(text) is None
    assert Size().to_json(None) == "none"


@pytest.mark.parametrize("value", ["", "G", "1X", "-1", "1 G", "1e3", "9" * 40, True, 1.5, [], -1])
def test_what_is_no_size_is_refused(value):
    with pytest.raises(ValueError, match="expected a size such as 4096, 500M or"):
        Size().from_toml(value)


def test_a_size_is_written_as_short_as_it_is_exact():
    assert [size_text(each) for each in (0, 1000, 1024, 1536, 3 << 20, 5 << 30)] == [
        "0",
        "1000",
        "1K",
        "1536",
        "3M",
        "5G",
    ]
