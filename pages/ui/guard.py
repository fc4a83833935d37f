"""Guard of the dashboard: only pages of its own address may talk to it. Knows nothing of any page."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from core.base import access

REFUSAL = "This server answers only pages of its own address, and takes files only where packs can be imported.\n"
UPLOADS = "/_stcore/upload_file/"  # what comes there stays in memory

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
}


class Guard:
    """Refuses what a page of another address sends, and tells browsers to keep such pages out.

    It stands before Streamlit, which looks up the machine's external address before it refuses an origin, and which
    takes any port of this machine for its own.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        takes = access.takes_packs() or UPLOADS not in scope.get("path", "")
        if scope["type"] == "lifespan" or (takes and welcome(Headers(scope=scope))):
            await self.app(scope, receive, _guarded(send))
        elif scope["type"] == "websocket":
            await WebSocketClose(code=1008)(scope, receive, send)
        else:
            await PlainTextResponse(REFUSAL, 403)(scope, receive, _guarded(send))


def welcome(headers: Headers) -> bool:
    """True for a request to a name that this server goes by, from a page that it served or from no page at all."""
    host, origin = headers.get("host"), headers.get("origin")
    return is_host_allowed(host) and origin in (None, f"http://{host}", f"https://{host}")


def _guarded(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return sending
