import pytest

from nrunner.errors import SpawnError
from nrunner.inventory import Dut, Hooks, Secret
from nrunner.labsecret import Struck, secrets_of


def dut(**secrets):
    return Dut("one", "192.0.2.1", hooks=Hooks(secrets=secrets))


def test_secrets_are_read_from_files_and_variables_when_they_are_needed(tmp_path):
    file = tmp_path / "token"
    known = dut(TOKEN=Secret(file), USER=Secret(None, "LAB_USER"))
    file.write_text("one\n")
    assert secrets_of(known, {"LAB_USER": "me"}) == {"TOKEN": "one", "USER": "me"}
    file.write_text("two")
    assert secrets_of(known, {"LAB_USER": "me"})["TOKEN"] == "two"


def test_a_secret_that_is_not_there_is_named_without_telling_any(tmp_path):
    with pytest.raises(SpawnError, match=r"secret A of one: the variable LAB_USER is not set"):
        secrets_of(dut(A=Secret(None, "LAB_USER")), {"OTHER": "hidden"})
    with pytest.raises(SpawnError, match=r"secret A of one: .*/none: no such file"):
        secrets_of(dut(A=Secret(tmp_path / "none")), {})
    (tmp_path / "binary").write_bytes(b"a\0b")
    with pytest.raises(SpawnError, match=r"holds a null byte"):
        secrets_of(dut(A=Secret(tmp_path / "binary")), {})


def struck(secrets, text, size):
    each = Struck(secrets)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    return b"".join([*map(each.feed, pieces), each.finish()])


cut = pytest.mark.parametrize("size", [1, 2, 3, 5, 100])


@cut
def test_secrets_are_struck_out_wherever_the_stream_is_cut(size):
    text = b"login: hunter2\nhunt hunter hunter2hunter2, token abc\nhunter"
    expected = b"login: ***\nhunt hunter ******, token ***\nhunter"
    assert struck(["hunter2", "abc", ""], text, size) == expected


@cut
def test_a_secret_that_begins_as_another_does_is_struck_out_whole(size):
    assert struck(["key", "key-long"], b"key-long key-lo key", size) == b"*** ***-lo ***"


@cut
def test_secrets_that_overlap_are_struck_out_whole(size):
    text = b"admin2024root admin2024 2024root aa aaa"
    expected = b"*** *** *** *** ***"
    assert struck(["admin2024", "2024root", "aa"], text, size) == expected


def test_what_cannot_be_a_secret_is_shown_at_once():
    each = Struck(["hunter2"])
    assert each.feed(b"hello\n") == b"hello\n"
    assert each.feed(b"x hun") == b"x "
    assert each.feed(b"gry") == b"hungry"
