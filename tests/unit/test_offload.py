"""Work in a thread, where there can be one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from nrunner.offload import offload


def where() -> str:
    return threading.current_thread().name


def test_work_is_done_in_a_thread():
    assert asyncio.run(offload(where)) != threading.main_thread().name


def test_work_is_done_here_where_there_can_be_no_thread(monkeypatch):
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert asyncio.run(offload(where)) == threading.main_thread().name


@pytest.mark.parametrize("error", [RuntimeError, ValueError])
def test_what_goes_wrong_in_the_work_is_raised_and_the_work_is_done_once(error):
    tries: list[int] = []

    def fail() -> None:
        tries.append(1)
        raise error("oh")

    async def main(work: Callable[[], None]) -> None:
        await offload(work)

    with pytest.raises(error):
        asyncio.run(main(fail))
    assert tries == [1]


def test_whoever_waits_no_longer_is_told_nothing():
    over = threading.Event()

    async def main() -> None:
        waiting = asyncio.ensure_future(offload(over.wait, 5))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        over.set()
        await asyncio.sleep(0.01)

    asyncio.run(main())
