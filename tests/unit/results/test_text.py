import pytest

from nrunner.results.text import escaped, first_line, shortened, task_name, utf8, visible
from nrunner.testing.sample import HOSTILE_TEXTS


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_whatever_the_text_it_becomes_one_printable_line(text):
    for made in (visible(text), first_line(text), shortened(text)):
        assert made.isprintable()
        made.encode("utf-8")


def test_what_cannot_be_seen_is_shown_as_its_escape():
    assert visible("a\nb\x1b[1m\0\u202e\ud800é日") == r"a\nb\x1b[1m\x00\u202e\ud800é日"


def test_a_long_reason_is_cut_with_an_ellipsis():
    assert first_line("x" * 300) == "x" * 197 + "..."
    assert first_line("y" * 200) == "y" * 200


def test_only_the_first_line_that_says_something_is_kept():
    assert first_line("\n\n  first \r\nsecond") == "first"


def test_a_long_name_keeps_its_start_and_its_end():
    made = shortened("a" * 5000 + "end")
    assert made.startswith("aaa")
    assert made.endswith("end")
    assert len(made) < 400


def test_a_short_text_is_left_alone_by_utf8_and_half_characters_are_not():
    assert utf8("\x00é日😀") == "\x00é日😀"
    assert utf8("a\udcff") == r"a\udcff"


@pytest.mark.parametrize(
    ("task_id", "name"),
    [
        ("1-/bin/true", "/bin/true"),
        ("007-a-b;v", "a-b;v"),
        ("no-number", "no-number"),
        ("1", "1"),
        ("", ""),
        ("-x", "-x"),
    ],
)
def test_the_name_of_a_task_is_its_id_without_the_number(task_id, name):
    assert task_name(task_id) == name


def test_markup_is_shown_and_not_obeyed():
    assert escaped("<a href=\"x\" b='y'>&amp;</a>") == (
        "&lt;a href=&quot;x&quot; b=&#x27;y&#x27;&gt;&amp;amp;&lt;/a&gt;"
    )
