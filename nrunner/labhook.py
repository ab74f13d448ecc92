"""Commands of the lab: what switches a device's power, and what prints its console.

Each runs in a session of its own and in bounded time; whatever it has started ends with it. What
is secret reaches it by variables alone, and is struck out of whatever it prints. Not responsible
for when a command is run, nor for which there are (``nrunner.inventory``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import IO, Any

from nrunner.errors import SpawnError, UnfitError
from nrunner.inventory import Dut
from nrunner.labsecret import Struck, secrets_of
from nrunner.runners.procfs import snapshot

__all__ = ["Console", "hook_environment", "run_hook"]

HOOK_WITHIN = 60.0
_GRACE = 2.0
_MOST_SHOWN = 64 << 10
_PIECE = 64 << 10


async def run_hook(dut: Dut, name: str, within: float = HOOK_WITHIN) -> str:
    """Run the hook of this name; return what it printed, without secrets.

    Raise UnfitError if it cannot be started here, SpawnError if it does not end well in time.
    """
    what = f"run {name} of {dut.name}"
    secrets = secrets_of(dut, os.environ)
    # A file, not a pipe: what the hook leaves running may hold that open for ever.
    with tempfile.TemporaryFile() as output:
        process = await _start(dut, name, output.fileno(), secrets)
        try:
            async with asyncio.timeout(within):
                status = await process.wait()
        except TimeoutError as error:
            raise SpawnError(f"{what}: no end of it within {within:g} s") from error
        finally:
            await _end(process)
        printed = _tail(output, secrets)
    if status != 0:
        last = printed.strip().splitlines()[-1:] or ["it printed nothing"]
        how = f"status {status}" if status > 0 else f"signal {-status}"
        raise SpawnError(f"{what}: it ended with {how} ({last[0].strip()[:200]})")
    return printed


def hook_environment(
    dut: Dut, secrets: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of a hook: ours, which device it is for, and its secrets."""
    named = {
        "NRUNNER_DUT": dut.name,
        "NRUNNER_DUT_ADDRESS": dut.address,
        "NRUNNER_DUT_PORT": str(dut.port),
    }
    return {**environ, **named, **secrets}


class Console:
    """What a device writes to its console, as the hook prints it: the end of it, and all in a file.

    It may break at any time: that is never an error, since what is tested is not the console.
    """

    def __init__(self, dut: Dut) -> None:
        self._dut = dut
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._file: IO[bytes] | None = None
        self._tail = b""

    async def open(self, log: Path | None = None) -> None:
        """Begin to read it, into a file if one is named; raise SpawnError."""
        dut = self._dut
        secrets = secrets_of(dut, os.environ)
        reader, writer = os.pipe()
        try:
            self._process = await _start(dut, "console", writer, secrets)
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        if log is not None:
            self._file = log.open("ab", buffering=0)
        struck = Struck(secrets.values())
        self._reader = asyncio.create_task(self._read(reader, struck), name="console")

    def tail(self, most: int = _MOST_SHOWN) -> str:
        """Return the end of what it has printed."""
        return self._tail[-most:].decode("utf-8", "replace")

    async def close(self) -> None:
        """End the hook; what it printed is still known."""
        if self._process is not None:
            await _end(self._process)
        if self._reader is not None:
            _, late = await asyncio.wait([self._reader], timeout=_GRACE)
            for each in late:  # something that fled from the hook's session holds it open
                each.cancel()
        if self._file is not None:
            self._file.close()

    async def _read(self, fd: int, struck: Struck) -> None:
        loop = asyncio.get_running_loop()
        stream = asyncio.StreamReader(limit=_MOST_SHOWN)
        pipe = os.fdopen(fd, "rb", buffering=0)
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), pipe
        )
        try:
            while data := await stream.read(_MOST_SHOWN):
                self._keep(struck.feed(data))
            self._keep(struck.finish())
        finally:
            transport.close()

    def _keep(self, data: bytes) -> None:
        self._tail = (self._tail + data)[-_MOST_SHOWN:]
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk is told of by whoever needs it
                self._file.write(data)


async def _start(
    dut: Dut, name: str, output: int, secrets: Mapping[str, str]
) -> asyncio.subprocess.Process:
    command: tuple[str, ...] = getattr(dut.hooks, name)
    if not command:
        raise UnfitError(f"run {name} of {dut.name}: {dut.where or 'its entry'} has no {name}")
    try:
        return await _started(
            asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=hook_environment(dut, secrets, os.environ),
                cwd=dut.hooks.folder,
                start_new_session=True,
            )
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnfitError(f"run {name} of {dut.name}: {command[0]}: {reason.lower()}") from error


async def _started(
    start: Coroutine[Any, Any, asyncio.subprocess.Process],
) -> asyncio.subprocess.Process:
    """Return what is started; whoever is cancelled meanwhile ends it with all it has started.

    By itself it would be killed, and nothing else.
    """
    starting = asyncio.ensure_future(start)
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError, ValueError):
            await _end(await starting)
        raise


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a hook and all that is left of its session: softly, then by force."""
    # By force more than once: it may be forking.
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL, signal.SIGKILL):
        left = _session(process.pid)
        if not left:
            break
        await _signal(left, number)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GRACE):
            await process.wait()


async def _signal(pids: list[int], number: signal.Signals) -> None:
    """Send a signal, and wait for a while until nobody is left who got it."""
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    opened: set[int] = set()

    def close(fd: int) -> None:
        loop.remove_reader(fd)
        os.close(fd)
        opened.discard(fd)
        if not opened:
            gone.set()

    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            opened.add(os.pidfd_open(pid))
    for fd in opened:
        loop.add_reader(fd, close, fd)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(fd, number)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE if opened else 0):
                await gone.wait()
    finally:
        for fd in list(opened):
            close(fd)


def _session(pid: int) -> list[int]:
    """Return the processes of a session that can still do anything."""
    return [each.pid for each in snapshot().values() if each.session == pid and each.is_alive]


def _tail(output: IO[bytes], secrets: Mapping[str, str]) -> str:
    """Return the end of what a hook printed: read from its start, or a secret might be cut."""
    struck = Struck(secrets.values())
    output.seek(0)
    shown = b""
    while data := output.read(_PIECE):
        shown = (shown + struck.feed(data))[-_MOST_SHOWN:]
    return (shown + struck.finish()).decode("utf-8", "replace")
