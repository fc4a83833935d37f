"""A server of HTTP on this machine, on a port of its own, for as long as a block."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Loopback(ThreadingHTTPServer):
    """Answers in threads until the block ends."""

    daemon_threads = True

    def __init__(self, handler: type[Quiet]):
        super().__init__(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Quiet(BaseHTTPRequestHandler):
    """Handles a request, and keeps the test's output clean."""

    def send(self, body: bytes, headers: Mapping[str, str], status: int = 200, promised: int | None = None) -> None:
        """Answer; `promised` is the length that the head tells of, where that is not the truth."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if promised is None else promised))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
