"""A pipe is no process and no socket: what a stream takes is tested with real ones."""

import fcntl
import os
import threading
from pathlib import Path

import pytest

from nrunner.runners import procfs
from nrunner.runners.capture import Capture
from nrunner.runners.loop import Loop
from nrunner.runners.mover import Mover


@pytest.fixture
def capture(tmp_path: Path):
    capture = Capture(str(tmp_path / "slot" / "stdout"))
    yield capture
    capture.close()


def taken(capture: Capture) -> bytes:
    """Return what one attempt wrote, and have the stream ready for the next one."""
    capture.drain()
    file = capture.hand_over()
    if file < 0:
        return b""
    try:
        return Path(capture.path).read_bytes()
    finally:
        os.close(file)
        Path(capture.path).unlink()


def test_what_is_written_is_in_the_file_byte_by_byte(capture):
    data = bytes(range(256)) * 3
    os.write(capture.open(), data)
    assert taken(capture) == data


def test_there_is_no_file_where_nothing_was_written(capture):
    capture.open()
    capture.drain()
    assert capture.size == 0
    assert not Path(capture.path).exists()
    assert capture.hand_over() == -1


def test_the_same_pipe_serves_one_attempt_after_another(capture):
    first = capture.open()
    os.write(first, b"one")
    assert taken(capture) == b"one"
    assert capture.open() == first
    os.write(first, b"two")
    assert taken(capture) == b"two"


def test_opening_the_stream_again_by_its_name_cuts_nothing_off(capture):
    writing = capture.open()
    os.write(writing, b"before ")
    Path(f"/proc/self/fd/{writing}").write_bytes(b"by name ")
    os.write(writing, b"after")
    assert taken(capture) == b"before by name after"


def test_a_payload_that_made_the_pipe_non_blocking_does_not_spoil_it_for_the_next(capture):
    os.set_blocking(capture.open(), False)
    assert os.get_blocking(capture.open())


def test_more_than_a_pipe_holds_goes_through_and_the_pipe_grows(capture):
    writing = capture.open()
    data = os.urandom(3 << 20)

    def write() -> None:
        rest = data
        while rest:
            rest = rest[os.write(writing, rest) :]

    writer = threading.Thread(target=write)
    writer.start()
    while capture.size < len(data):
        capture.take()
    writer.join()
    assert fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ if hasattr(fcntl, "F_GETPIPE_SZ") else 1032) > (
        1 << 16
    )
    assert taken(capture) == data


def test_a_pipe_grows_for_who_writes_in_pieces_that_never_quite_fill_it(capture):
    writing = capture.open()
    for _ in range(3):
        os.write(writing, b"x" * 64_512)
        capture.take()
    assert fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ) > (1 << 16)


class Loud:
    """A payload that prints without end, and a loop that takes it until there is a thread."""

    def __init__(self, path: Path) -> None:
        self.loop = Loop()
        self.capture = Capture(str(path), self.loop)
        self.written = bytearray()
        self._writing = self.capture.open()
        self._over = False
        self._writer = threading.Thread(target=self._write)
        self._writer.start()
        while not Mover.running:
            self.loop.run_once()

    def _write(self) -> None:
        while not self._over:
            data = os.urandom(50_000)
            while data:
                count = os.write(self._writing, data)
                self.written += data[:count]
                data = data[count:]

    def end(self) -> bytes:
        self._over = True
        while self._writer.is_alive():
            self.capture.drain()
        return taken(self.capture)


@pytest.fixture
def loud(tmp_path: Path):
    loud = Loud(tmp_path / "slot" / "stdout")
    yield loud
    loud.end()
    loud.capture.close()
    assert Mover.running == 0


def test_what_is_loud_is_moved_by_a_thread_to_the_last_byte(loud):
    before = loud.capture.size
    while loud.capture.size < before + (5 << 20):
        pass  # the loop stands still
    assert loud.end() == loud.written


def test_draining_a_loud_stream_is_done_by_one_alone(loud):
    """Two who take at once would mix up the order of what they take."""
    for _ in range(20):
        before = loud.capture.size
        while loud.capture.size < before + (2 << 20):
            loud.capture.drain()
            assert Mover.running == 0
        while not Mover.running:
            loud.loop.run_once()
    assert loud.end() == loud.written


def test_the_next_attempt_in_the_pipe_is_taken_by_the_loop_again(loud):
    loud.end()
    os.write(loud.capture.open(), b"next")
    while not loud.capture.size:
        loud.loop.run_once()
    assert taken(loud.capture) == b"next"


def test_who_waits_for_more_is_called_by_the_loop(loud):
    heard = []
    loud.capture.on_taken = lambda: heard.append(threading.current_thread())
    assert Mover.running == 0
    while not heard:
        loud.loop.run_once()
    assert set(heard) == {threading.main_thread()}
    assert loud.end() == loud.written


def test_what_a_thread_could_not_keep_is_told(loud):
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, loud.capture._file)
    os.close(full)
    before = loud.capture.size
    while loud.capture.size < before + (5 << 20):
        pass  # nobody is held up
    loud.capture.drain()
    assert loud.capture.trouble == f"{loud.capture.path}: No space left on device"


def test_where_no_thread_is_to_be_had_the_loop_goes_on(tmp_path, monkeypatch):
    def refuse(_thread) -> None:
        raise RuntimeError("can't start new thread")

    loop = Loop()
    capture = Capture(str(tmp_path / "stdout"), loop)
    writing = capture.open()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(10):
            os.write(writing, b"x" * 60_000)
            loop.run_once()
    assert capture.size == 600_000
    assert taken(capture) == b"x" * 600_000
    capture.close()


def test_there_are_no_more_threads_than_processors_that_may_be_used(tmp_path, monkeypatch):
    """Others may be there, and not for us."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(Mover, "running", 1)
    loop = Loop()
    capture = Capture(str(tmp_path / "stdout"), loop)
    writing = capture.open()
    for _ in range(10):
        os.write(writing, b"x" * 60_000)
        loop.run_once()
        assert Mover.running == 1
    assert taken(capture) == b"x" * 600_000
    capture.close()


def test_draining_ends_though_somebody_goes_on_writing(capture):
    writing = capture.open()
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            os.write(writing, b"x" * 4096)

    os.write(writing, b"x")
    writer = threading.Thread(target=write)
    writer.start()
    capture.drain()
    stop.set()
    while writer.is_alive():
        capture.take()
    writer.join()
    assert capture.size > 0


def test_output_goes_on_where_the_folder_was_removed(capture):
    os.write(capture.open(), b"kept")
    assert not Path(capture.path).parent.exists()
    assert taken(capture) == b"kept"


def test_what_cannot_be_kept_is_told_and_still_taken(capture):
    Path(capture.path).mkdir(parents=True)
    os.write(capture.open(), b"lost")
    capture.drain()
    assert capture.size == 4
    assert capture.trouble == f"{capture.path}: Is a directory"


def test_a_closed_stream_gets_another_pipe(capture):
    capture.open()
    before = capture.mark
    capture.close()
    capture.open()
    assert before != capture.mark


def test_who_holds_the_pipe_can_be_found(capture):
    capture.open()
    assert procfs.uses(os.getpid(), "/nowhere", {capture.mark})
    mark = capture.mark
    capture.close()
    assert not procfs.uses(os.getpid(), "/nowhere", {mark})
