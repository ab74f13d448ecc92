"""The client of the control API, against servers that answer well, badly or never."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nrunner import control
from nrunner.control import ControlError, Event, Refused, ask, listen

OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


@pytest.fixture
def path() -> Iterator[Path]:
    """Return a path that is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="nrunner-test-") as folder:
        yield Path(folder) / "socket"


@asynccontextmanager
async def answering(path: Path, *pieces: bytes, stays: bool = False) -> AsyncIterator[list[bytes]]:
    """Serve connections that all get the same answer; yield what they asked for."""
    asked: list[bytes] = []
    serving: list[asyncio.Task[None]] = []
    end = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            if stays:
                await end.wait()
            writer.close()
            await writer.wait_closed()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.create_task(answer(reader, writer)))

    async with await asyncio.start_unix_server(serve, path):
        try:
            yield asked
        finally:
            end.set()
            await asyncio.gather(*serving)


def asked_of(path: Path, *pieces: bytes, stays: bool = False, **options: object) -> object:
    async def main() -> object:
        async with answering(path, *pieces, stays=stays):
            return await asyncio.to_thread(ask, path, "/job", **options)

    return asyncio.run(main())


def heard_from(path: Path, *pieces: bytes, stays: bool = False) -> list[Event]:
    async def main() -> list[Event]:
        async with answering(path, *pieces, stays=stays):
            return [event async for events in listen(path, 5) for event in events]

    return asyncio.run(main())


def test_an_answer_is_read_to_the_end_of_its_connection(path: Path) -> None:
    assert asked_of(path, OK, b'{"total"', b": 3}") == {"total": 3}


def test_a_request_says_what_is_wanted(path: Path) -> None:
    async def main() -> list[bytes]:
        async with answering(path, OK, b"{}") as asked:
            await asyncio.to_thread(ask, path, "/cancel?kill=true", post=True)
            async for _ in listen(path, 17):
                pass
            return asked

    post, get = asyncio.run(main())
    assert post.startswith(b"POST /api/v1/cancel?kill=true HTTP/1.0\r\n")
    assert get.startswith(b"GET /api/v1/events?after=17 HTTP/1.0\r\n")


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ([], "broke off"),
        ([b"SSH-2.0-OpenSSH\r\n\r\n"], "does not speak HTTP"),
        ([OK, b'{"total": '], "is no JSON"),
    ],
)
def test_an_answer_that_is_none_is_told(path: Path, pieces: list[bytes], message: str) -> None:
    with pytest.raises(ControlError, match=message):
        asked_of(path, *pieces)


@pytest.mark.parametrize(
    ("body", "message"),
    [(b'{"error": {"code": 409, "message": "too late"}}', "^too late$"), (b"<html>", "^409$")],
)
def test_a_refusal_says_why(path: Path, body: bytes, message: str) -> None:
    refusal = b"HTTP/1.1 409 Conflict\r\n\r\n" + body
    with pytest.raises(Refused, match=message):
        asked_of(path, refusal)
    with pytest.raises(Refused, match=message):
        heard_from(path, refusal)


def test_a_job_that_does_not_answer_is_not_waited_for(path: Path) -> None:
    with pytest.raises(ControlError, match="it does not answer"):
        asked_of(path, b"HTTP/1.1 20", stays=True, within=0.05)


def test_a_socket_that_nobody_listens_at_is_told(path: Path) -> None:
    async def hear() -> None:
        async for _ in listen(path, 0):
            pass

    for attempt in (lambda: ask(path, "/job"), lambda: asyncio.run(hear())):
        with pytest.raises(ControlError, match=r"talk to the job at .*: no such file"):
            attempt()


def test_events_are_heard_until_the_stream_ends(path: Path) -> None:
    pieces = [OK + b"retry: 1000\n\nid: 6\nevent: job\nda", b"ta: {}\n", b"\nid: 7\nev"]
    assert heard_from(path, *pieces) == [Event(6, "job", {})]


def test_a_stream_that_falls_silent_is_given_up(path: Path, monkeypatch) -> None:
    monkeypatch.setattr(control, "_NEWS_WITHIN", 0.05)
    with pytest.raises(ControlError, match="it does not answer"):
        heard_from(path, OK + b"id: 6\nevent: job\ndata: {}\n\n", stays=True)


def test_an_event_of_a_megabyte_arrives_whole(path: Path) -> None:
    text = "x" * (1 << 20)
    stream = b'id: 1\nevent: notice\ndata: {"text": "%s"}\n\n' % text.encode()
    pieces = [stream[start : start + 5000] for start in range(0, len(stream), 5000)]
    assert heard_from(path, OK, *pieces) == [Event(1, "notice", {"text": text})]


def test_a_path_that_is_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="talk to the job"):
        ask(tmp_path / ("x" * os.pathconf("/", "PC_NAME_MAX")), "/job")
