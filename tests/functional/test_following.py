"""Following a job whose control API breaks off: nothing is missed, and nothing told twice."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from nrunner.following import Following
from nrunner.journal import Journal
from nrunner.layout import JobFolder, create_job_folder, link_control
from nrunner.lock import JobLock, JobState, Stage
from nrunner.retelling import Retelling
from nrunner.testing.sample import sample_report

JOB = {"type": "job", "format": 1, "id": "a", "wall": 1.0, "monotonic": 1.0, "command": []}
OK = b"HTTP/1.1 200 OK\r\n\r\nretry: 1000\n\n"


class Ears:
    """Writes down the numbers of settled tasks, and how it ended."""

    def __init__(self) -> None:
        self.settled: list[int] = []
        self.codes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        if name == "task_settled":
            return lambda report: self.settled.append(report.number)
        if name == "job_closed":
            return lambda job: self.codes.append(job.exit_code)
        return lambda *args: None


class Controller:
    """A stand-in for a controller: has the lock, a journal, and answers by a script."""

    def __init__(self, base: Path, sockets: Path, total: int) -> None:
        self.folder: JobFolder = create_job_folder(base, "a" * 40, datetime(2026, 11, 22, 10, 15))
        self.lock = JobLock.take(self.folder)
        self.journal = Journal(self.folder.journal)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(sockets / "s"))
        self.listener.listen()
        link_control(self.folder, sockets / "s")
        self.lock.tell(Stage.SERVING)
        self.asked: list[str] = []
        self.journal.append([{**JOB, "total": total}])

    def settle(self, number: int) -> bytes:
        """Journal a verdict; return it as an event."""
        record = {"type": "settled", "task": number, "report": sample_report(number)}
        self.journal.append([record])
        line = json.loads(self.journal.lines(number, number + 1)[0])
        return _event(number + 1, {key: line[key] for key in ("task", "report")})

    def answer(self, *events: bytes) -> None:
        """Take a connection that asks for events, send some, and break off."""
        peer = self._asker()
        with peer:
            peer.sendall(OK + b"".join(events))

    def _asker(self) -> socket.socket:
        while True:
            peer, _ = self.listener.accept()
            # Who only looks whether somebody answers asks for nothing.
            request = peer.recv(4096).decode()
            if request:
                self.asked.append(request.split()[1])
                return peer
            peer.close()

    def end(self, *records: dict[str, Any]) -> None:
        self.lock.tell(Stage.ENDING)
        self.listener.close()
        self.journal.append(records)
        self.journal.close()
        self.folder.report("results.json").write_text("{}")
        self.lock.release()


def _event(number: int, data: Any) -> bytes:
    return f"id: {number}\nevent: task_settled\ndata: {json.dumps(data)}\n\n".encode()


@pytest.fixture
def sockets() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nrunner-test-") as folder:
        yield Path(folder)


def follow(controller: Controller, script: Any) -> tuple[Ears, JobState, int | None]:
    ears = Ears()
    retelling = Retelling(controller.folder.root, ears)
    following = Following(controller.folder, retelling)
    following.catch_up()
    thread = threading.Thread(target=script)
    thread.start()
    status = following.to_the_end(None)
    thread.join()
    return ears, status.state, retelling.finish()


CLOSED = {"type": "closed", "exit_code": 1, "elapsed": 1.0}


def test_a_stream_that_breaks_off_is_asked_for_what_is_missing(tmp_path, sockets):
    controller = Controller(tmp_path, sockets, total=4)
    controller.settle(1)  # before anybody follows

    def script() -> None:
        two = controller.settle(2)
        controller.answer(two)
        three = controller.settle(3)
        # Once more what was told, then a gap, then what comes next.
        controller.answer(two, _event(9, {}), three)
        controller.answer()
        controller.answer(controller.settle(4))
        controller.end(CLOSED)

    ears, state, code = follow(controller, script)
    assert controller.asked == [f"/api/v1/events?after={after}" for after in (2, 3, 4, 4)]
    assert ears.settled == [1, 2, 3, 4]
    assert (state, code, ears.codes) == (JobState.COMPLETE, 1, [1])


def test_what_no_stream_told_is_read_from_the_journal_at_the_end(tmp_path, sockets):
    controller = Controller(tmp_path, sockets, total=3)

    def script() -> None:
        controller.answer(controller.settle(1))
        controller.settle(2)
        controller.settle(3)
        controller.end(CLOSED, {"type": "exit", "exit_code": 3})

    ears, state, code = follow(controller, script)
    assert ears.settled == [1, 2, 3]
    assert (state, code) == (JobState.COMPLETE, 3)


def test_a_controller_that_is_gone_in_the_middle_leaves_no_end(tmp_path, sockets):
    controller = Controller(tmp_path, sockets, total=3)

    def script() -> None:
        controller.answer(controller.settle(1))
        controller.settle(2)
        controller.listener.close()
        controller.lock.release()

    ears, state, code = follow(controller, script)
    assert ears.settled == [1, 2]
    assert (state, code, ears.codes) == (JobState.INTERRUPTED, None, [])
    controller.journal.close()


def test_a_controller_that_refuses_is_waited_for(tmp_path, sockets, monkeypatch):
    monkeypatch.setattr("nrunner.following._TRIES", 2)
    monkeypatch.setattr("nrunner.following._FIRST_PAUSE", 0.001)
    controller = Controller(tmp_path, sockets, total=1)

    def script() -> None:
        for _ in range(2):
            with controller._asker() as peer:
                peer.sendall(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
        controller.settle(1)
        controller.end(CLOSED)

    ears, state, code = follow(controller, script)
    assert (ears.settled, state, code) == ([1], JobState.COMPLETE, 1)
