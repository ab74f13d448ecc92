"""A server of files on loopback that does what servers do when things go wrong."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WITHIN = 40.0


class FileServer(ThreadingHTTPServer):
    """Serves DATA, under paths that say how."""

    data = bytes(range(256)) * 4096

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: Counter[str] = Counter()
        self.heads: list[dict[str, str]] = []
        self.halfway = threading.Event()
        """A client has half of what it wants."""
        self.go_on = threading.Event()
        """For those that wait halfway."""

    def url(self, path: str, user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self.server_port}/{path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].strip("/")
        self.server.asked[path] += 1
        self.server.heads.append(dict(self.headers.items()))
        getattr(self, f"serve_{path.partition('/')[0].replace('-', '_')}")()

    def serve_good(self) -> None:
        self.begin(len(self.server.data))
        self.wfile.write(self.server.data)

    def serve_wrong(self) -> None:
        self.begin(5)
        self.wfile.write(b"wrong")

    def serve_breaks(self) -> None:
        self.begin(len(self.server.data))
        self.wfile.write(self.server.data[:1000])

    def serve_chunks_break(self) -> None:
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"3e8\r\n" + self.server.data[:500])
        self.close_connection = True

    def serve_waits(self) -> None:
        half = len(self.server.data) // 2
        self.begin(len(self.server.data))
        self.wfile.write(self.server.data[:half])
        self.wfile.flush()
        self.server.halfway.set()
        if self.server.go_on.wait(WITHIN) and not self.path.endswith("in-vain"):
            self.wfile.write(self.server.data[half:])

    serve_waits_in_vain = serve_waits

    def serve_silent(self) -> None:
        self.server.go_on.wait(WITHIN)

    def serve_moved(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.server.url("good"))
        self.end_headers()

    def serve_to_a_file(self) -> None:
        self.send_response(302)
        self.send_header("Location", "file:///etc/hostname")
        self.end_headers()

    def serve_gone(self) -> None:
        self.send_error(404)

    def begin(self, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Nobody reads it."""


@contextmanager
def serving() -> Iterator[FileServer]:
    """Serve until the block ends."""
    server = FileServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()
