"""Taking files out of a folder in which a test could put anything."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from nrunner.runners.outgoing import Outgoing, Walk, enclosed


def taken(folder, most: int = 7, *, again: bool = False, **limits) -> tuple[dict, list]:
    """Take all that is in a folder; `again` asks for each piece of a new agent."""
    outgoing, found, left_out = Outgoing(), {}, []
    head = {"folder": str(folder), "most": most, "most_files": 1000, "most_bytes": 1 << 20}
    head.update(limits)
    while True:
        answer, body = outgoing.take(head)
        left_out += answer.get("left_out", [])
        offset = 0
        for path, _mode, at, length, _last in answer["entries"]:
            assert at == len(found.get(path, b""))
            found[path] = found.get(path, b"") + body[offset : offset + length]
            offset += length
        assert offset == len(body) <= most
        if "next" not in answer:
            outgoing.close()
            return found, left_out
        head["from"] = answer["next"]
        if again:
            outgoing.close()
            outgoing = Outgoing()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / "b" / "deep" / "x").write_bytes(b"0123456789" * 3)
    (tmp_path / "b" / "empty").write_bytes(b"")
    (tmp_path / "b.x").write_bytes(b"dot")
    (tmp_path / "a").write_bytes(b"first")
    (tmp_path / "c").write_bytes(b"last")
    return tmp_path


EVERYTHING = {
    "a": b"first",
    "b/deep/x": b"0123456789" * 3,
    "b/empty": b"",
    "b.x": b"dot",
    "c": b"last",
}


@pytest.mark.parametrize("most", [1, 7, 1000])
@pytest.mark.parametrize("again", [False, True])
def test_all_files_come_whole_whoever_is_asked_for_the_next_piece(folder, most, again):
    assert taken(folder, most, again=again) == (EVERYTHING, [])


def test_a_piece_that_was_lost_is_the_same_when_it_is_asked_for_again(folder):
    outgoing = Outgoing()
    head = {"folder": str(folder), "most": 8, "most_files": 1000, "most_bytes": 1000}
    first, _ = outgoing.take(head)
    head["from"] = first["next"]
    second = outgoing.take(head)
    assert outgoing.take(head) == second
    outgoing.close()


@pytest.mark.parametrize("again", [False, True])
def test_limits_hold_over_all_pieces(folder, again):
    found, left_out = taken(folder, 7, again=again, most_files=2)
    assert sorted(found) == ["a", "b/deep/x"]
    assert left_out == [["b/empty", "there are more than 2 files"]]
    found, left_out = taken(folder, 7, again=again, most_bytes=12)
    assert sorted(found) == ["a", "b.x", "b/empty", "c"]
    assert left_out == [["b/deep/x", "it has 30 bytes, which makes more than 12 in all"]]


def test_a_file_that_is_gone_or_shorter_meanwhile_ends_there(folder):
    outgoing = Outgoing()
    head = {"folder": str(folder), "most": 15, "most_files": 1000, "most_bytes": 1000}
    head["from"] = outgoing.take(head)[0]["next"]
    (folder / "b" / "deep" / "x").write_bytes(b"0")
    answer, body = outgoing.take(head)
    path, _mode, *rest = answer["entries"][0]
    assert (path, rest) == ("b/deep/x", [10, 0, True])
    assert body == b"dotlast"
    outgoing.close()
    outgoing = Outgoing()
    (folder / "b" / "deep" / "x").unlink()
    assert outgoing.take(head)[1] == b"dotlast"
    outgoing.close()


def test_nothing_but_regular_files_is_opened(folder):
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "etc").symlink_to("/etc")
    os.mkfifo(folder / "pipe")
    found, left_out = taken(folder)
    assert found == EVERYTHING
    assert left_out == [
        ["etc", "it is a link"],
        ["link", "it is a link"],
        ["pipe", "it is no regular file"],
    ]


def test_a_link_in_place_of_the_folder_is_not_followed(folder, tmp_path):
    (tmp_path / "logs").symlink_to(folder)
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        taken(tmp_path / "logs")


def test_a_folder_that_is_not_there_has_no_files(tmp_path):
    assert taken(tmp_path / "gone") == ({}, [])


def test_what_is_too_deep_is_left_out(tmp_path):
    deep = tmp_path.joinpath(*["d"] * 80)
    deep.mkdir(parents=True)
    (deep / "x").write_text("x")
    (tmp_path / "a").write_text("a")
    found, [[path, why]] = taken(tmp_path)
    assert sorted(found) == ["a"]
    assert (path, why) == ("/".join(["d"] * 64), "it is 64 folders deep")


def test_looking_through_many_folders_is_interrupted_for_others(tmp_path):
    for number in range(1500):
        (tmp_path / f"{number:04}").mkdir()
    walk = Walk(str(tmp_path), 10, 10)
    assert walk.piece(10).cursor is not None
    assert walk.piece(10).cursor is None
    walk.close()


def test_names_that_are_no_text_come_as_they_are(tmp_path):
    (tmp_path / os.fsdecode(b"\xff")).write_bytes(b"x")
    assert taken(tmp_path) == ({os.fsdecode(b"\xff"): b"x"}, [])


def test_a_few_small_files_are_enclosed_and_their_folder_is_gone(folder):
    told = enclosed(str(folder), 100)
    files = {path: base64.b64decode(data) for path, _, data in told["files"]}
    assert files == EVERYTHING
    assert not folder.exists()


def test_more_than_fits_has_to_be_fetched_and_stays(folder):
    assert enclosed(str(folder), 40) == {"fetch": True}
    assert taken(folder) == (EVERYTHING, [])


def test_what_cannot_come_has_to_be_fetched_so_that_it_is_said(folder):
    (folder / "link").symlink_to("a")
    assert enclosed(str(folder), 100) == {"fetch": True}


def test_an_empty_folder_is_nothing(tmp_path):
    (tmp_path / "logs").mkdir()
    assert enclosed(str(tmp_path / "logs"), 100) == {}
    assert not (tmp_path / "logs").exists()


def test_no_descriptor_stays_open(folder):
    before = len([*Path("/proc/self/fd").iterdir()])
    outgoing = Outgoing()
    for number in range(40):
        (folder / f"logs{number}").mkdir()
        (folder / f"logs{number}" / "x").write_bytes(b"long enough")
        head = {"folder": f"{folder}/logs{number}", "most": 3, "most_files": 10}
        outgoing.take({**head, "most_bytes": 100})
    outgoing.close()
    enclosed(str(folder), 3)
    assert len([*Path("/proc/self/fd").iterdir()]) == before
