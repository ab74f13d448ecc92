"""Work that blocks, done in a thread, or where there can be no thread, at once.

A thread for each: asyncio's pool of threads needs another one to be shut down, which is an error
where there may be none. Not responsible for what the work is.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["THREAD_NAME", "offload"]

THREAD_NAME = "offload"
"""What each thread that does such work is called."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def offload(work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Return what some work returns, without keeping the event loop waiting if that is possible."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def end(result: _T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # None only where _T allows it

    def run() -> None:
        result, error = None, None
        try:
            result = work(*args, **kwargs)
        except BaseException as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(end, result, error)

    try:
        threading.Thread(target=run, name=THREAD_NAME, daemon=True).start()
    except RuntimeError:
        # As many processes and threads as there may be: that is not worth a job's end.
        return work(*args, **kwargs)
    return await future
