"""Which agent a device gets: the usual one, or that of sh where there is no Python.

What its file is, and how it is asked for things there and spoken to. Not responsible for asking
(``device``), nor for what is answered (``handle``).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from nrunner.record import dataclass
from nrunner.runners.spool import Remains, remains_of
from nrunner.spawners.shell_agent import device_script
from nrunner.spawners.shell_link import ShellLink
from nrunner.spawners.shell_store import Execute
from nrunner.spawners.shell_story import remains_in
from nrunner.spawners.shell_words import cut
from nrunner.spawners.ssh.link import ChannelLink
from nrunner.spawners.ssh.words import dut_command

if TYPE_CHECKING:
    from paramiko.channel import Channel

__all__ = ["PYTHON", "SHELL", "AgentFile", "Asked", "Sort", "sort_of"]


@dataclass(frozen=True, slots=True)
class AgentFile:
    """The agent as one file, to be copied."""

    name: str
    data: bytes

    @property
    def digest(self) -> str:
        """The sum that the copy has to have."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Asked:
    """What an agent is started with."""

    work: str
    name: str
    """Of the job's folder."""
    job: str
    who: str
    token: str
    slots: int
    may_group: bool


class _Python:
    """The zipapp."""

    def file(self, archive: Path) -> AgentFile:
        return AgentFile(archive.name, archive.read_bytes())

    def command(self, python: str, archive: str, word: str, argument: str) -> str:
        return dut_command(python, archive, word, argument)

    def start(self, python: str, archive: str, asked: Asked) -> tuple[str, bytes]:
        """Return the command that starts it, and what that is to read."""
        names = ("work", "name", "job", "who", "token")
        fields: dict[str, Any] = {name: getattr(asked, name) for name in names}
        data = json.dumps({**fields, "group": asked.may_group}).encode()
        return dut_command(python, archive, "start", str(len(data))), data

    relay = "relay"

    def speak(
        self,
        channel: Channel,
        factory: Callable[[], asyncio.Protocol],
        first: bytes,
        ended: Callable[[int], None],
        staging: Path,
        execute: Execute,
    ) -> None:
        """Have a protocol speak with the agent at the other end of a channel."""
        del staging, execute
        ChannelLink(channel, factory(), first, ended)

    def remains(self, spool: bytes) -> Remains:
        return remains_of(spool.splitlines())


class _Shell:
    """The script, behind what is asked of a device."""

    def file(self, archive: Path) -> AgentFile:
        del archive
        data = device_script()
        return AgentFile(f"agent-{hashlib.sha256(data).hexdigest()[:16]}.sh", data)

    def command(self, python: str, archive: str, word: str, argument: str) -> str:
        del python
        return " ".join(("exec sh", *map(quote, (archive, word, argument))))

    def start(self, python: str, archive: str, asked: Asked) -> tuple[str, bytes]:
        del python
        words = (archive, "start", asked.work, asked.name, asked.job, asked.who, str(asked.slots))
        return " ".join(("exec sh", *map(quote, words))), asked.token.encode() + b"\n"

    relay = "carry"

    def speak(
        self,
        channel: Channel,
        factory: Callable[[], asyncio.Protocol],
        first: bytes,
        ended: Callable[[int], None],
        staging: Path,
        execute: Execute,
    ) -> None:
        def reach(link: ShellLink) -> _Peer:
            peer = _Peer(link)
            ChannelLink(channel, peer, first, ended)
            return peer

        ShellLink(factory(), reach, shares_files=False, staging=staging, execute=execute)

    def remains(self, spool: bytes) -> Remains:
        return remains_in(spool, shares_files=False)


Sort = _Python | _Shell
PYTHON, SHELL = _Python(), _Shell()


def sort_of(archive: str) -> Sort:
    """Return the sort of agent that a file is, by its name."""
    return SHELL if archive.endswith(".sh") else PYTHON


_RELAY = "9" * 10
"""Room for the number with which the relay there begins each line that it hands on."""


class _Peer(asyncio.Protocol):
    """Lines to an agent of sh over a channel."""

    def __init__(self, link: ShellLink) -> None:
        self._link = link
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._link.heard(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.hung_up()

    def send(self, said: bytes) -> None:
        assert self._transport is not None
        pieces = cut(_RELAY, said)
        head = len(_RELAY) + 1
        self._transport.write(b"".join(piece[head:] for piece in pieces))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
