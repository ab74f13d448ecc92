"""The control API against its own description, with whatever schemathesis can think of."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nrunner.status.listener import TcpOptions
from tests.functional.test_status_server import running

TOKEN = "the-token-of-the-test"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a job of 60 tasks on TCP, from another thread; yield the address."""
    address: list[str] = []
    is_up = threading.Event()
    over: list[object] = []

    async def main() -> None:
        async with running(folder, control_tcp=TcpOptions(TOKEN)) as it:
            stop = asyncio.Event()
            over.extend((asyncio.get_running_loop(), stop))
            address.append(it.server.control_uris[1])
            is_up.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert is_up.wait(20)
    loop, stop = over
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(stop.set)  # type: ignore[attr-defined]
        thread.join(20)


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    (tmp_path / "test-results" / "1").mkdir(parents=True)
    (tmp_path / "test-results" / "1" / "stdout").write_text("output\n")
    with served(tmp_path) as address:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{address}/api/v1/openapi.json"),
            *("--url", address, "--header", f"Authorization: Bearer {TOKEN}"),
            # Events go on for ever; who may use the API is tested elsewhere.
            *("--exclude-path", "/api/v1/events", "--exclude-checks", "ignored_auth"),
            *("--max-examples", "8", "--seed", "1", "--workers", "2", "--no-color"),
            *("--generation-database", "none", "--request-timeout", "10"),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=50, check=False, cwd=tmp_path
        )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
