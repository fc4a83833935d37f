"""The server before Streamlit: only pages of its own address may talk to it, and the first page comes sooner."""

import gc
import hashlib
import importlib
import re
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Send
from starlette.websockets import WebSocketClose
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.web.server.starlette.starlette_app_utils import decode_xsrf_token_string
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from core.base import PROJECT
from core.jobs import processes, queue
from core.store import Store
from pages.ui import places

STATIC = Path(st.__file__).parent / "static"
# Names with a hash of the content in them, and nothing that could lead out of the folder.
HASHED = re.compile(r"/(static/(?:js|css|media)/[\w-]+(?:\.[\w-]+)*\.[\w-]{8}\.\w+)")
# Modules of live pictures are served as they are, under a name that changes with them.
MODULES = {file.name: file.read_bytes() for file in (Path(__file__).parent / "live").glob("*.js")}
VERSION = hashlib.sha256(b"".join(MODULES.values())).hexdigest()[:12]
MODULE = re.compile(rf"(?:/.+)?/live/{VERSION}/([\w-]+\.js)")
FOREVER = {"Cache-Control": "public, immutable, max-age=31536000"}
MEDIA_TYPES = {  # not guessed: on Windows the registry may call a script plain text, and browsers then refuse it
    ".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2", ".wasm": "application/wasm",
}  # fmt: skip
DRAWING_MODULES = ("pages.ui.compress.results", "pages.ui.model.absorption")  # they import everything that is slow


def address(path: str) -> str:
    """Path of what this server offers beside Streamlit: modules, and talks (`pages.ui.talk_stream`)."""
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"{base and '/'}{base}/{path}"


def moved(app: ASGIApp) -> ASGIApp:
    """Send a browser that comes by an old address to the page that shows the same."""

    async def moving(scope, receive, send):
        if scope["type"] == "http" and scope["method"] == "GET":
            place = scope["path"].rpartition("/")[2]
            query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
            page, view = places.opened(place, query)
            if page in places.ICONS and (page, view) != (place, query):
                await RedirectResponse(f"{page}?{urlencode(view)}")(scope, receive, send)
                return
        await app(scope, receive, send)

    return moving


def assets(app: ASGIApp) -> ASGIApp:
    """Answer for the modules of live pictures, and for Streamlit's own hashed files straight from disk.

    A browser's first visit asks for more than a hundred of these at once. Streamlit's server opens each in a thread and
    sends it in pieces, which takes longer than to run the page.
    """

    async def answering(scope, receive, send):
        path = scope["path"] if scope["type"] == "http" and scope["method"] == "GET" else ""
        module, file = MODULE.fullmatch(path), HASHED.fullmatch(path)
        content = MODULES.get(module[1]) if module else _read(STATIC / file[1]) if file else None
        if content is None:
            await app(scope, receive, send)
            return
        await Response(content, headers=FOREVER, media_type=MEDIA_TYPES[Path(path).suffix])(scope, receive, send)

    return answering


def _read(file: Path) -> bytes | None:
    return file.read_bytes() if file.suffix in MEDIA_TYPES and file.is_file() else None


@asynccontextmanager
async def warmed(_: object) -> AsyncIterator[None]:
    """Answer at once; tidy, import what pages draw with and read studies while the first browser is still opening."""
    processes.send_at_once()
    threading.Thread(target=_prepare, daemon=True).start()
    yield


def _prepare() -> None:
    queue.tidy(Store())
    for name in DRAWING_MODULES:
        importlib.import_module(name)
    importlib.import_module("pages.ui.studies").prepare()
    gc.collect()
    gc.freeze()  # from now on Python looks for garbage, but not among what the libraries are made of


# --- who may ask ---------------------------------------------------------------------------------------------------

BROWSER = "X-Browser"  # .streamlit/config.toml has Streamlit give a session back only where this is the same
NAME_LENGTH = 128  # characters of a tab's or a browser's name that are read
SCRIPT = str(PROJECT / "pages" / "shell.py").encode()
REFUSAL = "This server answers only pages of its own address, and takes no files.\n"

HEADERS = {
    # Streamlit builds styles and workers at run time; a script, a picture or a request of another address never loads.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; "
        "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Scripts that write the pages' styles load first: without them elements would move.
    "Link": ", ".join(
        f"<static/js/{each.name}>; rel=modulepreload"
        for name in ("Html.*", "purify.*")
        for each in STATIC.glob(f"static/js/{name}")
    ),
}


def guard(app: ASGIApp) -> ASGIApp:
    """Refuse what a page of another address sends, and tell browsers to keep such pages out.

    It stands before Streamlit, which looks up the machine's external address before it refuses an origin, takes any
    port of this machine for its own, and gives a session to whoever names it.
    """

    async def guarding(scope, receive, send):
        if scope["type"] == "websocket":
            MutableHeaders(scope=scope)[BROWSER] = browser(HTTPConnection(scope).cookies)
        takes = "/_stcore/upload_file/" not in scope.get("path", "")  # what is uploaded would stay in memory
        if scope["type"] == "lifespan" or (takes and welcome(Headers(scope=scope))):
            await app(scope, receive, _guarded(send))
        elif scope["type"] == "websocket":
            await WebSocketClose(code=1008)(scope, receive, send)
        else:
            await PlainTextResponse(REFUSAL, 403)(scope, receive, _guarded(send))

    return guarding


def welcome(headers: Headers) -> bool:
    """True for a request to a name that this server goes by, from a page that it served or from no page at all."""
    host, origin = headers.get("host"), headers.get("origin")
    return is_host_allowed(host) and origin in (None, f"http://{host}", f"https://{host}")


def browser(cookies: Mapping[str, str]) -> str:
    """Name of a browser: the token in its cookie, which Streamlit masks anew for every page that is opened."""
    cookie = cookies.get("_streamlit_xsrf", "")[:NAME_LENGTH]
    token, _ = decode_xsrf_token_string(cookie)
    return token.hex() if token else cookie


def _guarded(send: Send) -> Send:
    async def sending(message):
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        elif SCRIPT in (message.get("bytes") or b""):  # Streamlit tells each browser where the server keeps it
            content = ForwardMsg.FromString(message["bytes"])
            if content.HasField("new_session"):
                content.new_session.main_script_path = ""
                message = message | {"bytes": content.SerializeToString()}
        await send(message)

    return sending
