"""Files of attempts on their way from an agent of sh to a controller that sees none of them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from nrunner.spawners.shell_shelf import Shelf
from nrunner.spawners.shell_story import Told


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(lambda there: str(tmp_path / Path(there).name))


def fetched(tmp_path: Path, **files: bytes) -> str:
    folder = tmp_path / "logs-1-1"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return str(folder)


def told(kept: str, number: int = 4) -> Told:
    return Told(number, (1, 1), 0.0, ("ended", "0", "0", "0", "1", kept))


def get(shelf: Shelf, **more):
    head = {"folder": "/there/logs-1-1", "most": 1000, "most_files": 10, "most_bytes": 10000}
    return shelf.take({**head, **more})


def test_few_bytes_go_with_the_event(shelf, tmp_path):
    folder = fetched(tmp_path, stdout=b"hello\n")
    ((name, _, text),) = shelf.put(told("o"), folder, 100)["files"]
    assert (name, base64.b64decode(text)) == ("stdout", b"hello\n")
    assert not Path(folder).exists()


def test_more_is_asked_for_in_pieces_and_goes_once_it_is_taken(shelf, tmp_path):
    folder = fetched(tmp_path, stdout=b"x" * 1500, stderr=b"y")
    assert shelf.put(told("oe"), folder, 100) == {"fetch": True}
    first, body = get(shelf)
    second, rest = get(shelf, **{"from": first["next"]})
    assert body + rest == b"y" + b"x" * 1500
    assert "next" not in second
    shelf.drop("/there/logs-1-1")
    assert not Path(folder).exists()
    assert get(shelf) == ({"entries": []}, b"")


def test_a_folder_that_cannot_come_is_named(shelf, tmp_path):
    folder = fetched(tmp_path, stdout=b"hello\n")
    assert shelf.put(told("od"), folder, 100) == {"fetch": True}
    answer, body = get(shelf)
    assert body == b"hello\n"
    assert answer["left_out"] == [["output", "without Python no folders are sent"]]


def test_the_agent_keeps_its_files_until_nobody_can_ask_for_them_again(shelf, tmp_path):
    shelf.put(told("o", 4), fetched(tmp_path, stdout=b"hello\n"), 100)
    assert [*shelf.acknowledged(3)] == []
    assert [*shelf.acknowledged(4)] == [(1, 1)]
    assert [*shelf.acknowledged(9)] == []
