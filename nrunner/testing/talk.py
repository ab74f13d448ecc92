"""A conversation with an agent, for tests: orders go in, everything it says is kept.

Its link can be cut and its token can be wrong. Not responsible for where the agent runs, nor for
what its words come to (``nrunner.scheduler``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nrunner.environment import Environment, run_frame
from nrunner.outpost import Outpost
from nrunner.runnable import Runnable
from nrunner.spawners.base import Distant, Handle

__all__ = ["Talk"]


class _Tap(asyncio.Protocol):
    """Stands between a transport and its protocol, so that a test can cut the link."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        self._protocol = protocol
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._protocol.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._protocol.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)


class _Tapped:
    """A handle whose links can be cut, and whose token can be wrong."""

    def __init__(self, handle: Handle, token: str | None = None) -> None:
        self.name = handle.name
        self.token = handle.token if token is None else token
        self.wait_gone = handle.wait_gone
        self.remains = handle.remains
        self.destroy = handle.destroy
        self.address = handle.address
        if isinstance(handle, Distant):
            self.folder, self.patience = handle.folder, handle.patience
        self._handle = handle
        self._taps: list[_Tap] = []

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> None:
        def tapped() -> asyncio.Protocol:
            self._taps.append(_Tap(factory()))
            return self._taps[-1]

        await self._handle.connect(tapped)

    def cut(self) -> None:
        for tap in self._taps:
            if tap.transport is not None:
                tap.transport.abort()


class Talk:
    """A conversation with an agent, and everything it said."""

    def __init__(
        self,
        handle: Handle,
        settings: Mapping[str, Any],
        *,
        token: str | None = None,
        epoch: int = 1,
        adopts: bool = False,
        carries: bool = False,
    ) -> None:
        """`adopts` says that an earlier controller has spoken with the agent.

        With `carries`, the environment is `Distant`, and what is run there, and what comes of it,
        is carried as for a job: `settings` are those of the job here.
        """
        self.events: list[Mapping[str, Any]] = []
        self.notices: list[str] = []
        """What people would be told of the link."""
        self.is_wanted = True
        """Whether anybody wants to know what comes of what runs."""
        self.acknowledges = True
        """Whether what is heard is acknowledged; what is not is said to whoever comes next, too."""
        self._handle = _Tapped(handle, token)
        self._news = asyncio.Event()
        self._folder = Path(settings["results_dir"])
        self._outpost: Outpost | None = None
        if carries and isinstance(handle, Distant):
            self._outpost = Outpost(
                handle.folder,
                settings,
                self._take,
                self._refused,
                epoch=epoch,
                is_new=not adopts,
                live=f"{settings['slots_dir']}/live",
            )
        self.environment = Environment(
            handle.name,
            self._handle,
            settings if self._outpost is None else self._outpost.settings(),
            self._hear,
            epoch=epoch,
            orders={} if adopts else None,
            on_notice=self.notices.append,
            is_wanted=lambda: self.is_wanted,
        )

    def run(
        self,
        number: int,
        runnable: Runnable,
        *,
        reboot: Mapping[str, Any] | None = None,
        **limits: float,
    ) -> None:
        """Order the first attempt of a task; `reboot` is what was before one."""
        order = {
            "task": number,
            "attempt": 1,
            "id": f"{number}-x",
            "runnable": runnable.to_json(),
            "log_dir": str(self.log_dir(number)),
            "limits": limits,
            "reboot": reboot,
        }
        if self._outpost is not None:
            self._outpost.run_nowait(self.environment, order)
        else:
            self.environment.run_nowait((number, 1), run_frame(order))

    def expect(self, number: int) -> None:
        """Note an attempt that an earlier controller ordered."""
        if self._outpost is not None:
            order = {"task": number, "attempt": 1, "log_dir": str(self.log_dir(number))}
            self._outpost.expect(order)

    def cancel(self, number: int, *, kill: bool = False) -> None:
        """Order the end of it."""
        self.environment.cancel_nowait((number, 1), kill=kill, detail="cancelled by the test")

    def cut(self) -> None:
        """Cut the link, as if a cable were drawn."""
        self._handle.cut()

    async def hear(self, number: int, event: str) -> Mapping[str, Any]:
        """Wait until the agent says this of a task; return what it says."""
        while True:
            self._news.clear()
            for head in self.events:
                if (head["task"], head["event"]) == (number, event):
                    return head
            await self._news.wait()

    def said(self, number: int) -> list[str]:
        """Return the words that the agent said of a task."""
        return [head["event"] for head in self.events if head["task"] == number]

    def log_dir(self, number: int) -> Path:
        """Return where a task's output goes."""
        return self._folder / f"{number}-x"

    def requirement_dir(self, number: int) -> str:
        """Return where what fulfils a requirement writes, by its name where the agent is."""
        target = str(self.log_dir(number))
        return target if self._outpost is None else self._outpost.errand_folder(number, target)

    def _hear(self, environment: Environment, heads: Sequence[Mapping[str, Any]]) -> bool:
        if self._outpost is None or not self.acknowledges:
            return self._take(heads) and self.acknowledges
        return self._outpost.hear(environment, [(head, head) for head in heads])

    def _take(self, heads: Sequence[Mapping[str, Any]]) -> bool:
        self.events.extend(heads)
        self._news.set()
        return True

    def _refused(self, head: Mapping[str, Any]) -> None:
        self._take([head])
