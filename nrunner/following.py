"""Following a job to its end: its journal so far, then its events as they come.

Neither the job nor what is told of it depends on anybody following: who was away for a while asks
for what is missing. Not responsible for how a job is shown (``nrunner.retelling``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from itertools import islice
from typing import Any

from nrunner.control import ControlError, Event, listen
from nrunner.journal import read_records
from nrunner.layout import JobFolder
from nrunner.lock import JobState, JobStatus, state_of, wait_free
from nrunner.progress import closing_of
from nrunner.retelling import Retelling

__all__ = ["Following", "record_of"]

_TRIES = 40
"""How often in a row a job is asked in vain, before the end of its controller is waited for."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0

_TYPES: Mapping[str, str] = {
    "task_settled": "settled",
    "task_started": "move",
    "task_moved": "move",
    "job_closed": "closed",
}
"""Events whose name is not the type of the record that they tell."""


def record_of(event: Event) -> dict[str, Any]:
    """Return the record of the journal that an event tells."""
    return {"type": _TYPES.get(event.kind, event.kind), **event.data}


class Following:
    """One follower of one job."""

    def __init__(self, folder: JobFolder, retelling: Retelling, pipe: int | None = None) -> None:
        """`pipe` is where a console writes to, if that is one: nothing is told to nobody."""
        self._folder = folder
        self._retelling = retelling
        self._pipe = pipe
        self._position = 0
        """How many records of the journal were told."""

    def catch_up(self) -> None:
        """Tell what is in the journal and was not told; raise JournalError if it makes no sense."""
        if not self._folder.journal.exists():
            return  # a job that is just starting has none
        for record in islice(read_records(self._folder.journal), self._position, None):
            self._position += 1
            self._retelling.take(record)
        self._retelling.flush()

    def to_the_end(self, animate: Callable[[], Coroutine[Any, Any, None]] | None) -> JobStatus:
        """Tell all that happens until the job has no controller; return what became of it.

        Ends earlier if the controller cannot be talked to, or nobody reads on. `animate` keeps a
        console fresh.
        """
        while (status := state_of(self._folder)).state is JobState.RUNNING:
            try:
                with asyncio.Runner() as runner:
                    # Ctrl-C while the loop is made would leave a coroutine that complains.
                    runner.get_loop()
                    runner.run(self._live(animate))
            except _Unread:
                return status
            if state_of(self._folder).state is JobState.RUNNING:
                wait_free(self._folder)
            self._tell_rest()
        return status

    def _tell_rest(self) -> None:
        if not self._retelling.is_whole:
            self.catch_up()
        else:
            # All that matters stands at the very end of what may be a long journal.
            for record in closing_of(self._folder.journal):
                self._retelling.take(record)

    async def _live(self, animate: Callable[[], Coroutine[Any, Any, None]] | None) -> None:
        tasks = [asyncio.create_task(each) for each in (self._listen(), _until_unread(self._pipe))]
        painters = [] if animate is None else [asyncio.create_task(animate())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for each in (*tasks, *painters):
                each.cancel()
            await asyncio.gather(*tasks, *painters, return_exceptions=True)

    async def _listen(self) -> None:
        """Listen until the controller is at its end, or cannot be heard any more."""
        tries = 0
        while tries < _TRIES:
            before = self._position
            with contextlib.suppress(ControlError):
                await self._hear()
            status = state_of(self._folder)
            if status.state is not JobState.RUNNING or status.is_over:
                return
            tries = tries + 1 if self._position == before else 0
            await asyncio.sleep(min(_FIRST_PAUSE * 2**tries, _LONGEST_PAUSE))

    async def _hear(self) -> None:
        path = self._folder.control_socket
        if path is None:
            return
        async with contextlib.aclosing(listen(path, self._position)) as stream:
            async for events in stream:
                for event in events:
                    if event.id == self._position + 1:
                        self._position = event.id
                        self._retelling.take(record_of(event))
                self._retelling.flush()


class _Unread(Exception):
    """Nobody reads any more what is told."""


async def _until_unread(pipe: int | None) -> None:
    """Raise when nobody reads any more what is written to a pipe; wait for ever without one."""
    gone = asyncio.Event()
    if pipe is None:
        await gone.wait()
        return
    loop = asyncio.get_running_loop()
    loop.add_reader(pipe, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(pipe)
    raise _Unread
