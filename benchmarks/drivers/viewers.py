"""Run a job while others watch its page, and say how long it took: what looking costs it.

One of those who watch takes nothing of what it is sent. The time counts from when all are there.
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

_FILES = 4096
_TASK_OVER = b"event: task_settled"


def main(viewers: int, folder: Path, command: Sequence[str]) -> None:
    """Run the job, look at it, and print what was measured as JSON."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(_FILES, hard)), hard))
    gate = folder / "gate"
    waits = folder / "wait.sh"
    waits.write_text(f"#!/bin/sh\nuntil test -e {gate}; do sleep 0.01; done\n")
    waits.chmod(0o755)
    job = subprocess.Popen([*command, "--serve", str(waits)], stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    page = next(line for line in job.stdout if "/#token=" in line).split()[-1]
    threading.Thread(target=job.stdout.read, daemon=True).start()
    stalled, *reading = _look(page, viewers) if viewers else (None,)
    heard = threading.Thread(target=_count, args=(reading,))
    heard.start()
    began = time.monotonic()
    gate.touch()
    _, status, usage = os.wait4(job.pid, 0)
    seconds = time.monotonic() - began
    heard.join()
    del stalled
    figures = {"job s": seconds, "peak MiB": usage.ru_maxrss / 1024}
    sys.stdout.write(json.dumps(figures) if status == 0 else f"status {status}\n")


def _look(page: str, viewers: int) -> list[socket.socket]:
    """Open the stream of events so many times."""
    address, _, once = page.partition("/#token=")
    host, _, port = address.removeprefix("http://").partition(":")
    asking = http.client.HTTPConnection(host, int(port))
    asking.request("POST", "/api/v1/session", headers={"Authorization": f"Bearer {once}"})
    token = json.loads(asking.getresponse().read())["token"]
    head = f"GET /api/v1/events HTTP/1.0\r\nHost: {host}:{port}\r\n"
    request = f"{head}Authorization: Bearer {token}\r\n\r\n".encode()
    peers = [socket.create_connection((host, int(port))) for _ in range(viewers)]
    for peer in peers:
        peer.sendall(request)
        peer.recv(1)
        peer.setblocking(False)
    return peers


def _count(peers: Sequence[socket.socket]) -> None:
    """Read what all are sent, to its end; raise RuntimeError unless all heard the same."""
    told = [0] * len(peers)
    with selectors.DefaultSelector() as ready:
        for number, peer in enumerate(peers):
            ready.register(peer, selectors.EVENT_READ, number)
        while ready.get_map():
            for key, _ in ready.select():
                piece = peers[key.data].recv(1 << 16)
                told[key.data] += piece.count(_TASK_OVER)
                if not piece:
                    ready.unregister(key.fileobj)
    if len(set(told)) > 1:
        raise RuntimeError(f"not all were told of the same number of tests: {set(told)}")


if __name__ == "__main__":
    _, number, where, *words = sys.argv
    main(int(number), Path(where), words)
