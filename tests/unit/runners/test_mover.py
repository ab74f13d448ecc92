"""A pipe and a thread are no process and no socket: what is moved is tested with real ones."""

import os
import threading
from pathlib import Path

import pytest

from nrunner.runners.mover import SPLICING, Mover


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    yield reading, writing
    os.close(reading)
    os.close(writing)


def moved(pipe: tuple[int, int], file: int, data: bytes) -> Mover:
    """Have all of it moved; return who did, stopped."""
    mover = Mover(pipe[0], file)
    assert Mover.running == 1
    rest = data
    while rest:
        rest = rest[os.write(pipe[1], rest) :]
    while mover.moved < len(data):
        threading.Event().wait(0.001)
    mover.stop()
    assert Mover.running == 0
    return mover


def descriptors() -> list[str]:
    return sorted(each.name for each in Path("/proc/self/fd").iterdir())


def test_these_machines_can_splice():
    assert SPLICING


def test_every_byte_is_moved(pipe, tmp_path: Path):
    data = os.urandom(3 << 20)
    file = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    mover = moved(pipe, file, data)
    os.close(file)
    assert (tmp_path / "file").read_bytes() == data
    assert mover.moved == len(data)
    assert mover.trouble == ""


def test_where_nothing_can_be_spliced_to_every_byte_is_moved_all_the_same(pipe, tmp_path: Path):
    data = os.urandom(3 << 20)
    file = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    mover = moved(pipe, file, data)
    os.close(file)
    assert (tmp_path / "file").read_bytes() == data
    assert mover.trouble == ""


def test_what_cannot_be_kept_is_told_and_holds_nobody_up(pipe):
    file = os.open("/dev/full", os.O_WRONLY)
    mover = moved(pipe, file, b"x" * (1 << 20))
    os.close(file)
    assert mover.trouble == "No space left on device"


def test_what_comes_after_the_stop_stays_in_the_pipe(pipe, tmp_path: Path):
    file = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    moved(pipe, file, b"before")
    os.write(pipe[1], b"after")
    assert os.read(pipe[0], 99) == b"after"
    os.close(file)
    assert (tmp_path / "file").read_bytes() == b"before"


def test_no_thread_to_be_had_leaves_nothing_behind(pipe, monkeypatch):
    def refuse(_thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    files = descriptors()
    with pytest.raises(RuntimeError):
        Mover(pipe[0], 1)
    assert descriptors() == files
    assert Mover.running == 0
