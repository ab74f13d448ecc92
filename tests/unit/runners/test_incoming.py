"""Files that a controller puts into an environment, piece by piece."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from nrunner.errors import RequirementError
from nrunner.runners.incoming import LONGEST_PIECE, Incoming

DATA = b"0123456789"


class Turns:
    """A loop of which nothing is needed but its next turn."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []

    def real_after(self, _delay: float, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def run(self) -> int:
        """Run until nothing is left to do; return how many turns that took."""
        turns = 0
        while self.callbacks:
            turns += 1
            self.callbacks.pop(0)()
        return turns


class Agent:
    """The part of an agent that takes files."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "file"
        self.turns = Turns()
        self.told: list[Mapping[str, Any]] = []
        loop: Any = self.turns
        self.incoming = Incoming(loop, lambda _head, fields: self.told.append(fields))

    def put(self, offset: int, piece: bytes, data: bytes = DATA, **more: Any) -> Any:
        digest = hashlib.sha256(data).hexdigest()
        head = {"path": str(self.path), "size": len(data), "mode": 0o4755, "sha256": digest}
        self.incoming.take({**head, "offset": offset, **more}, piece)
        self.turns.run()
        return self.told[-1]


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path)


def test_a_file_is_there_once_it_is_whole_and_never_with_another_users_rights(
    agent: Agent,
) -> None:
    assert agent.put(0, DATA[:4]) == {"done": False}
    assert not agent.path.exists()
    assert agent.put(4, DATA[4:]) == {"done": True}
    assert agent.path.read_bytes() == DATA
    assert agent.path.stat().st_mode & 0o7777 == 0o755


def test_pieces_that_come_again_may_be_cut_another_way(agent: Agent) -> None:
    agent.put(0, DATA[:4])
    agent.put(0, DATA[:1])
    agent.put(0, DATA[:4])
    agent.put(2, DATA[2:7])
    agent.put(3, DATA[3:5])
    agent.put(5, DATA[5:])
    assert agent.told[-1] == {"done": True}
    assert agent.path.read_bytes() == DATA


def test_pieces_that_come_again_change_nothing(agent: Agent) -> None:
    for offset, piece, done in (
        (0, DATA[:4], False),
        (0, DATA[:4], False),
        (4, DATA[4:8], False),
        (4, DATA[4:8], False),
        (8, DATA[8:], True),
        (8, DATA[8:], True),
    ):
        assert agent.put(offset, piece) == {"done": done}
    assert agent.path.read_bytes() == DATA
    assert names_in(agent.path.parent) == ["file"]


def test_an_empty_file_is_whole_at_once(agent: Agent) -> None:
    assert agent.put(0, b"", data=b"") == {"done": True}
    assert agent.path.read_bytes() == b""


@pytest.mark.parametrize("name", ["中" * 80, "x" * 255], ids=["letters", "bytes"])
def test_a_file_may_have_any_name_that_a_file_can_have(agent: Agent, name: str) -> None:
    agent.path = agent.path.parent / name
    agent.put(0, DATA[:4])
    assert agent.put(4, DATA[4:]) == {"done": True}
    assert names_in(agent.path.parent) == [name]


def test_what_is_begun_anew_takes_the_place_of_what_was_begun(agent: Agent) -> None:
    agent.put(0, DATA[:4])
    assert agent.put(0, b"other", data=b"other") == {"done": True}
    assert agent.path.read_bytes() == b"other"
    assert names_in(agent.path.parent) == ["file"]


@pytest.mark.parametrize(
    ("offset", "piece", "more", "reason"),
    [
        (4, b"4", {}, "its beginning is not there"),
        (0, DATA + b"!", {}, "a piece at 0 is not the next one"),
        (0, b"x" * (LONGEST_PIECE + 1), {}, f"a piece has {LONGEST_PIECE} bytes at most"),
        (0, b"9876543210", {}, "its sha256 is"),
        (0, b"", {"path": "file"}, "expected a path from the root, without detours"),
        (0, b"", {"path": "/tmp/../etc/passwd"}, "without detours"),
        (0, b"", {"path": "/a\0b"}, "without detours"),
        (0, b"", {"path": 5}, "without detours"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(
    agent: Agent, offset: int, piece: bytes, more: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RequirementError) as caught:
        agent.put(offset, piece, **more)
    assert reason in str(caught.value)
    assert names_in(agent.path.parent) == []
    assert agent.put(0, DATA) == {"done": True}


@pytest.mark.parametrize("more", [{"size": -1}, {"size": "1"}, {"offset": True}, {"mode": None}])
def test_fields_of_the_wrong_sort_are_refused(agent: Agent, more: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        agent.put(0, DATA, **more)
    assert names_in(agent.path.parent) == []


def test_a_link_in_the_way_is_replaced_and_not_followed(agent: Agent, tmp_path: Path) -> None:
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    elsewhere.write_text("precious")
    agent.path.symlink_to(elsewhere)
    agent.put(0, DATA)
    assert elsewhere.read_text() == "precious"
    assert not agent.path.is_symlink()
    elsewhere.unlink()


def test_only_so_many_are_on_their_way_at_once(agent: Agent) -> None:
    for number in range(32):
        agent.put(0, DATA[:1], path=f"{agent.path}-{number}")
    with pytest.raises(RequirementError, match="32 others are on their way"):
        agent.put(0, DATA[:1])
    agent.incoming.close()
    assert names_in(agent.path.parent) == []
    assert agent.put(0, DATA) == {"done": True}


@pytest.mark.parametrize(
    ("there", "have"), [(DATA, True), (DATA[::-1], False), (DATA + b"!", False), (None, False)]
)
def test_it_is_looked_whether_a_file_is_there(
    agent: Agent, there: bytes | None, have: bool
) -> None:
    if there is not None:
        agent.path.write_bytes(there)
    assert agent.put(0, b"", look=True) == {"have": have}


def test_what_is_no_file_is_not_looked_into(agent: Agent) -> None:
    os.mkfifo(agent.path)
    assert agent.put(0, b"", data=b"", look=True) == {"have": False}


def test_others_get_their_turn_while_a_large_file_is_looked_at(agent: Agent) -> None:
    data = bytes(5 << 20)
    agent.path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    head = {"path": str(agent.path), "size": len(data), "sha256": digest, "look": True}
    agent.incoming.take(head, b"")
    assert agent.told == []
    assert agent.turns.run() >= 5
    assert agent.told == [{"have": True}]
