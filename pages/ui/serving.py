"""How the dashboard is served: what makes the first page come sooner. Knows nothing of any page."""

from __future__ import annotations

import importlib
import logging
import os
import re
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import streamlit as st
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

STATIC = Path(st.__file__).parent / "static"
# Names with a hash of the content in them, and nothing that could lead out of the folder.
HASHED = re.compile(r"/(static/(?:js|css|media)/[\w-]+(?:\.[\w-]+)*\.[\w-]{8}\.\w+)")
FOREVER = {"Cache-Control": "public, immutable, max-age=31536000"}
KINDS = {  # not guessed: on Windows the registry may call a script plain text, and browsers then refuse it
    ".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2", ".wasm": "application/wasm",
}  # fmt: skip
DRAWING = ("pages.ui.tour", "pages.ui.sections", "pages.ui.charts.evaluation")  # with them comes all that is slow


class Assets:
    """Answers for Streamlit's own hashed files straight from disk.

    A browser's first visit asks for more than a hundred of them at once. Streamlit's server opens each in a thread and
    sends it in pieces, which takes longer than to run the page.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = HASHED.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        file = STATIC / found[1] if found else None
        if file is None or file.suffix not in KINDS or not file.is_file():
            await self.app(scope, receive, send)
            return
        await Response(file.read_bytes(), headers=FOREVER, media_type=KINDS[file.suffix])(scope, receive, send)


@asynccontextmanager
async def warmed(_: object) -> AsyncIterator[None]:
    """Answer at once, and import what pages draw with while the first browser is still opening."""
    answer_at_once()
    threading.Thread(target=_import, daemon=True).start()
    yield


def answer_at_once() -> None:
    """Have this process's listening sockets send small pieces without waiting for the ones before.

    The head and the body of an answer are sent apart. The system holds the second back until the browser acknowledges
    the first, which it puts off for 40 ms. asyncio turns that off only where a socket says that it speaks TCP, which
    Streamlit's, bound beforehand, does not (uvicorn's issue 3149). Accepted sockets inherit what the listening one is
    told. Windows does not tell a process which sockets are its own: there nothing changes.
    """
    try:
        known = psutil.Process().net_connections("tcp")
    except (psutil.Error, OSError) as error:  # a system that shows no process its sockets
        logging.getLogger(__name__).warning("Pages may open a little later: %s", error)
        return
    for each in known:
        if each.status == psutil.CONN_LISTEN and each.fd >= 0:
            with socket.socket(fileno=os.dup(each.fd)) as same:
                same.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _import() -> None:
    for name in DRAWING:
        importlib.import_module(name)
