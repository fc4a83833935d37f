"""The stream of a talk: a line of JSON for each token that both models write, while the page listens."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future

from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from core import store
from core.base import UserError
from core.lab import scheduler
from core.requests import lab
from pages.ui.server import NAME_LENGTH, REFUSAL, VERSION, browser

TALK = re.compile(rf"(?:/.+)?/talk/{VERSION}")
MAX_STREAMS, MAX_ALL = 32, 256  # streams of a reader at once, and of all readers
MAX_WRITTEN = 20  # of them that go on after their first words: the process keeps so many long talks in memory
LOOK_SECONDS = 0.5  # seconds between two looks at an unfinished chunk
LIVE_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # the latter: a proxy passes lines on at once
Asker = tuple[str, str]  # reader and tab


class Talks:
    """Server of talks; the query holds `asked`, as `core.requests.lab.talk` reads it, and the name of a `tab`."""

    def __init__(self, app: ASGIApp):
        self.app = app
        self.open: dict[Asker, object] = {}  # the stream that a tab listens to, the oldest first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not TALK.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":  # of an image, which tells no origin
            await PlainTextResponse(REFUSAL, 403)(scope, receive, send)
            return
        query = request.query_params
        lines = self._lines(query.get("asked", ""), (reader(request), query.get("tab", "")[:NAME_LENGTH]))
        await StreamingResponse(lines, headers=LIVE_HEADERS, media_type="application/x-ndjson")(scope, receive, send)

    async def _lines(self, typed: str, asker: Asker) -> AsyncIterator[str]:
        """Lines until all is written, the reader leaves, or the tab asks for another talk."""
        stream = self.open[asker] = object()

        def listens():
            return self.open.get(asker) is stream

        try:
            if sum(reader == asker[0] for reader, _ in self.open) > MAX_STREAMS:
                raise UserError(f"{MAX_STREAMS} texts are being written for you: close another page first")
            self._make_room()
            talk, end, begun = lab.talk(typed), None, False
            for step in store.written(talk):
                yield step.model_dump_json() + "\n"
                talk, end = talk.replace(start=step.at + 1), "" if step.at + 1 == talk.tokens else None
            while end is None and listens():
                if begun and (ahead := self._count_ahead(asker)):
                    yield _line(waits=ahead, seconds=scheduler.seconds_for(ahead * talk.tokens))
                    await asyncio.sleep(LOOK_SECONDS)
                    continue
                future = scheduler.ask("talk", talk, None, *asker)
                try:
                    async for line in _waits(future, listens):
                        yield line
                finally:
                    future.cancel()  # if the reader has left, it is never begun
                if future.cancelled() or not future.done():  # by this tab's stream before, which asked for the same
                    continue
                for step in future.result().steps:
                    yield step.model_dump_json() + "\n"
                    talk = talk.replace(start=step.at + 1)
                end, begun = future.result().end, True
            if end is not None:
                yield _line(end=end)
            elif asker not in self.open:
                raise UserError(f"{MAX_ALL} texts are being written here: come back in a few minutes")
        except UserError as error:
            yield _line(error=str(error))
        finally:
            if listens():
                del self.open[asker]

    def _order(self) -> dict[Asker, int]:
        """The streams in the order they are written, the first of each reader before any second, and their number."""
        nth, order = Counter(), {}
        for each in self.open:
            nth[each[0]] += 1
            order[each] = nth[each[0]]
        return dict(sorted(order.items(), key=lambda each: each[1]))

    def _count_ahead(self, asker: Asker) -> int:
        """Count the streams that end before this one goes on."""
        return max(0, [*self._order()].index(asker) + 1 - MAX_WRITTEN)

    def _make_room(self) -> None:
        """Beyond MAX_ALL, end the stream that has waited longest, of those whose reader has the most."""
        order = self._order()
        if len(order) > MAX_ALL:
            del self.open[max([*order][MAX_WRITTEN:], key=order.__getitem__)]


async def _waits(future: Future, listens: Callable[[], bool]) -> AsyncIterator[str]:
    """Lines that say what a chunk waits for, until it has come or nobody listens."""
    last, waiting = None, asyncio.wrap_future(future)
    while not (await asyncio.wait([waiting], timeout=LOOK_SECONDS))[0] and listens():
        ahead = scheduler.count_ahead(future)
        waits = {"waits": ahead, "seconds": scheduler.seconds_for(ahead)}
        line = _line(**waits if scheduler.state() == "ready" else {"loading": True})
        if line != last and (ahead or scheduler.state() != "ready"):
            yield line
        last = line
    waiting.done() and (waiting.cancelled() or waiting.exception())  # so that asyncio does not report it as unread


def reader(request: Request) -> str:
    """Identity of the reader, as on Play: the address, which a proxy forwards, or here the browser."""
    address = request.client.host if request.client else ""
    return browser(request.cookies) if address in ("", "127.0.0.1", "::1") else address


def _line(**fields: object) -> str:
    return json.dumps(fields) + "\n"
