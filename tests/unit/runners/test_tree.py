"""The copy of a controller's files: what is missing of it, and putting it there."""

from __future__ import annotations

import hashlib

import pytest

from nrunner.errors import RequirementError
from nrunner.runners.tree import TreeCopy


class Turns:
    """A loop whose next turn comes when it is asked for."""

    def __init__(self) -> None:
        self.later: list = []

    def real_after(self, _delay: float, callback) -> None:
        self.later.append(callback)


def tell(folder, body: bytes = b"", **head):
    turns, answers = Turns(), []
    copy = TreeCopy(turns, lambda _head, told: answers.append(told))
    copy.take({"root": str(folder), **head}, body)
    count = 0
    while turns.later:
        count += 1
        turns.later.pop(0)()
    [answer] = answers
    return answer, count


def entry(path: str, data: bytes) -> list:
    return [path, len(data), hashlib.sha256(data).hexdigest()]


def test_many_files_come_in_one_frame(tmp_path):
    root = tmp_path / "tree"
    files = [["a", 0o644, 3], ["d/e/b.sh", 0o755, 2], ["empty", 0o600, 0]]
    assert tell(root, b"onetw", files=files) == ({"done": True}, 0)
    assert (root / "a").read_bytes() == b"one"
    assert (root / "d" / "e" / "b.sh").read_bytes() == b"tw"
    assert (root / "d" / "e" / "b.sh").stat().st_mode & 0o777 == 0o755
    assert sorted(each.name for each in root.iterdir()) == ["a", "d", "empty"]


def test_what_is_there_is_replaced_whatever_it_is(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").touch()
    outside = tmp_path.parent / "outside"
    outside.write_text("stays")
    (tmp_path / "b").symlink_to(outside)
    tell(tmp_path, b"12", files=[["a", 0o600, 1], ["b", 0o600, 1]], links=[["c", "a"]])
    tell(tmp_path, links=[["c", "b"]])
    assert (tmp_path / "a").read_bytes() == b"1"
    assert (tmp_path / "b").read_bytes() == b"2"
    assert (tmp_path / "c").readlink().name == "b"
    assert outside.read_text() == "stays"


@pytest.mark.parametrize("path", ["../x", "/x", "", "a/../x", "a//b", ".", 7, None])
@pytest.mark.parametrize("sort", ["files", "links"])
def test_no_path_leads_out_of_the_root(tmp_path, path, sort):
    entries = {"files": [[path, 0o600, 0]], "links": [[path, "x"]]}
    with pytest.raises(RequirementError, match="below the root"):
        tell(tmp_path / "root", **{sort: entries[sort]})


def test_what_cannot_be_put_is_said_and_nothing_is_left(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(RequirementError, match="a/b: not a directory"):
        tell(tmp_path, b"x", files=[["a/b", 0o600, 1]])
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_what_is_missing_or_different_is_told(tmp_path):
    for name in ("same", "other", "shorter"):
        (tmp_path / name).write_bytes(b"content")
    (tmp_path / "link").symlink_to("same")
    wanted = [
        entry("same", b"content"),
        entry("other", b"CONTENT"),
        entry("shorter", b"cont"),
        entry("gone", b"content"),
        entry("link", b"content"),
    ]
    answer, _ = tell(tmp_path, manifest=wanted)
    assert answer == {"missing": ["other", "shorter", "gone", "link"]}


def test_looking_at_many_files_lets_others_have_their_turn(tmp_path):
    answer, turns = tell(tmp_path, manifest=[entry(f"{each}", b"x") for each in range(1000)])
    assert len(answer["missing"]) == 1000
    assert turns == 4
